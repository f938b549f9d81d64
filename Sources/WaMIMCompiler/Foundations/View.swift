import WaMIMGraph

/// Where the elements of a value lie: a strided window on the buffer of another value, or of itself.
package struct View: Hashable {
  /// The value that owns the buffer.
  package var root: ValueID
  /// Elements from the start of the buffer.
  package var offset: Int
  package var shape: Shape
  /// The elements from one index to the next along each axis; 0 where the same elements repeat.
  package var strides: [Int]

  /// A whole buffer in row-major order.
  package init(whole root: ValueID, shape: Shape) {
    self.root = root
    offset = 0
    self.shape = shape
    strides = shape.strides
  }

  /// Whether the elements lie in row-major order with nothing between them.
  var isContiguous: Bool {
    zip(zip(strides, shape.strides), shape.dimensions).allSatisfy { strides, extent in extent == 1 || strides.0 == strides.1 }
  }

  /// Whether neighbours along the last axis are neighbours in memory.
  var hasContiguousRows: Bool {
    shape.rank == 0 || shape[-1] == 1 || strides[shape.rank - 1] == 1
  }

  /// The strides along the loops around a row and along the row; what has one axis or none is one row.
  var loopStrides: [Int] {
    guard shape.rank > 1 else { return [0, shape.rank == 1 && shape[0] > 1 ? strides[0] : 0] }
    return zip(strides, shape.dimensions).map { $1 == 1 ? 0 : $0 }
  }

  /// The same elements with axis `permutation[i]` as axis `i`.
  package func transposed(_ permutation: [Int]) -> View {
    var view = self
    view.shape = Shape(permutation.map { shape[$0] })
    view.strides = permutation.map { strides[$0] }
    return view
  }

  /// Every `step`th element along one axis, `count` in all, from number `start` on.
  package func sliced(axis: Int, start: Int, count: Int, step: Int) -> View {
    var view = self
    view.offset += start * strides[axis]
    view.shape[axis] = count
    view.strides[axis] *= step
    return view
  }

  /// The same elements, repeated along axes of extent 1 and along those that `target` has in front of the shape's own.
  package func broadcast(to target: Shape) -> View {
    var view = self
    let added = target.rank - shape.rank
    view.shape = target
    view.strides = (0..<target.rank).map { axis in
      axis < added || shape[axis - added] != target[axis] ? 0 : strides[axis - added]
    }
    return view
  }

  /// The same elements in the same order under another shape, or nil where no strides can say that.
  package func reshaped(_ target: Shape) -> View? {
    var view = self
    view.shape = target
    view.strides = [Int](repeating: 0, count: target.rank)
    // Axes that lie evenly behind each other count as one; each such run has to be cut up again by axes of the target.
    var runs = mergedAxes()[...]
    var axis = target.rank - 1
    while let run = runs.popLast() {
      var (remaining, stride) = (run.extent, run.stride)
      while axis >= 0, remaining > 1 || target[axis] == 1 {
        guard remaining % target[axis] == 0 else { return nil }
        view.strides[axis] = target[axis] == 1 ? 0 : stride
        stride *= target[axis]
        remaining /= target[axis]
        axis -= 1
        if remaining == 1, axis < 0 || target[axis] != 1 { break }
      }
      guard remaining == 1 else { return nil }
    }
    while axis >= 0 {
      guard target[axis] == 1 else { return nil }
      axis -= 1
    }
    return view
  }

  /// The axes of extent above 1, neighbours merged where one stride describes both; outermost first.
  private func mergedAxes() -> [(extent: Int, stride: Int)] {
    var runs: [(extent: Int, stride: Int)] = []
    for axis in 0..<shape.rank where shape[axis] > 1 {
      if let last = runs.last, last.stride == strides[axis] * shape[axis] {
        runs[runs.count - 1] = (last.extent * shape[axis], strides[axis])
      } else {
        runs.append((shape[axis], strides[axis]))
      }
    }
    return runs
  }
}
