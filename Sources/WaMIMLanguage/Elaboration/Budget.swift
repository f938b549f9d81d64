/// How much work a description may still ask for, so that loops and recursions that run away end soon.
struct Budget {
  /// Steps that any description may take.
  static let steps = 2_000_000
  /// The longest list.
  static let longestList = 100_000
  /// How deep calls of functions may nest.
  static let deepestCalls = 100
  /// How deep evaluation may nest, over all calls: what fits a small stack.
  static let deepestEvaluation = 1_000

  private var remaining: Int

  /// A budget for a text of `tokens` tokens.
  init(tokens: Int) {
    remaining = Budget.steps + 4 * tokens
  }

  /// Takes `count` steps at `position`.
  mutating func charge(_ count: Int = 1, at position: Position) throws {
    remaining -= count
    guard remaining >= 0 else {
      throw Mistake("the model takes more than \(Budget.steps) steps to expand: does a loop or a recursion run away?", at: position)
    }
  }

  /// Takes the steps that a list of `count` elements needs.
  mutating func chargeList(_ count: Int, at position: Position) throws {
    guard count <= Budget.longestList else {
      throw Mistake("a list has at most \(Budget.longestList) elements, not \(count)", at: position)
    }
    try charge(count, at: position)
  }
}
