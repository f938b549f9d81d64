import WaMIMGraph

extension ViT {
  /// The tokens [batch, 1 + patches, dim] after the last block, the class token first, without a norm: what fine-tuning starts from.
  ///
  /// Nothing is hidden. A learned table of positions is the parameter `pos_embed`, timm's; neither it nor the class token decays (MAE's
  /// `main_finetune.py`). Layer-wise decay of the learning rate counts from the embedding, layer 0, to what follows the last block.
  public func callAsFunction(_ images: Tensor, file: String = #fileID, line: Int = #line) -> Tensor {
    let builder = images.builder
    return builder.located(file, line) {
      guard images.shape.rank == 4, patch > 0, images.shape[2] == images.shape[3], images.shape[2] % patch == 0 else {
        builder.fail("patches of \(patch) × \(patch) do not divide square images, but the images are \(images.type)")
        return images
      }
      guard checkSizes(builder) else { return images }
      let depths = StochasticDepth(rate: dropPath, blocks: depth, batch: images.shape[0], in: builder)
      var tokens = builder.grouped(layersAbove: depth + 1) { embed(images) }
      for index in 0..<depth where builder.error == nil {
        tokens = builder.grouped(layersAbove: depth - index) {
          TransformerBlock(heads: heads, epsilon: epsilon)(tokens, name: "blocks.\(index)", droppedBy: depths[index])
        }
      }
      return tokens
    }
  }

  private func embed(_ images: Tensor) -> Tensor {
    let builder = images.builder
    let (batch, grid) = (images.shape[0], images.shape[2] / patch)
    let patches = PatchEmbedding(patch: patch, width: dim)(images, channels: images.shape[1])
    return builder.grouped(decay: .never) {
      let classToken = builder.parameter("cls_token", [1, 1, dim], .normal(standardDeviation: 0.02))
      let table = positionTable(grid, in: builder)
      let placed = patches + table.sliced(1, 1..<1 + grid * grid)
      let classRow = (classToken + table.sliced(1, 0..<1)).broadcast(to: [batch, 1, dim])
      return .concatenated([classRow, placed], axis: 1, in: builder)
    }
  }

  /// The table of positions [1, 1 + grid², dim].
  private func positionTable(_ grid: Int, in builder: GraphBuilder) -> Tensor {
    switch positions {
    case .fixed:
      builder.add(.positionTable(width: dim, grid: grid, classToken: true)).reshaped([1, 1 + grid * grid, dim])
    case .learned:
      builder.parameter("pos_embed", [1, 1 + grid * grid, dim], .positions(grid: grid, classToken: true))
    }
  }
}
