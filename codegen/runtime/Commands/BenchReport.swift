import CProgram
import WaMIMManifest

/// The table that `bench` prints: where the time of a step goes.
struct BenchReport {
  let result: BenchResult
  let model: TrainedModel

  /// One row: the calls of one entry of the manifest's table.
  private struct Row {
    var call: Manifest.Call
    var calls: Int
    /// Seconds a step, added over threads.
    var seconds: Double
  }

  func print() {
    let manifest = model.program.manifest
    let mean = result.stepSeconds.reduce(0, +) / Double(result.stepSeconds.count)
    let median = result.stepSeconds.sorted()[result.stepSeconds.count / 2]
    let rounds = model.program.microBatches
    let flops = OptimizerStep.schedules(model.program, batches: 1).reduce(0) {
      $0 + ($1 == "update" ? 1 : rounds) * manifest.flops(schedule: $1, of: model.program)
    }
    Console.print(
      "model        \(manifest.model), batch \(manifest.batchText), \(model.executor.threadCount) threads")
    Console.print(
      "step         \(Format.fixed(mean * 1e3, decimals: 2)) ms mean, \(Format.fixed(median * 1e3, decimals: 2)) ms median of "
        + "\(result.stepSeconds.count)")
    Console.print("images/s     \(Format.fixed(result.imagesPerSecond, decimals: 2))")
    Console.print("GFLOP/s      \(Format.fixed(Double(flops) / mean * 1e-9, decimals: 1))")
    Console.print("peak memory  \(Format.bytes(result.peakResidentBytes))")
    Console.print("loss         \(Format.fixed(result.loss, decimals: 5))")
    Console.print("")
    printTable(stepSeconds: mean)
  }

  /// Prints kinds of kernels in total, and then every kernel, the slowest first.
  private func printTable(stepSeconds: Double) {
    let rows = rows()
    let available = stepSeconds * Double(model.executor.threadCount)
    Console.print(line("kernel", "kind", "calls", "ms", "share", "GFLOP/s", "GB/s"))
    for kind in Set(rows.map(\.call.kind)).sorted() {
      let members = rows.filter { $0.call.kind == kind }
      print(
        Row(
          call: Manifest.Call(
            name: "all", kind: kind, flops: members.reduce(0) { $0 + $1.call.flops },
            bytes: members.reduce(0) { $0 + $1.call.bytes }),
          calls: members.reduce(0) { $0 + $1.calls }, seconds: members.reduce(0) { $0 + $1.seconds }), available: available)
    }
    let busy = rows.reduce(0) { $0 + $1.seconds }
    let idle = max(0, available - busy)
    Console.print(
      line("(waiting at barriers)", "", "", Format.fixed(idle * 1e3, decimals: 2), percent(idle / available), "", ""))
    Console.print("")
    for row in rows.sorted(by: { $0.seconds > $1.seconds }) { print(row, available: available) }
  }

  private func rows() -> [Row] {
    guard let times = model.executor.times else { return [] }
    let steps = result.stepSeconds.count
    return model.program.manifest.calls.enumerated().compactMap { index, call in
      let entry = times[index]
      guard entry.calls > 0 else { return nil }
      return Row(call: call, calls: entry.calls / steps, seconds: Double(entry.nanoseconds) * 1e-9 / Double(steps))
    }
  }

  private func print(_ row: Row, available: Double) {
    // Seconds are added over threads, so rates are those of one thread.
    let rate = row.seconds > 0 ? 1e-9 / row.seconds : 0
    Console.print(
      line(
        row.call.name, row.call.kind, "\(row.calls)", Format.fixed(row.seconds * 1e3, decimals: 2),
        percent(row.seconds / available),
        Format.fixed(Double(row.call.flops) * rate, decimals: 1), Format.fixed(Double(row.call.bytes) * rate, decimals: 1)))
  }

  private func percent(_ share: Double) -> String { "\(Format.fixed(100 * share, decimals: 1)) %" }

  private func line(
    _ name: String, _ kind: String, _ calls: String, _ milliseconds: String, _ share: String, _ flops: String, _ bytes: String
  ) -> String {
    Format.left(name, width: 44) + " " + Format.left(kind, width: 12) + Format.right(calls, width: 8)
      + Format.right(milliseconds, width: 11) + Format.right(share, width: 9) + Format.right(flops, width: 9)
      + Format.right(bytes, width: 8)
  }
}

extension Manifest {
  /// The number of samples in a batch, and how they are taken.
  var batchText: String {
    let parts = batch / microBatch
    return parts > 1 ? "\(batch) in \(parts) micro-batches of \(microBatch)" : "\(batch)"
  }

  /// Multiplications and additions in one run of the schedule `name`: those of every entry of the table that its calls name.
  func flops(schedule name: String, of program: Program) -> Int {
    guard let index = schedules.firstIndex(where: { $0.name == name }), index < program.schedules.count else { return 0 }
    return program.descriptions(ofSchedule: index).reduce(0) { $0 + ($1 < calls.count ? calls[$1].flops : 0) }
  }
}

extension Program {
  /// The entries of the manifest's table that the calls of a schedule name.
  fileprivate func descriptions(ofSchedule index: Int) -> Set<Int> {
    var result: Set<Int> = []
    let schedule = schedules[index]
    for phase in UnsafeBufferPointer(start: schedule.phases, count: Int(schedule.phase_count)) {
      for group in UnsafeBufferPointer(start: phase.groups, count: Int(phase.group_count)) {
        for call in UnsafeBufferPointer(start: group.calls, count: Int(group.call_count)) { result.insert(Int(call.description)) }
      }
    }
    return result
  }
}
