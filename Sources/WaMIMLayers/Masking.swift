import WaMIMGraph

/// Which patches of each sample are hidden, drawn anew in every step.
public struct Mask {
  /// The side of a patch, in pixels.
  public var patch: Int
  /// The number of patches along each side of an image.
  public var grid: Int
  /// How many patches of a sample stay visible.
  public var visibleCount: Int
  /// The indices of all patches in the grid, the visible ones first, i32 [batch, patches].
  public var order: Tensor
  /// The indices of the visible patches in the grid, i32 [batch, visible].
  public var visible: Tensor
  /// The indices of the hidden patches in the grid, i32 [batch, patches - visible].
  public var hiddenIndices: Tensor
  /// For each position in the grid, its row when visible patches come first, i32 [batch, patches].
  public var restore: Tensor
  /// 1 for hidden patches and 0 for visible ones, f32 [batch, patches].
  public var hidden: Tensor
}

extension GraphBuilder {
  /// Hides `ratio` of the patches of each image, at random: MAE's masking (arXiv 2111.06377, section 3).
  ///
  /// Each patch gets a uniform number; the patches with the lowest ones, floor(patches · (1 - ratio)) of them, stay visible. A mask that is
  /// shared hides the same patches of all images.
  public func randomMask(
    of images: Tensor, patch: Int, ratio: Double, isShared: Bool = false, file: String = #fileID, line: Int = #line
  ) -> Mask {
    located(file, line) {
      guard images.shape.rank == 4, patch > 0, images.shape[2] == images.shape[3], images.shape[2] % patch == 0 else {
        fail("patches of \(patch) × \(patch) do not divide square images, but the images are \(images.type)")
        return standInMask(images)
      }
      let (batch, grid) = (images.shape[0], images.shape[2] / patch)
      let patches = grid * grid
      guard ratio > 0, ratio < 1 else {
        fail("the ratio of hidden patches has to be between 0 and 1, but is \(ratio)")
        return standInMask(images)
      }
      let visibleCount = Int(Double(patches) * (1 - ratio))
      guard visibleCount >= 1 else {
        fail("a ratio of \(ratio) leaves none of the \(patches) patches visible")
        return standInMask(images)
      }
      let drawn = input("noise", [isShared ? 1 : batch, patches], from: .random(samples: isShared ? nil : 0))
      let noise = isShared ? drawn.broadcast(to: [batch, patches]) : drawn
      let restore = add(.rank, [noise])
      let shuffle = add(.invertPermutation, [restore])
      let mask = Mask(
        patch: patch, grid: grid, visibleCount: visibleCount, order: shuffle,
        visible: shuffle.sliced(1, 0..<visibleCount), hiddenIndices: shuffle.sliced(1, visibleCount..<patches), restore: restore,
        hidden: restore.converted(to: .float32).atLeast(constant(Float(visibleCount))))
      output("mask", mask.hidden)
      return mask
    }
  }

  /// Something to go on with after a mistake.
  private func standInMask(_ images: Tensor) -> Mask {
    Mask(patch: 1, grid: 1, visibleCount: 1, order: images, visible: images, hiddenIndices: images, restore: images, hidden: images)
  }
}

extension Mask {
  /// The same mask by patches of which `side` · `side` make up one of this mask's, those of one following each other quarter by quarter.
  ///
  /// - Requires: `side` is a power of two that divides the patch's side.
  public func refined(by side: Int) -> Mask {
    guard side > 1 else { return self }
    let (builder, fine) = (order.builder, grid * side)
    let finer = builder.add(.finerIndices(grid: grid, side: side), [order])
    let count = visibleCount * side * side
    return Mask(
      patch: patch / side, grid: fine, visibleCount: count, order: finer, visible: finer.sliced(1, 0..<count),
      hiddenIndices: finer.sliced(1, count..<fine * fine), restore: builder.add(.invertPermutation, [finer]),
      hidden: scaled(to: fine))
  }

  /// The same mask by the cells of a grid of `cells` × `cells` where doublings lead there, else by its own patches.
  func refined(toFit cells: Int) -> Mask {
    let side = cells % grid == 0 ? cells / grid : 1
    return side.nonzeroBitCount == 1 && patch % side == 0 ? refined(by: side) : self
  }

  /// The share of hidden pixels under each cell of a grid of `cells` × `cells`: [batch, cells · cells].
  ///
  /// A finer grid repeats the mask; a cell of a coarser one holds the mean of its patches.
  public func scaled(to cells: Int) -> Tensor {
    let batch = hidden.shape[0]
    if cells == grid { return hidden }
    if cells > grid {
      let factor = cells / grid
      return hidden.reshaped([batch, grid, 1, grid, 1])
        .broadcast(to: [batch, grid, factor, grid, factor])
        .reshaped([batch, cells * cells])
    }
    let factor = grid / cells
    return hidden.reshaped([batch, cells, factor, cells, factor]).mean([2, 4]).reshaped([batch, cells * cells])
  }
}

extension Tensor {
  /// Tokens [batch, side · side, width], line by line, with a learned one, `mask_token`, in the place of those that `mask` hides.
  func replaced(hiddenIn mask: Mask) -> Tensor {
    let side = Int(Double(shape[1]).squareRoot().rounded())
    guard side.isMultiple(of: mask.grid) else {
      builder.fail(
        "the mask's \(mask.grid) × \(mask.grid) patches hide no whole tokens of a grid of \(side) × \(side): choose a patch of the mask "
          + "that tokens tile")
      return self
    }
    let token = builder.parameter("mask_token", [1, 1, shape[2]], .normal(standardDeviation: 0.02))
    let hidden = mask.scaled(to: side).reshaped([shape[0], shape[1], 1])
    return self * (builder.constant(1) - hidden) + token * hidden
  }
}
