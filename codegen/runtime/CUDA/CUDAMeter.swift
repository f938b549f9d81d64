import CCUDA
import WaMIMManifest

/// Times calls on a GPU, one after the other.
final class CUDAMeter {
  /// What has been measured, or nil where nothing is being measured.
  private(set) var times: KernelTimes?
  /// Where each call is noted, or nil.
  var timeline: Timeline?
  /// A moment before each call, and one after the last.
  private var events: [CUDAEvent] = []

  /// Whether calls have to be timed.
  var isNeeded: Bool { times != nil || timeline != nil }

  /// Measures from now on, beginning at zero.
  func start(descriptions: Int) {
    times = KernelTimes(
      calls: [KernelTimes.Entry](repeating: KernelTimes.Entry(), count: descriptions), waiting: KernelTimes.Entry())
  }

  /// Makes the calls of `part`, and notes how long each has taken.
  func run(_ part: CUDASchedule.Part, on stream: CUDAStream) throws(TrainerError) {
    while events.count <= part.calls.count { events.append(try CUDAEvent(on: stream.context)) }
    try stream.wait(for: "compute a step")
    let start = Clock.nanoseconds
    try events[0].record(in: stream)
    for (index, call) in part.calls.enumerated() {
      for launch in call.launches { try launch.run(on: stream) }
      try events[index + 1].record(in: stream)
    }
    try stream.wait(for: "compute a step")
    for (index, call) in part.calls.enumerated() {
      let begin = try events[index].nanoseconds(since: events[0])
      let end = try events[index + 1].nanoseconds(since: events[0])
      note(call, from: start + begin, to: start + max(begin, end))
    }
  }

  private func note(_ call: CUDASchedule.Call, from start: UInt64, to end: UInt64) {
    let description = Int(call.call.description)
    if let times, description < times.calls.count {
      self.times?.calls[description].calls += 1
      self.times?.calls[description].nanoseconds += end - start
    }
    timeline?.note(
      Timeline.Event(
        start: start, end: end, description: Int32(clamping: description), phase: Int32(clamping: call.phase), chunk: 0, begin: 0,
        count: Int32(clamping: call.units), units: Int32(clamping: call.units)), thread: 0)
  }
}
