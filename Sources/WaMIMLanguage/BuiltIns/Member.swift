import WaMIMGraph
import WaMIMLayers

/// What a value has to give after a dot.
struct Member: Sendable {
  var name: String
  /// What has the member.
  var owner: ParameterKind
  var summary: String
  /// The member of a value, or nil where values of its kind have no such member.
  var value: @Sendable (Value) -> Value?

  /// Every member.
  static let all: [Member] = [
    Member(name: "shape", owner: .tensor, summary: "The extents of the axes, a list of integers.") { value in
      guard case .tensor(let tensor) = value else { return nil }
      return .list(tensor.shape.dimensions.map(Value.integer))
    },
    mask("hidden", "1 for hidden patches and 0 for visible ones, f32 [batch, patches].") { .tensor($0.hidden) },
    mask("order", "The indices of all patches in the grid, the visible ones first, i32 [batch, patches].") { .tensor($0.order) },
    mask("visible", "The indices of the visible patches in the grid, i32 [batch, visible].") { .tensor($0.visible) },
    mask("hidden_indices", "The indices of the hidden patches in the grid, i32 [batch, patches - visible].") {
      .tensor($0.hiddenIndices)
    },
    mask("restore", "For each position in the grid its row when visible patches come first, i32 [batch, patches].") {
      .tensor($0.restore)
    },
    mask("grid", "The number of patches along each side of an image.") { .integer($0.grid) },
    mask("patch", "The side of a patch, in pixels.") { .integer($0.patch) },
    mask("visible_count", "How many patches of a sample stay visible.") { .integer($0.visibleCount) },
  ]

  /// Names that members had once and that models may still use, with those of today.
  static let formerNames = ["hidden_places": "hidden_indices"]

  private static func mask(_ name: String, _ summary: String, _ member: @escaping @Sendable (Mask) -> Value) -> Member {
    Member(name: name, owner: .mask, summary: summary) { value in
      guard case .mask(let mask) = value else { return nil }
      return member(mask)
    }
  }
}
