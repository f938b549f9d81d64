import WaMIMGraph

extension Graph {
  /// The graph with rows that are added up by index, and then over the samples, added up by index for up to `limit` samples at once.
  ///
  /// What a table that all samples share gets of them is such a sum. So the rows of zeros for each sample need not be written and read.
  ///
  /// - Throws: `GraphError` where the graph was not consistent.
  func withSamplesScatteredTogether(_ limit: Int) throws -> Graph {
    guard limit > 1 else { return self }
    let users = users()
    let roots = Set(roots)
    var rewriter = GraphRewriter(self)
    for value in values {
      let node = self[value]
      guard case .reduce(.sum, [0]) = node.operation, let scatter = node.operands.first, users[scatter.index] == [value],
        !roots.contains(scatter), let together = samplesTogether(scatter, limit)
      else {
        rewriter.copy(value)
        continue
      }
      let operands = try self[scatter].operands.map { operand in
        let shape = Shape([self[operand].type.shape[0] / together, together] + self[operand].type.shape.dimensions.dropFirst())
        return try rewriter.append(.reshape(shape: shape), [rewriter[operand]], like: self[scatter])
      }
      let sums = try rewriter.append(self[scatter].operation, operands, like: self[scatter])
      rewriter.replace(value, by: try rewriter.append(node.operation, [sums], like: node))
    }
    return rewriter.finish().withoutDeadCode()
  }

  /// The largest number of samples up to `limit` that divides those of `value`, where that is a sum by index of each; nil where it is 1.
  private func samplesTogether(_ value: ValueID, _ limit: Int) -> Int? {
    guard case .scatterAdd = self[value].operation, let rows = self[value].operands.first, self[rows].type.shape.rank == 3 else {
      return nil
    }
    let samples = self[rows].type.shape[0]
    let together = (1...max(1, min(limit, samples))).last { samples.isMultiple(of: $0) } ?? 1
    return together > 1 ? together : nil
  }
}
