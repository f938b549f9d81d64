import WaMIMGraph

extension Tensor {
  /// The squared error against `target` [batch, channels, side, side]: its mean over channels, averaged over hidden positions.
  ///
  /// Positions are weighted by the mask brought to the target's grid: sum(error · m) / sum(m). Where no position spans several
  /// patches, that is the mean over the hidden patches, and nothing else is compared. The prediction, the target and the loss
  /// become the outputs `prediction.K`, `target.K` and `loss.K`, where K counts the calls.
  public func meanSquaredError(_ target: Tensor, on mask: Mask, file: String = #fileID, line: Int = #line) -> Tensor {
    error(against: target, on: mask, file, line) { $0 * $0 }
  }

  /// The absolute error against `target` [batch, channels, side, side], averaged and kept as `meanSquaredError` is.
  public func meanAbsoluteError(_ target: Tensor, on mask: Mask, file: String = #fileID, line: Int = #line) -> Tensor {
    error(against: target, on: mask, file, line) { $0.maximum(-$0) }
  }

  /// What `measure` makes of the differences to `target`, averaged over what `mask` hides.
  private func error(
    against target: Tensor, on mask: Mask, _ file: String, _ line: Int, by measure: (Tensor) -> Tensor
  ) -> Tensor {
    builder.located(file, line) {
      guard shape == target.shape, shape.rank == 4, shape[2] == shape[3] else {
        builder.fail("a prediction \(type) cannot be compared with a target \(target.type)")
        return self
      }
      let cells = shape[2]
      guard cells > 0, cells.isMultiple(of: mask.grid) || mask.grid.isMultiple(of: cells) else {
        builder.fail("a mask of \(mask.grid) × \(mask.grid) patches does not fit a target of \(cells) × \(cells)")
        return self
      }
      let notes = builder[PredictionNotes.self]
      // The fewer tokens a row has to do with, the fewer are computed.
      let mask = notes.masks[value] ?? (notes.tokenMaps.contains(value) ? mask.refined(toFit: cells) : mask)
      let loss = cells >= mask.grid ? hiddenPatchError(target, mask, measure) : weightedError(target, mask, cells, measure)
      builder.recordPrediction(self, target: target, loss: loss)
      return loss
    }
  }

  /// The mean error over the hidden patches, each of which holds as many positions as any other.
  private func hiddenPatchError(_ target: Tensor, _ mask: Mask, _ measure: (Tensor) -> Tensor) -> Tensor {
    let predicted = patches(grid: mask.grid).gathered(mask.hiddenIndices)
    let difference = predicted - target.patches(grid: mask.grid).gathered(mask.hiddenIndices)
    let count = Swift.max(1, difference.shape.count)
    return measure(difference).sum([2]).total() * (1 / Float(count))
  }

  /// The mean error over channels, averaged over `cells` · `cells` positions by the share of hidden pixels under each.
  private func weightedError(_ target: Tensor, _ mask: Mask, _ cells: Int, _ measure: (Tensor) -> Tensor) -> Tensor {
    let weights = mask.scaled(to: cells)
    let difference = self - target
    let errors = measure(difference).mean([1]).reshaped(weights.shape)
    // Every sample hides as many patches as any other, so what the weights add up to is known.
    let patchesOfCell = (mask.grid / cells) * (mask.grid / cells)
    let total = Float(shape[0] * (mask.grid * mask.grid - mask.visibleCount)) / Float(patchesOfCell)
    return (errors * weights).total() / Swift.max(total, .leastNormalMagnitude)
  }

  /// Maps [batch, channels, side, side] cut into `grid` · `grid` patches, each one row of its positions and their channels.
  private func patches(grid: Int) -> Tensor {
    let (batch, channels, cells) = (shape[0], shape[1], shape[2] / grid)
    return reshaped([batch, channels, grid, cells, grid, cells])
      .transposed([0, 2, 4, 3, 5, 1])
      .reshaped([batch, grid * grid, cells * cells * channels])
  }

  /// The sum of `losses`, each times its weight.
  public static func weightedSum(_ losses: [Tensor], _ weights: [Double], in builder: GraphBuilder) -> Tensor {
    guard losses.count == weights.count, let first = losses.first else {
      builder.fail("\(losses.count) losses need as many weights, not \(weights.count)")
      return losses.first ?? builder.constant(0)
    }
    let weighted = zip(losses, weights).map { $0 * Float($1) }
    return weighted.dropFirst().reduce(first * Float(weights[0]), +)
  }
}

extension GraphBuilder {
  /// Keeps what a loss compares, and the loss, as outputs numbered by the calls.
  func recordPrediction(_ prediction: Tensor, target: Tensor, loss: Tensor) {
    let index = self[PredictionNotes.self].targets.count
    guard index < PredictionNotes.largestCount else {
      return fail("the model compares more than \(PredictionNotes.largestCount) predictions: does a loop run away?")
    }
    output("prediction.\(index)", prediction)
    output("target.\(index)", target)
    output("loss.\(index)", loss)
    self[PredictionNotes.self].targets.append(self[PredictionNotes.self].origins[target.value])
  }
}
