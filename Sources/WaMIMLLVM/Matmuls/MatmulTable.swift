import WaMIMCompiler

/// The matrix products of a step, and what they take by estimate.
public struct MatmulTable: Sendable {
  private struct Row {
    var kernel: KernelID
    var calls = 0
    var cost = MatmulCost()
  }

  private let name: String
  private let processor: TargetProcessor
  /// A row for each kernel, in the order of the first calls.
  private let rows: [Row]
  private let kernels: [Kernel]
  private let variants: [Variant]

  /// The products of one step of `program` on `processor`.
  public init(_ program: Program, processor: TargetProcessor) {
    var rows: [Row] = []
    var positions: [KernelID: Int] = [:]
    for run in program.manifest.stepRuns() {
      for group in program.schedules.filter({ $0.name == run.schedule.rawValue }).flatMap(\.phases).flatMap(\.groups) {
        for call in group.calls {
          let kernel = program.kernels[call.kernel.index]
          guard let cost = MatmulCost(kernel, units: group.units, chunks: group.chunks, processor: processor) else { continue }
          let position = positions[call.kernel] ?? rows.count
          if position == rows.count { rows.append(Row(kernel: call.kernel)) }
          positions[call.kernel] = position
          rows[position].calls += run.count * group.chunks
          rows[position].cost = rows[position].cost + Double(run.count) * cost
        }
      }
    }
    name = program.name
    self.processor = processor
    self.rows = rows
    kernels = program.kernels
    variants = program.variants
  }

  /// What all products take.
  var cost: MatmulCost { rows.reduce(MatmulCost()) { $0 + $1.cost } }

  /// The table as text: where products come from if `source` is asked for, and a line for each kernel with its share of the time,
  /// which says by which variant.
  public func text(source: MatmulSource) -> String {
    let total = cost
    var lines = [
      "matrix products of a step of \(name) on \(processor.name): \(source.resolved(for: total).rawValue)",
      "million cycles of one core, by estimate: \(millions(total.generated)) generated, \(millions(total.openBLAS)) openblas",
      line("kernel", ["calls", "generated", "openblas"], "rows x columns x terms"),
    ]
    for row in rows {
      guard case .matmul(let matmul) = kernels[row.kernel.index].body else { continue }
      let transposed = [(matmul.left, "left"), (matmul.right, "right")].filter(\.0.isTransposed).map { ", \($0.1) transposed" }
      lines.append(
        line(
          "k\(row.kernel.index)", ["\(row.calls)", millions(row.cost.generated), millions(row.cost.openBLAS)],
          "\(matmul.m) x \(matmul.n) x \(matmul.k)" + transposed.joined()
            + ", \(variants[row.kernel.index].name)"))
    }
    return lines.joined(separator: "\n") + "\n"
  }
}

private func line(_ kernel: String, _ numbers: [String], _ product: String) -> String {
  func blanks(_ text: String, to width: Int) -> String { String(repeating: " ", count: max(0, width - text.count)) }
  return kernel + blanks(kernel, to: 6) + numbers.map { blanks($0, to: 11) + $0 }.joined() + "  " + product
}

/// `cycles` in millions, to a thousandth.
private func millions(_ cycles: Double) -> String {
  let thousands = Int((cycles / 1e3).rounded())
  let fraction = String(thousands % 1000)
  return "\(thousands / 1000)." + String(repeating: "0", count: 3 - fraction.count) + fraction
}
