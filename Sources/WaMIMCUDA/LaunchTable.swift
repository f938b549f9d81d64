import Foundation
import WaMIMCompiler
import WaMIMManifest

/// The launches of one step, what they read, write and compute, and how long GPUs take for that at least.
public struct LaunchTable: Sendable {
  private struct Row {
    var kind: String
    var cost: LaunchCost
    /// The least that all launches take on each GPU, in seconds.
    var seconds: [Double]
  }

  private let batch: Int
  /// A row for each kind of kernel, in the order of first calls.
  private let rows: [Row]

  /// The launches of a step of `program`, which is planned for GPUs.
  public init(_ program: Program) {
    var rows: [Row] = []
    for run in program.manifest.stepRuns() {
      for schedule in program.schedules where schedule.name == run.schedule.rawValue {
        for call in schedule.phases.flatMap(\.groups).flatMap(\.calls) {
          let cost = Self.cost(of: call, in: program)
          let seconds = GPULimits.all.map { Double(run.count) * $0.seconds(cost) }
          let kind = program.kernels[call.kernel.index].body.kind
          let row = rows.firstIndex { $0.kind == kind } ?? rows.count
          if row == rows.count { rows.append(Row(kind: kind, cost: LaunchCost(), seconds: seconds.map { _ in 0 })) }
          rows[row].cost = rows[row].cost + Double(run.count) * cost
          rows[row].seconds = zip(rows[row].seconds, seconds).map(+)
        }
      }
    }
    self.rows = rows
    batch = program.manifest.batch
  }

  private static func cost(of call: Call, in program: Program) -> LaunchCost {
    let (kernel, description) = (program.kernels[call.kernel.index], program.manifest.calls[call.description])
    let functions = (program.variants[call.kernel.index].plan as? CUDAPlan)?.functions ?? []
    var cost = LaunchCost(
      launches: Double(functions.count), bytes: Double(description.bytes), otherFlops: Double(description.flops))
    if functions.contains(where: \.usesTensorCores) {
      cost.tensorFlops = Double(description.productFlops)
      cost.otherFlops -= cost.tensorFlops
    }
    switch kernel.body {
    case .matmul(let matmul):
      let units = description.productFlops / max(1, matmul.productFlops(units: 1))
      cost.bytes += Double(bytesBesideArguments(of: kernel, units: units, functions))
    case .parallel(let parallel):
      for group in parallel.groups {
        cost.bytes += Double(group.count * bytesBesideArguments(of: group.kernel, units: group.units, functions))
      }
    default: break
    }
    return cost
  }

  /// What a kernel moves more than each argument once, or twice where it is updated: less where a product stays in registers.
  private static func bytesBesideArguments(of kernel: Kernel, units: Int, _ functions: [CUDAFunction]) -> Int {
    guard case .matmul(let matmul) = kernel.body else { return 0 }
    // Warp groups leave sums to blocks that read the left side again.
    let isSummedApart = matmul.leftSums != nil && functions.contains { $0.groupColumns != nil }
    let summed = isSummedApart ? matmul.m * matmul.k * kernel.arguments[matmul.left.argument].element.byteCount : 0
    guard let epilogue = matmul.epilogue else { return summed }
    let result = kernel.arguments[matmul.result.argument]
    let elements = matmul.productFlops(units: units) / (2 * matmul.k)
    let product = elements * result.element.byteCount
    let counted = matmul.result.argument == matmul.workspace ? 0 : result.access == .update ? 2 : 1
    // The epilogue may write to the product's place itself.
    let written = epilogue.stages.flatMap(\.stores).contains { $0.access.argument == matmul.result.argument } ? 1 : 0
    guard functions.contains(where: \.hasEpilogue) else { return summed + product * (2 + written - counted) }
    // Rows that follow the elements read those again.
    let rows = functions.count > 1 ? elements * 4 : 0
    return summed + product * ((matmul.keepsProduct ? 1 : 0) + written - counted) + rows
  }

  /// The table as text: a line for each kind of kernel, and one for each GPU.
  public var text: String {
    let total = rows.reduce(LaunchCost()) { $0 + $1.cost }
    var lines = [
      "", "launches of a step",
      line(["kind", "launches", "GB", "GFLOP", "on tensor cores"] + GPULimits.all.map { "\($0.name), ms" }),
    ]
    for row in rows { lines.append(line(of: row.kind, row.cost, row.seconds)) }
    let seconds = GPULimits.all.indices.map { gpu in rows.reduce(0) { $0 + $1.seconds[gpu] } }
    lines.append(line(of: "all", total, seconds))
    lines.append(
      "milliseconds: each launch's arithmetic at \(percent(GPULimits.arithmeticShare)) of the peak or its bytes at "
        + "\(percent(GPULimits.bandwidthShare)) of the bandwidth, whichever takes longer")
    lines.append(
      "images a second: " + zip(GPULimits.all, seconds).map { "\($0.name) \(Int(Double(batch) / $1))" }.joined(separator: ", "))
    return lines.joined(separator: "\n") + "\n"
  }

  private func percent(_ share: Double) -> String { "\(Int((100 * share).rounded())) %" }

  private func line(of kind: String, _ cost: LaunchCost, _ seconds: [Double]) -> String {
    let numbers = [cost.bytes / 1e9, (cost.tensorFlops + cost.otherFlops) / 1e9, cost.tensorFlops / 1e9] + seconds.map { 1e3 * $0 }
    return line([kind, "\(Int(cost.launches))"] + numbers.map { String(format: "%.2f", $0) })
  }

  private func line(_ columns: [String]) -> String {
    "  "
      + columns.enumerated().map { index, text in
        let padding = String(repeating: " ", count: max(0, (index == 0 ? 24 : 16) - text.count))
        return index == 0 ? text + padding : padding + text
      }.joined()
  }
}
