import WaMIMGraph
import WaMIMManifest

/// Numbers what the calls of a program come from, as its manifest lists it.
struct OriginTable {
  private var layers: [String: Int] = [:]
  private var files: [String: Int] = [:]
  /// The lines that calls come from, for each file.
  private var lines: [Set<Int>] = []

  /// The sum of shares that a call's origins have, about.
  private static let whole = 1000
  /// Lines of the longest text that is kept as a whole; of longer ones, only the lines that calls come from are.
  private static let longestText = 1000

  /// The origins that `provenance` consists of, the one with the most work first.
  mutating func origins(of provenance: Provenance) -> Manifest.Origins {
    let total = max(1, provenance.work.values.reduce(0, +))
    var origins = provenance.work.map { origin, work in
      let share = (Double(work) / Double(total) * Double(OriginTable.whole)).rounded()
      // Little work is still more than none.
      return (origin, work > 0 ? max(1, Int(share)) : 0)
    }
    origins.sort { ($1.1, $0.0.key) < ($0.1, $1.0.key) }
    return Manifest.Origins(origins.map { entry($0, share: $1) })
  }

  private mutating func entry(_ origin: Provenance.Origin, share: Int) -> Manifest.Origin {
    let layer = layers[origin.layer] ?? layers.count
    layers[origin.layer] = layer
    let source = origin.file.map { files[$0] ?? files.count }
    if let source, let file = origin.file {
      if source == lines.count { lines.append([]) }
      files[file] = source
      lines[source].insert(origin.line)
    }
    return Manifest.Origin(layer: layer, source: source, line: origin.line, region: origin.region.order, share: share)
  }

  /// What the numbers stand for, with lines out of `texts` by the names of their files.
  func tables(texts: [String: String]) -> Manifest.OriginTables {
    let sources = files.sorted { $0.value < $1.value }.map { file, number in
      let text = texts[file]?.split(separator: "\n", omittingEmptySubsequences: false) ?? []
      let isWhole = text.count <= OriginTable.longestText
      let kept = text.enumerated().filter { isWhole || lines[number].contains($0.offset + 1) }
      // Where the text of a model lies is nobody's business.
      let name = texts[file] == nil ? file : String(file.split(separator: "/").last ?? "")
      return Manifest.Source(file: name, lines: kept.map { .init(number: $0.offset + 1, text: String($0.element)) })
    }
    return Manifest.OriginTables(
      layers: layers.sorted { $0.value < $1.value }.map(\.key), sources: sources, regions: Region.allCases.map(\.rawValue))
  }
}

extension Provenance.Origin {
  /// What orders origins of equal work.
  fileprivate var key: String { "\(layer) \(file ?? "") \(1_000_000_000 + line) \(region.order)" }
}

extension Region {
  /// The index among all regions.
  fileprivate var order: Int { Region.allCases.firstIndex(of: self) ?? 0 }
}
