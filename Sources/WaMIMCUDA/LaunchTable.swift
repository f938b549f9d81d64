import Foundation
import WaMIMCompiler
import WaMIMManifest

/// The launches of one step, what they read, write and compute, and how long GPUs take for that at least.
public struct LaunchTable: Sendable {
  private struct Row {
    var name: String
    var cost = LaunchCost()
    /// The least that all launches take on each GPU, in seconds.
    var seconds = GPULimits.all.map { _ in 0.0 }
  }

  private let batch: Int
  /// A row for each kind of kernel, in the order of first calls.
  private let kinds: [Row]
  /// A row for each kernel, those that take the longest first.
  private let kernels: [Row]

  /// The launches of a step of `program`, which is planned for GPUs.
  public init(_ program: Program) {
    var kinds: [Row] = []
    var kernels = program.kernels.map { _ in Row(name: "") }
    for run in program.manifest.stepRuns() {
      for schedule in program.schedules where schedule.name == run.schedule.rawValue {
        for call in schedule.phases.flatMap(\.groups).flatMap(\.calls) {
          let cost = Self.cost(of: call, in: program)
          let seconds = GPULimits.all.map { Double(run.count) * $0.seconds(cost) }
          let kind = program.kernels[call.kernel.index].body.kind
          let row = kinds.firstIndex { $0.name == kind } ?? kinds.count
          if row == kinds.count { kinds.append(Row(name: kind)) }
          func add(to row: inout Row) {
            row.cost = row.cost + Double(run.count) * cost
            row.seconds = zip(row.seconds, seconds).map(+)
          }
          add(to: &kinds[row])
          add(to: &kernels[call.kernel.index])
          let name = Manifest.pattern(program.manifest.calls[call.description].name)
          kernels[call.kernel.index].name = "k\(call.kernel.index)_\(kind) \(name)"
        }
      }
    }
    self.kinds = kinds
    self.kernels = kernels.filter { !$0.name.isEmpty }.sorted { $0.seconds.reduce(0, +) > $1.seconds.reduce(0, +) }
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
    let seconds = GPULimits.all.indices.map { gpu in kinds.reduce(0) { $0 + $1.seconds[gpu] } }
    let total = Row(name: "all", cost: kinds.reduce(LaunchCost()) { $0 + $1.cost }, seconds: seconds)
    let columns = ["launches", "GB", "GFLOP", "on tensor cores"] + GPULimits.all.map { "\($0.name), ms" }
    var lines = ["", "kernels of a step, by what their launches take at least", line(columns + ["kernel"])]
    lines += kernels.map { line(numbers($0) + [$0.name]) }
    lines += ["", "launches of a step", line(columns + ["kind"])]
    lines += (kinds + [total]).map { line(numbers($0) + [$0.name]) }
    lines.append(
      "milliseconds: each launch's arithmetic at \(percent(GPULimits.arithmeticShare)) of the peak or its bytes at "
        + "\(percent(GPULimits.bandwidthShare)) of the bandwidth, whichever takes longer")
    lines.append(
      "images a second: " + zip(GPULimits.all, seconds).map { "\($0.name) \(Int(Double(batch) / $1))" }.joined(separator: ", "))
    return lines.joined(separator: "\n") + "\n"
  }

  private func percent(_ share: Double) -> String { "\(Int((100 * share).rounded())) %" }

  private func numbers(_ row: Row) -> [String] {
    let cost = row.cost
    let amounts = [cost.bytes, cost.tensorFlops + cost.otherFlops, cost.tensorFlops].map { $0 / 1e9 }
    return ["\(Int(cost.launches))"] + (amounts + row.seconds.map { 1e3 * $0 }).map { String(format: "%.2f", $0) }
  }

  /// Columns aligned at their right ends, but for the last one, which is a name.
  private func line(_ columns: [String]) -> String {
    columns.dropLast().map { String(repeating: " ", count: max(0, 16 - $0.count)) + $0 }.joined() + "  " + (columns.last ?? "")
  }
}
