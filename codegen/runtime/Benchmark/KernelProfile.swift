import WaMIMManifest

/// Where the time of a step goes, by kernels.
package struct KernelProfile: Sendable {
  /// Calls that are told as one.
  package struct Row: Sendable {
    /// Where in the model the calls come from, with `*` for the numbers in which they differ.
    package var name: String
    package var kind: String
    /// The kernel's number, or nil where the row is of several.
    package var kernel: Int?
    /// Calls in a step, each chunk's counted on its own.
    package var calls: Int
    /// Seconds in a step, added over threads.
    package var seconds: Double
    package var flops: Int
    package var bytes: Int

    package init(name: String, kind: String, kernel: Int?, calls: Int, seconds: Double, flops: Int, bytes: Int) {
      self.name = name
      self.kind = kind
      self.kernel = kernel
      self.calls = calls
      self.seconds = seconds
      self.flops = flops
      self.bytes = bytes
    }
  }

  /// Every call of the schedule that was made, in the manifest's order.
  package let calls: [Row]
  /// The same by layers and lines.
  package let origins: OriginProfile
  /// Seconds in a step that threads waited at barriers, added over threads.
  package let waiting: Double

  /// What `times` says of `steps` steps.
  init(_ times: KernelTimes, program: Program, steps: Int) {
    let runs = program.runsOfCalls()
    typealias Measured = (row: Row, origins: Manifest.Origins)
    let measured = zip(program.manifest.calls, times.calls).enumerated().compactMap { index, pair -> Measured? in
      let (call, entry) = pair
      guard entry.calls > 0 else { return nil }
      let row = Row(
        name: call.name, kind: call.kind, kernel: call.kernel, calls: entry.calls / steps,
        seconds: Double(entry.nanoseconds) * 1e-9 / Double(steps), flops: runs[index, default: 1] * call.flops,
        bytes: runs[index, default: 1] * call.bytes)
      return (row, call.origins)
    }
    calls = measured.map(\.row)
    origins = OriginProfile(measured, program.manifest.origins)
    waiting = Double(times.waiting.nanoseconds) * 1e-9 / Double(steps)
  }

  /// Seconds in a step that kernels took, added over threads.
  package var busy: Double { calls.reduce(0) { $0 + $1.seconds } }

  /// Calls of the same kernel for the same layer, whatever the numbers of its layers, taken together; slowest first.
  package var kernels: [Row] {
    gathered { Key(name: Manifest.pattern($0.name), kernel: $0.kernel) }
  }

  /// All kernels of a kind taken together, slowest first.
  package var kinds: [Row] {
    gathered { Key(name: $0.kind, kernel: nil) }.map { row in
      var row = row
      row.name = "all"
      row.kernel = nil
      return row
    }
  }

  private struct Key: Hashable {
    var name: String
    var kernel: Int?
  }

  private func gathered(by key: (Row) -> Key) -> [Row] {
    Dictionary(grouping: calls, by: key).map { key, members in
      var row = members[0]
      if Set(members.map(\.name)).count > 1 { row.name = key.name }
      row.calls = members.reduce(0) { $0 + $1.calls }
      row.seconds = members.reduce(0) { $0 + $1.seconds }
      row.flops = members.reduce(0) { $0 + $1.flops }
      row.bytes = members.reduce(0) { $0 + $1.bytes }
      return row
    }
    .sorted { ($1.seconds, $0.name, $0.kernel ?? 0) < ($0.seconds, $1.name, $1.kernel ?? 0) }
  }
}
