import WaMIMManifest

/// Where the time of a step goes, by what the operations of its calls come from.
///
/// A call's time, arithmetic and bytes are shared among its origins by the work that each asks for, as the compiler estimates it.
package struct OriginProfile: Sendable {
  /// What one layer or one line asks for.
  package struct Row: Sendable {
    /// A layer's path, or a file's name; empty for the model itself, and for what no source asks for.
    package var name: String
    /// The line of the file, or nil where the row is no line's.
    package var line: Int?
    /// Seconds in a step in each of the regions, added over threads.
    package var seconds: [Double]
    package var flops = 0.0
    package var bytes = 0.0

    package var totalSeconds: Double { seconds.reduce(0, +) }
  }

  /// The regions of a step, in its order.
  package let regions: [String]
  /// The layers, each on its own, in the order in which the model has them.
  package private(set) var layers: [Row] = []
  /// The lines, in the order in which they stand; what no line asks for comes last.
  package private(set) var lines: [Row] = []

  private struct LineKey: Hashable {
    var source: Int?
    var line: Int
  }

  /// Shares `calls`, each with its measured row, among their origins.
  package init(_ calls: [(row: KernelProfile.Row, origins: Manifest.Origins)], _ tables: Manifest.OriginTables) {
    regions = tables.regions.isEmpty ? ["forward"] : tables.regions
    var layers: [Int: Row] = [:]
    var lines: [LineKey: Row] = [:]
    let empty = [Double](repeating: 0, count: regions.count)
    for (row, origins) in calls {
      let unknown = Manifest.Origins([.init(layer: -1, source: nil, line: 0, region: 0, share: 1)])
      for (origin, share) in (origins.entries.isEmpty ? unknown : origins).shares {
        let (source, line) = (origin.source.flatMap { tables.sources.indices.contains($0) ? $0 : nil }, origin.line)
        let layer = tables.layers.indices.contains(origin.layer) ? tables.layers[origin.layer] : ""
        let key = LineKey(source: source, line: source == nil ? 0 : line)
        let name = source.map { tables.sources[$0].file } ?? ""
        layers[origin.layer, default: Row(name: layer, seconds: empty)].add(row, share, region: origin.region)
        lines[key, default: Row(name: name, line: source.map { _ in line }, seconds: empty)].add(row, share, region: origin.region)
      }
    }
    self.layers = layers.sorted { $0.key < $1.key }.map(\.value)
    self.lines = lines.sorted { ($0.key.source ?? .max, $0.key.line) < ($1.key.source ?? .max, $1.key.line) }.map(\.value)
  }

  /// The layers that differ by a number taken together, such as `blocks.*.mlp.fc1`.
  package var joinedLayers: [Row] {
    var rows: [Row] = []
    var indices: [String: Int] = [:]
    for layer in layers {
      let name = Manifest.pattern(layer.name)
      if let index = indices[name] {
        rows[index].add(layer)
      } else {
        indices[name] = rows.count
        rows.append(layer)
        rows[rows.count - 1].name = name
      }
    }
    return rows
  }
}

extension OriginProfile.Row {
  /// Adds `share` of what `call` took, in the region of number `region`.
  fileprivate mutating func add(_ call: KernelProfile.Row, _ share: Double, region: Int) {
    seconds[seconds.indices.contains(region) ? region : 0] += share * call.seconds
    flops += share * Double(call.flops)
    bytes += share * Double(call.bytes)
  }

  /// Adds what `other` took.
  fileprivate mutating func add(_ other: OriginProfile.Row) {
    for region in seconds.indices { seconds[region] += other.seconds[region] }
    flops += other.flops
    bytes += other.bytes
  }
}
