import WaMIMCompiler

extension KernelWriter {
  /// Terms from which on several threads share a sum.
  private static let fewTerms = 64

  /// The sums as one function.
  func function(of columns: ColumnKernel) -> CUDAFunction {
    columns.termCount < Self.fewTerms ? serial(columns) : shared(columns)
  }

  /// A thread for each sum.
  private func serial(_ columns: ColumnKernel) -> CUDAFunction {
    let count = columns.outer.reduce(1, *) * columns.width
    return function("columns", blocks: count.dividedUp(by: Self.threads)) { source in
      source.line("const int element = block * \(Self.threads) + threadIdx.x;")
      source.line("if (element >= \(count)) return;")
      writeIndices(columns.keptNames + ["c"], of: "element", extents: columns.outer + [columns.width], to: &source)
      writeStarts(columns, to: &source)
      source.loop("term", below: "\(columns.termCount)") { writeTerm(columns, to: &$0) }
      for (number, result) in columns.results.enumerated() {
        source.line(store("s\(number)", result.access, columns.keptNames + ["c"]))
      }
    }
  }

  /// A block for a few neighbouring columns, whose threads sum every so manieth term; then the partial sums in their order.
  private func shared(_ columns: ColumnKernel) -> CUDAFunction {
    // As many columns as a sector of memory has numbers; partial sums of all results fit in shared memory.
    let width = 8
    let lanes = columns.termCount < 1024 || columns.results.count > 4 ? 32 : 128
    let blocksAcross = columns.width.dividedUp(by: width)
    let blocks = columns.outer.reduce(1, *) * blocksAcross
    return function("columns", blocks: blocks, threads: width * lanes) { source in
      let count = columns.results.count
      source.share("float", "parts", [count, lanes, width])
      source.line("const int lane = threadIdx.x / \(width);")
      source.line("const int across = threadIdx.x % \(width);")
      source.line("const int c = block % \(blocksAcross) * \(width) + across;")
      writeIndices(columns.keptNames, of: "(block / \(blocksAcross))", extents: columns.outer, to: &source)
      writeStarts(columns, to: &source)
      source.block("if (c < \(columns.width))") { source in
        source.loop("term", from: "lane", below: "\(columns.termCount)", by: "\(lanes)") { writeTerm(columns, to: &$0) }
      }
      for number in 0..<count { source.line("parts[\(number)][lane][across] = s\(number);") }
      source.line("block_barrier();")
      source.line("if (lane > 0 || c >= \(columns.width)) return;")
      source.loop("other", from: "1", below: "\(lanes)") { source in
        for (number, result) in columns.results.enumerated() {
          source.line("s\(number) = \(result.function.cuda("s\(number)", "parts[\(number)][other][across]"));")
        }
      }
      for (number, result) in columns.results.enumerated() {
        source.line(store("s\(number)", result.access, columns.keptNames + ["c"]))
      }
    }
  }

  private func writeStarts(_ columns: ColumnKernel, to source: inout SourceText) {
    for (number, result) in columns.results.enumerated() { source.line("float s\(number) = \(result.function.start);") }
  }

  private func writeTerm(_ columns: ColumnKernel, to source: inout SourceText) {
    writeIndices(columns.combinedNames, of: "term", extents: columns.reduced, to: &source)
    write(columns.instructions, columns.keptNames + columns.combinedNames + ["c"], to: &source)
    for (number, result) in columns.results.enumerated() {
      source.line("s\(number) = \(result.function.cuda("s\(number)", "x\(result.operand)"));")
    }
  }
}

extension ColumnKernel {
  /// Terms of each sum.
  fileprivate var termCount: Int { reduced.reduce(1, *) }
  fileprivate var keptNames: [String] { outer.indices.map { "i\($0)" } }
  fileprivate var combinedNames: [String] { reduced.indices.map { "i\(outer.count + $0)" } }
}
