import WaMIMGraph

/// The sum of `contributions` to the gradient of one value.
///
/// Contributions that are slices of the gradient, side by side among zeros, are laid next to each other instead of added up.
/// - Requires: there is at least one contribution.
func sum(of contributions: [Tensor], in builder: GraphBuilder) -> Tensor {
  let padded = contributions.map { PaddedSlice($0) }
  let axes = Set(padded.compactMap { $0?.axis }).sorted()
  var terms = zip(contributions, padded).filter { $0.1 == nil }.map(\.0)
  for axis in axes {
    let slices = padded.compactMap { $0 }.filter { $0.axis == axis }.sorted { $0.start < $1.start }
    if slices.count > 1, !zip(slices, slices.dropFirst()).contains(where: { $0.end > $1.start }) {
      terms.append(joined(slices, axis: axis, in: builder))
    } else {
      terms += slices.map(\.padded)
    }
  }
  return terms.dropFirst().reduce(terms[0], +)
}

/// A contribution that covers a range of one axis and is zero elsewhere.
private struct PaddedSlice {
  /// The contribution, zeros included.
  var padded: Tensor
  /// The contribution without the zeros.
  var content: Tensor
  var axis: Int
  var start: Int

  /// Where along the axis the content ends.
  var end: Int { start + content.shape[axis] }

  init?(_ contribution: Tensor) {
    let node = contribution.builder.graph[contribution.value]
    guard case .pad(let axis, let start, _, 1) = node.operation else { return nil }
    padded = contribution
    content = contribution.builder.tensor(node.operands[0])
    (self.axis, self.start) = (axis, start)
  }
}

/// Disjoint slices in ascending order, with zeros in the gaps between them.
private func joined(_ slices: [PaddedSlice], axis: Int, in builder: GraphBuilder) -> Tensor {
  let whole = slices[0].padded.shape
  var pieces: [Tensor] = []
  var end = 0
  func fill(to start: Int) {
    guard start > end else { return }
    var gap = whole
    gap[axis] = start - end
    pieces.append(builder.constant(0, gap))
  }
  for slice in slices {
    fill(to: slice.start)
    pieces.append(slice.content)
    end = slice.end
  }
  fill(to: whole[axis])
  return .concatenated(pieces, axis: axis, in: builder)
}
