import WaMIMCompiler

extension RowKernel {
  /// The same work with its loops arranged so that rows are long and their elements neighbours.
  ///
  /// Only elementwise work can be rearranged: one stage that leaves no number behind and sums no rows. The loop over units stays as it is.
  func normalized(lanes: Int) -> RowKernel {
    guard outer.count > 1, stages.count == 1, let stage = stages.first, stage.extent == .elements, stage.results.isEmpty,
      !stage.stores.contains(where: \.sumsRows)
    else { return self }
    var loops = LoopOrder(extents: Array(outer.dropFirst()) + [width], order: Array(1...outer.count))
    loops.dropSingle()
    loops.moveBestInside(accesses: stage.accesses, stores: stage.stores.map(\.access), lanes: lanes)
    var result = self
    result.outer = [outer[0]] + loops.extents.dropLast()
    result.width = loops.extents.last ?? 1
    result.stages = [stage.mappingAccesses { $0.reordered([0] + loops.order) }]
    return result.merged()
  }

  /// Merges neighbouring loops, innermost first, where every access treats them as one.
  private func merged() -> RowKernel {
    var result = self
    var inner = outer.count
    while inner > 1 {
      let extents = result.outer + [result.width]
      let canMerge = result.stages.allSatisfy { stage in
        stage.accesses.allSatisfy { $0.canMerge(inner - 1, inner, extent: extents[inner]) }
      }
      if canMerge {
        var merged = extents
        merged[inner] *= extents[inner - 1]
        merged.remove(at: inner - 1)
        result.outer = Array(merged.dropLast())
        result.width = merged.last ?? 1
        result.stages = result.stages.map { $0.mappingAccesses { $0.removingLoop(inner - 1) } }
      }
      inner -= 1
    }
    return result
  }
}

/// Loops inside the one over units, by their numbers in the kernel.
private struct LoopOrder {
  var extents: [Int]
  var order: [Int]

  /// Drops loops that run once, except the last of all.
  mutating func dropSingle() {
    for loop in extents.indices.reversed() where extents[loop] == 1 && extents.count > 1 { remove(loop) }
  }

  /// Moves the loop inside that makes the cheapest vectors.
  mutating func moveBestInside(accesses: [Access], stores: [Access], lanes: Int) {
    func cost(_ loop: Int) -> Double {
      let each = accesses.map { $0.cost(along: order[loop]) }.reduce(0, +) + stores.map { $0.cost(along: order[loop]) }.reduce(0, +)
      let vectors = (extents[loop] + lanes - 1) / lanes
      return each * Double(vectors * lanes) / Double(extents[loop])
    }
    let canBeInside = extents.indices.filter { loop in accesses.allSatisfy { ($0.pick?.strides[order[loop]] ?? 0) == 0 } }
    guard let best = canBeInside.reversed().min(by: { cost($0) < cost($1) }), best != extents.count - 1 else { return }
    let (extent, loop) = (extents[best], order[best])
    remove(best)
    extents.append(extent)
    order.append(loop)
  }

  private mutating func remove(_ loop: Int) {
    extents.remove(at: loop)
    order.remove(at: loop)
  }
}

extension Access {
  /// What a vector along a loop costs: little where its elements are neighbours or all the same.
  fileprivate func cost(along loop: Int) -> Double {
    switch strides[loop] {
    case 0: 0.5
    case 1: 1
    default: 8
    }
  }

  /// Whether two neighbouring loops step through the array as one would.
  fileprivate func canMerge(_ outer: Int, _ inner: Int, extent: Int) -> Bool {
    guard strides[outer] == strides[inner] * extent else { return false }
    guard let pick else { return true }
    return pick.strides[outer] == pick.strides[inner] * extent
  }

  fileprivate func reordered(_ order: [Int]) -> Access {
    var access = self
    access.strides = order.map { strides[$0] }
    access.pick?.strides = order.map { pick?.strides[$0] ?? 0 }
    return access
  }

  fileprivate func removingLoop(_ loop: Int) -> Access {
    var access = self
    access.strides.remove(at: loop)
    access.pick?.strides.remove(at: loop)
    return access
  }
}
