/// Takes down what one thread does in one run of a schedule.
struct ThreadNotes {
  private let times: KernelTimeCounters?
  private let timeline: Timeline?
  private let thread: Int

  /// Notes for `times` and `timeline`, or nil where nobody wants any.
  init?(times: KernelTimeCounters?, timeline: Timeline?, thread: Int) {
    if times == nil && timeline == nil { return nil }
    self.times = times
    self.timeline = timeline
    self.thread = thread
  }

  /// Notes a call in `task`.
  @inline(__always)
  func call(_ description: Int, from start: UInt64, to end: UInt64, task: SchedulePlan.Task, phase: Int) {
    times?.add(end - start, description: description, thread: thread)
    timeline?.note(
      Timeline.Event(
        start: start, end: end, description: Int32(truncatingIfNeeded: description), phase: Int32(truncatingIfNeeded: phase),
        chunk: Int32(truncatingIfNeeded: task.chunk), begin: Int32(truncatingIfNeeded: task.begin),
        count: Int32(truncatingIfNeeded: task.end - task.begin), units: Int32(truncatingIfNeeded: task.units)), thread: thread)
  }

  /// Notes how long `body` takes as a wait at the end of `phase`.
  @inline(__always)
  func wait(phase: Int, _ body: () -> Void) {
    let start = Clock.nanoseconds
    body()
    let end = Clock.nanoseconds
    times?.addWait(end - start, thread: thread)
    timeline?.note(
      Timeline.Event(
        start: start, end: end, description: nil, phase: Int32(truncatingIfNeeded: phase), chunk: 0, begin: 0, count: 0, units: 0),
      thread: thread)
  }
}
