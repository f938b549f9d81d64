/// Names of numbered files in the shell's notation, as `shard-{000000..000123}.tar` or `{train,val}.tar`.
enum BraceExpansion {
  /// More names than this are a slip of the finger.
  static let maximumCount = 1_000_000

  /// Every name that `pattern` stands for, in order; the pattern itself where it has no braces.
  static func expand(_ pattern: String) throws(TrainerError) -> [String] {
    guard let open = pattern.firstIndex(of: "{") else { return [pattern] }
    guard let close = pattern[open...].firstIndex(of: "}") else {
      throw TrainerError("\(pattern): a brace is opened and not closed; a range of numbers looks like {000000..000123}")
    }
    let head = String(pattern[..<open])
    let choices = try choices(String(pattern[pattern.index(after: open)..<close]), in: pattern)
    let tails = try expand(String(pattern[pattern.index(after: close)...]))
    guard choices.count * tails.count <= maximumCount else {
      throw TrainerError("\(pattern) stands for more than \(maximumCount) files")
    }
    return choices.flatMap { choice in tails.map { head + choice + $0 } }
  }

  /// What the text between two braces stands for: `A..B`, `A..B..STEP`, or a list with commas.
  private static func choices(_ text: String, in pattern: String) throws(TrainerError) -> [String] {
    guard text.contains("..") else {
      let alternatives = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
      guard alternatives.count > 1 else {
        throw TrainerError("\(pattern): {\(text)} is neither a range, such as {000000..000123}, nor a list, such as {a,b}")
      }
      return alternatives
    }
    let ends = text.split(separator: "..", omittingEmptySubsequences: false).map(String.init)
    let isDigits = { (text: String) in !text.isEmpty && text.allSatisfy { ("0"..."9").contains($0) } }
    guard (2...3).contains(ends.count), ends.allSatisfy(isDigits), let first = Int(ends[0]), let last = Int(ends[1]),
      let step = ends.count == 3 ? Int(ends[2]) : 1, step > 0, first.distance(to: last).magnitude / step.magnitude < maximumCount
    else {
      throw TrainerError("\(pattern): {\(text)} is not a range of numbers, such as {000000..000123}")
    }
    // Zeros in front say how many digits all numbers have.
    let isPadded = ends[..<2].contains { $0.count > 1 && $0.hasPrefix("0") }
    let width = isPadded ? max(ends[0].count, ends[1].count) : 0
    return stride(from: first, through: last, by: first <= last ? step : -step).map { number in
      String(repeating: "0", count: max(0, width - String(number).count)) + String(number)
    }
  }
}
