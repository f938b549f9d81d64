import WaMIMManifest

/// The tables that `bench --by layer` and `bench --by line` print.
struct OriginReport {
  let result: BenchResult

  /// Prints a row for each layer; for each of those that differ by a number, where `everyLayer`.
  func printLayers(every everyLayer: Bool) {
    printHeader("layer")
    let origins = result.profile.origins
    for row in everyLayer ? origins.layers : origins.joinedLayers {
      Console.print(numbers(row) + "  " + (row.name.isEmpty ? "(the model)" : row.name))
    }
    printEnd()
  }

  /// Prints the texts that describe the model, with what each line takes.
  func printLines() {
    let rows = result.profile.origins.lines
    for source in result.manifest.origins.sources {
      printHeader(source.file)
      let own = Dictionary(
        rows.compactMap { row in row.name == source.file ? row.line.map { ($0, row) } : nil },
        uniquingKeysWith: { first, _ in first })
      let texts = Dictionary(source.lines.map { ($0.number, $0.text) }, uniquingKeysWith: { first, _ in first })
      let width = "\(source.lines.last?.number ?? 0)".utf8.count
      for line in Set(own.keys).union(texts.keys).sorted() {
        let label = texts[line].map { Format.right("\(line)", width: width + 1) + "  " + $0 } ?? "\(source.file):\(line)"
        Console.print((own[line].map(numbers) ?? Format.left("", width: emptyWidth)) + "  " + label)
      }
      Console.print("")
    }
    for row in rows where row.line == nil { Console.print(numbers(row) + "  (no line)") }
    printEnd()
  }

  private func printHeader(_ title: String) {
    Console.print(
      (result.profile.origins.regions + ["ms", "share", "GFLOP/s"]).map { Format.right($0, width: width) }.joined() + "  " + title)
  }

  private func printEnd() {
    Console.print("")
    Console.print(
      "ms are added over threads, rates are those of one thread. A kernel that several layers or lines share is shared among them by "
        + "estimated arithmetic.")
  }

  private let width = 10
  private var emptyWidth: Int { width * (result.profile.origins.regions.count + 3) }

  private func numbers(_ row: OriginProfile.Row) -> String {
    let milliseconds = (row.seconds + [row.totalSeconds]).map { $0 == 0 ? "" : Format.fixed($0 * 1e3, decimals: 2) }
    let share = "\(Format.fixed(100 * result.share(row.totalSeconds), decimals: 1)) %"
    let rate = Format.fixed(row.flops / max(row.totalSeconds, 1e-9) * 1e-9, decimals: 1)
    return (milliseconds + [share, rate]).map { Format.right($0, width: width) }.joined()
  }
}
