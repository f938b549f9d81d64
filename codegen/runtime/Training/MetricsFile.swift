/// The lines of a metrics.jsonl, of which only the last ones are read: a run of months has millions.
struct MetricsFile {
  /// Bytes up to the end of the last line of a step that is asked for; what comes after it is of later steps, or no whole line.
  let end: Int
  /// Bytes of the whole file.
  let byteCount: Int
  /// Whether the run was evaluated after the step.
  let isValidated: Bool

  /// A line that is longer than this is none of ours.
  private static let longestLine = 1 << 20
  private static let chunk = 1 << 16

  /// Looks for the lines up to `step` in the file at `path`, from its end backwards, as lines are in the order of their steps; a file that
  /// is not there has none.
  init(_ path: String, upTo step: Int) throws(TrainerError) {
    guard FileSystem.kind(of: path) == .file else {
      (end, byteCount, isValidated) = (0, 0, false)
      return
    }
    let file = try OpenFile(reading: path)
    var end = 0
    var isValidated = false
    try Self.visitLinesBackwards(file) { line, lineEnd in
      guard let known = Self.step(of: line), known <= step else { return true }
      end = max(end, lineEnd)
      let isEvaluation = [#""validation_loss":"#, #""knn_accuracy":"#].contains { Self.range(of: $0, in: line) != nil }
      isValidated = isValidated || known == step && isEvaluation
      return known == step
    }
    (self.end, byteCount, self.isValidated) = (end, file.byteCount, isValidated)
  }

  /// Calls `visit` with each line that ends in a line break and the offset after that, the last one first, until it returns false.
  private static func visitLinesBackwards(
    _ file: OpenFile, _ visit: (ArraySlice<UInt8>, Int) -> Bool
  ) throws(TrainerError) {
    // The bytes from `start` on that have not been visited yet, up to `lineEnd`.
    var bytes: [UInt8] = []
    var start = file.byteCount
    var lineEnd: Int?
    while start > 0 {
      let count = min(chunk, start)
      start -= count
      bytes = try file.bytes(at: start, count: count) + bytes
      while let index = bytes.lastIndex(of: UInt8(ascii: "\n")) {
        if let lineEnd, !visit(bytes[(index + 1)...], lineEnd) { return }
        lineEnd = start + index + 1
        bytes.removeSubrange(index...)
      }
      if bytes.count > longestLine { bytes.removeAll() }
    }
    if let lineEnd { _ = visit(bytes[...], lineEnd) }
  }

  /// The step that a line is of, or nil where it is none of ours; without a parser, as there may be millions.
  private static func step(of line: ArraySlice<UInt8>) -> Int? {
    guard line.first == UInt8(ascii: "{"), line.last == UInt8(ascii: "}"), let name = range(of: #""step":"#, in: line) else {
      return nil
    }
    let digits = line[name.upperBound...].prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    return Int(String(decoding: digits, as: UTF8.self))
  }

  /// Where `text` is in `line` first.
  private static func range(of text: StaticString, in line: ArraySlice<UInt8>) -> Range<Int>? {
    let count = text.utf8CodeUnitCount
    return line.withUnsafeBufferPointer { bytes in
      let starts = 0..<max(0, bytes.count - count + 1)
      return starts.first { start in (0..<count).allSatisfy { bytes[start + $0] == text.utf8Start[$0] } }
    }.map { line.startIndex + $0..<line.startIndex + $0 + count }
  }
}
