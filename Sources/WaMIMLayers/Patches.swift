import WaMIMGraph

extension Tensor {
  /// Square patches of images [batch, channels, height, width] as rows [batch, patches, channels · patch · patch].
  ///
  /// The patches go line by line; the pixels of each are channel-major, as a convolution's weight lies.
  public func patches(_ patch: Int) -> Tensor {
    guard shape.rank == 4, patch > 0, shape[2] % patch == 0, shape[3] % patch == 0 else {
      builder.fail("patches of \(patch) × \(patch) do not divide images \(type)")
      return self
    }
    let (batch, channels, rows, columns) = (shape[0], shape[1], shape[2] / patch, shape[3] / patch)
    return reshaped([batch, channels, rows, patch, columns, patch])
      .transposed([0, 2, 4, 1, 3, 5])
      .reshaped([batch, rows * columns, channels * patch * patch])
  }
}
