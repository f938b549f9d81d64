import WaMIMGraph

/// The index of a cluster in its clustering.
struct ClusterID: Hashable {
  var index: Int
}

/// The loops that a row kernel runs over: those around the rows, and the elements of a row.
struct Domain: Hashable {
  var outer: [Int]
  /// The elements of a row; nil while only numbers for whole rows are computed.
  var width: Int?

  /// The loops over a value of `shape`, whose last axis of extent 1 means a number for each row.
  init(_ shape: Shape) {
    outer = shape.rank > 1 ? Array(shape.dimensions.dropLast()) : [1]
    width = shape.rank == 0 || shape[-1] == 1 ? nil : shape[-1]
  }

  /// The loops that cover both, or nil where they differ.
  func joined(with other: Domain) -> Domain? {
    guard outer == other.outer, width == nil || other.width == nil || width == other.width else { return nil }
    var domain = self
    domain.width = width ?? other.width
    return domain
  }
}

/// Values that one kernel computes.
struct Cluster {
  /// The values, in the graph's order.
  var members: [ValueID]
  /// The loops of a row kernel, or of a matmul's epilogue; nil where nothing can join.
  var domain: Domain?
  /// The matmul that the members follow, itself a member.
  var head: ValueID?
  /// Whether the members belong to the forward pass; what gradients need and what updates make of them may share kernels.
  var isForward: Bool
}
