import WaMIMManifest

extension Program {
  /// Multiplications and additions in one run of the schedule for `role`: all, and those in matrix products and attention.
  func flops(schedule role: ScheduleRole) -> (all: Int, products: Int) {
    guard let index = manifest.schedules.firstIndex(where: { $0.role == role }), index < schedules.count else { return (0, 0) }
    let calls = descriptions(ofSchedule: index).compactMap { manifest.calls.indices.contains($0) ? manifest.calls[$0] : nil }
    return (calls.reduce(0) { $0 + $1.flops }, calls.reduce(0) { $0 + $1.productFlops })
  }

  /// Multiplications and additions of one of `processes` processes in a step on `batches` batches each.
  func flopsOfStep(batches: Int = 1, processes: Int = 1) -> (all: Int, products: Int) {
    manifest.stepRuns(batches: batches, processes: processes).reduce(into: (0, 0)) { sum, run in
      let flops = flops(schedule: run.schedule)
      sum.0 += run.count * flops.all
      sum.1 += run.count * flops.products
    }
  }

  /// How often a step on one batch runs what each entry of the manifest's table describes.
  func runsOfCalls() -> [Int: Int] {
    var runs: [Int: Int] = [:]
    for run in manifest.stepRuns() {
      guard let index = manifest.schedules.firstIndex(where: { $0.role == run.schedule }) else { continue }
      for description in descriptions(ofSchedule: index) { runs[description, default: 0] += run.count }
    }
    return runs
  }

  /// The entries of the manifest's table that the calls of a schedule name.
  private func descriptions(ofSchedule index: Int) -> Set<Int> {
    var result: Set<Int> = []
    for group in schedules[index].allPhases.lazy.flatMap(\.allGroups) {
      for call in UnsafeBufferPointer(start: group.calls, count: Int(group.call_count)) { result.insert(Int(call.description)) }
    }
    return result
  }
}
