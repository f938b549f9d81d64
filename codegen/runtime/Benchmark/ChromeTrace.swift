import WaMIMManifest

/// A timeline as Chrome's tracing and Perfetto read it: a track for each thread, one event for each call, wait and step.
struct ChromeTrace {
  private let timeline: Timeline
  private let calls: [Manifest.Call]
  /// Names and kinds of the entries of `calls`, as JSON.
  private let names: [String]
  private let kinds: [String]
  /// The layers that they come from, as JSON.
  private let layers: [String]
  /// The clock when the first event began.
  private let origin: UInt64

  init(_ timeline: Timeline, of manifest: Manifest) throws(TrainerError) {
    calls = manifest.calls
    self.timeline = timeline
    var names: [String] = []
    var kinds: [String] = []
    var layers: [String] = []
    for call in calls {
      names.append(try JSON.encode(call.name))
      kinds.append(try JSON.encode(call.kind))
      layers.append(try JSON.encode(manifest.layers(of: call)))
    }
    self.names = names
    self.kinds = kinds
    self.layers = layers
    let first = (0..<timeline.threadCount).compactMap { timeline.events(ofThread: $0).first?.start }
    origin = (first + timeline.spans.map(\.start)).min() ?? 0
  }

  /// Writes the events, and lets the file have its name.
  func write(to output: ReplacedFile) throws(TrainerError) {
    let file = output.file
    try file.write("{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n")
    try file.write("{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":1,\"args\":{\"name\":\"train\"}}")
    for thread in 0..<timeline.threadCount {
      try file.write(
        ",\n{\"name\":\"thread_name\",\"ph\":\"M\",\"pid\":1,\"tid\":\(thread),\"args\":{\"name\":\"thread \(thread)\"}}")
    }
    for span in timeline.spans {
      try file.write(",\n" + event(try JSON.encode(span.name), "\"step\"", thread: 0, from: span.start, to: span.end, "{}"))
    }
    for thread in 0..<timeline.threadCount { try write(thread, to: file) }
    try file.write("\n]}\n")
    try output.commit()
  }

  /// Writes what a thread did, many events at a time.
  private func write(_ thread: Int, to file: OpenFile) throws(TrainerError) {
    var text = ""
    for noted in timeline.events(ofThread: thread) {
      text += ",\n" + line(noted, thread)
      if text.utf8.count > 1 << 16 {
        try file.write(text)
        text = ""
      }
    }
    try file.write(text)
  }

  private func line(_ noted: Timeline.Event, _ thread: Int) -> String {
    guard let index = noted.description.map({ Int($0) }), index < calls.count else {
      return event("\"barrier\"", "\"waiting\"", thread: thread, from: noted.start, to: noted.end, "{\"phase\":\(noted.phase)}")
    }
    let flops = calls[index].flops * Int(noted.count) / max(1, Int(noted.units))
    return event(
      names[index], kinds[index], thread: thread, from: noted.start, to: noted.end,
      "{\"kernel\":\"k\(calls[index].kernel)\",\"phase\":\(noted.phase),\"chunk\":\(noted.chunk),"
        + "\"units\":\"\(noted.begin)..<\(noted.begin + noted.count) of \(noted.units)\",\"flops\":\(flops),"
        + "\"layers\":\(layers[index])}")
  }

  /// An event, its name and category as JSON.
  private func event(
    _ name: String, _ category: String, thread: Int, from start: UInt64, to end: UInt64, _ arguments: String
  ) -> String {
    "{\"name\":\(name),\"cat\":\(category),\"ph\":\"X\",\"pid\":1,\"tid\":\(thread),\"ts\":\(microseconds(start - origin)),"
      + "\"dur\":\(microseconds(end - start)),\"args\":\(arguments)}"
  }

  /// Nanoseconds as the microseconds that the format wants, to the last digit.
  private func microseconds(_ nanoseconds: UInt64) -> String {
    let rest = String(nanoseconds % 1000)
    return "\(nanoseconds / 1000).\(String(repeating: "0", count: 3 - rest.utf8.count))\(rest)"
  }
}

extension Manifest {
  /// The paths of the layers that a call comes from, the one with the most work first, each once.
  fileprivate func layers(of call: Call) -> [String] {
    var seen: Set<Int> = []
    return call.origins.entries.map(\.layer).filter { origins.layers.indices.contains($0) && seen.insert($0).inserted }
      .map { origins.layers[$0] }
  }
}
