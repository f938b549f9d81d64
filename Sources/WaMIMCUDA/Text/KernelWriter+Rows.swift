import WaMIMCompiler

/// The threads that work on a row together.
enum Team {
  case warp
  case block

  /// A thread's number in the team, and how many there are.
  var lane: String { self == .warp ? "threadIdx.x % 32" : "threadIdx.x" }
  var size: String { self == .warp ? "32" : "blockDim.x" }
  /// The statement after which all threads see what each has written.
  var barrier: String { self == .warp ? "warp_barrier();" : "block_barrier();" }
  /// The prefix of the prelude's reductions.
  var name: String { self == .warp ? "warp" : "block" }
}

extension RowKernel {
  /// Whether an element needs nothing of others of its row.
  var isElementwise: Bool {
    stages.allSatisfy { $0.extent == .elements && $0.results.isEmpty && $0.stores.allSatisfy { !$0.sumsRows } }
  }

  /// Whether a store adds up the rows of a unit.
  var sumsRows: Bool { stages.contains { $0.stores.contains(where: \.sumsRows) } }

  /// Rows in all, and rows of a unit.
  var rowCount: Int { outer.reduce(1, *) }
  var rowsInUnit: Int { outer.dropFirst().reduce(1, *) }

  var loopNames: [String] { outer.indices.map { "i\($0)" } }
}

extension KernelWriter {
  /// The widest row that a warp works on alone, where there are enough rows.
  private static let widestForWarp = 2048

  /// The loops over rows as one function.
  func function(of rows: RowKernel, purpose: String) -> CUDAFunction {
    if rows.isElementwise { return elementwise(rows, purpose: purpose) }
    if rows.sumsRows { return unitByUnit(rows, purpose: purpose) }
    return rows.width <= Self.widestForWarp ? warpByWarp(rows, purpose: purpose) : blockByBlock(rows, purpose: purpose)
  }

  /// A thread for each element.
  private func elementwise(_ rows: RowKernel, purpose: String) -> CUDAFunction {
    let count = rows.rowCount * rows.width
    return function(purpose, blocks: count.dividedUp(by: Self.threads)) { source in
      source.line("const int element = block * \(Self.threads) + threadIdx.x;")
      source.line("if (element >= \(count)) return;")
      writeIndices(rows.loopNames + ["c"], of: "element", extents: rows.outer + [rows.width], to: &source)
      for stage in rows.stages {
        source.block("") { writeElement(stage, rows.loopNames + ["c"], to: &$0) }
      }
    }
  }

  /// A warp for each row.
  private func warpByWarp(_ rows: RowKernel, purpose: String) -> CUDAFunction {
    let warps = Self.threads / 32
    return function(purpose, blocks: rows.rowCount.dividedUp(by: warps)) { source in
      source.line("const int row = block * \(warps) + threadIdx.x / 32;")
      source.line("if (row >= \(rows.rowCount)) return;")
      writeIndices(rows.loopNames, of: "row", extents: rows.outer, to: &source)
      writeRow(rows, .warp, to: &source)
    }
  }

  /// A block for each row.
  private func blockByBlock(_ rows: RowKernel, purpose: String) -> CUDAFunction {
    function(purpose, blocks: rows.rowCount) { source in
      writeIndices(rows.loopNames, of: "block", extents: rows.outer, to: &source)
      writeRow(rows, .block, to: &source)
    }
  }

  /// A block for each unit, whose rows come one after the other, so that sums of them have one order.
  private func unitByUnit(_ rows: RowKernel, purpose: String) -> CUDAFunction {
    function(purpose, blocks: rows.outer[0]) { source in
      source.line("const int i0 = block;")
      writeRowsOfUnit(rows, to: &source)
    }
  }

  /// Writes the loop of a block over the rows of unit `i0`.
  func writeRowsOfUnit(_ rows: RowKernel, to source: inout SourceText) {
    source.loop("row", below: "\(rows.rowsInUnit)") { source in
      let inner = Array(rows.loopNames.dropFirst())
      writeIndices(inner, of: "row", extents: Array(rows.outer.dropFirst()), to: &source)
      writeRow(rows, .block, to: &source)
    }
  }

  /// Writes what a team does to one row.
  private func writeRow(_ rows: RowKernel, _ team: Team, to source: inout SourceText) {
    var written: Set<Int> = []
    for stage in rows.stages {
      // What others of the team have stored is seen behind a barrier.
      if stage.accesses.contains(where: { written.contains($0.argument) }) { source.line(team.barrier) }
      written.formUnion(stage.stores.map(\.access.argument))
      for result in stage.results {
        source.line("float s\(result.slot)\(result.reduction.map { " = " + $0.start } ?? "");")
      }
      switch stage.extent {
      case .row: writeOnce(stage, rows.loopNames, team, to: &source)
      case .elements: writeElements(stage, rows, team, to: &source)
      }
    }
  }

  /// Writes a computation for the row as a whole, which every thread makes and the first one stores.
  private func writeOnce(_ stage: RowStage, _ loops: [String], _ team: Team, to source: inout SourceText) {
    source.block("") { source in
      write(stage.instructions, loops + ["0"], to: &source)
      for result in stage.results { source.line("s\(result.slot) = x\(result.operand);") }
      guard !stage.stores.isEmpty else { return }
      // All have read what the first may write over.
      source.line(team.barrier)
      source.block("if (\(team.lane) == 0)") { source in
        for item in stage.stores { source.line(store("x\(item.operand)", item.access, loops + ["0"])) }
      }
    }
  }

  /// Writes a loop over the row's elements, and the reductions that follow it.
  private func writeElements(_ stage: RowStage, _ rows: RowKernel, _ team: Team, to source: inout SourceText) {
    source.loop("c", from: team.lane, below: "\(rows.width)", by: team.size) { source in
      writeElement(stage, rows.loopNames + ["c"], to: &source)
      for result in stage.results {
        guard let reduction = result.reduction else { continue }
        source.line("s\(result.slot) = \(reduction.cuda("s\(result.slot)", "x\(result.operand)"));")
      }
    }
    for result in stage.results {
      guard let reduction = result.reduction else { continue }
      source.line("s\(result.slot) = \(team.name)_\(reduction.name)(s\(result.slot));")
    }
  }

  /// Writes what is done to one element.
  func writeElement(
    _ stage: RowStage, _ loops: [String], to source: inout SourceText, replacing: (Access) -> String? = { _ in nil }
  ) {
    write(stage.instructions, loops, to: &source, replacing: replacing)
    for item in stage.stores {
      let value = item.sumsRows ? "(row == 0 ? 0.0f : \(load(item.access, loops))) + x\(item.operand)" : "x\(item.operand)"
      source.line(store(value, item.access, loops))
    }
  }
}

extension Int {
  /// The quotient, rounded up.
  func dividedUp(by divisor: Int) -> Int { (self + divisor - 1) / divisor }
}
