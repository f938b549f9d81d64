/// CUDA C++ that is being written, line by line.
struct SourceText {
  private(set) var text = ""
  /// What lies in shared memory.
  private(set) var shared: [CUDAFunction.SharedArray] = []
  private var depth = 1

  /// Declares an array of 4-byte elements in shared memory.
  mutating func share(_ element: String, _ name: String, _ extents: [Int]) {
    shared.append(CUDAFunction.SharedArray(element: element, name: name, extents: extents))
  }

  /// A line of its own.
  mutating func line(_ line: String) {
    text += line.isEmpty ? "\n" : String(repeating: "  ", count: depth) + line + "\n"
  }

  /// Lines that have been written elsewhere at the first depth.
  mutating func lines(_ text: String) {
    for line in text.split(separator: "\n", omittingEmptySubsequences: false).dropLast() { self.line(String(line.dropFirst(2))) }
  }

  /// `head` followed by braces around what `body` writes.
  mutating func block(_ head: String, end: String = "}", _ body: (inout SourceText) -> Void) {
    line(head.isEmpty ? "{" : head + " {")
    depth += 1
    body(&self)
    depth -= 1
    line(end)
  }

  /// A loop of a counter from `first` below `end` in steps.
  mutating func loop(
    _ counter: String, from first: String = "0", below end: String, by step: String = "1", _ body: (inout SourceText) -> Void
  ) {
    let next = step == "1" ? "++\(counter)" : "\(counter) += \(step)"
    block("for (int \(counter) = \(first); \(counter) < \(end); \(next))", body)
  }
}

/// `offset` plus each index times its stride, such as `3 + 64 * i0 + c`.
func affine(_ offset: Int, _ strides: [Int], _ indices: [String]) -> String {
  var terms: [String] = offset == 0 ? [] : ["\(offset)"]
  for (index, stride) in zip(indices, strides) where stride != 0 && index != "0" {
    terms.append(stride == 1 ? index : "\(stride) * \(index)")
  }
  return terms.isEmpty ? "0" : terms.joined(separator: " + ")
}

extension Float {
  /// The number as CUDA C++ reads it, with the same bits.
  var cuda: String {
    if isNaN { return "not_a_number()" }
    if isInfinite { return self > 0 ? "infinity()" : "-infinity()" }
    let text = "\(self)"
    return text + (text.contains(".") || text.contains("e") ? "f" : ".0f")
  }
}
