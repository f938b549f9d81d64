import WaMIMCompiler

/// One side of a product, as the tensor copy engine brings its tiles to shared memory: in lines of 64 numbers.
struct TiledOperand {
  /// What the engine has to know, and where a tile begins along the axes behind the first two.
  let map: DeviceCode.TensorMap
  let coordinates: [String]
  let isLeft: Bool
  /// Whether a line holds terms of a row or column; otherwise it holds rows or columns of a term.
  let linesHoldTerms: Bool
  /// Rows or columns of a block's tile.
  let extent: Int

  /// Numbers of a line, and terms of a tile: as many bytes as the engine swizzles.
  static let line = 64
  /// Bytes of 64 lines.
  static let boxBytes = 2 * line * line

  var name: String { isLeft ? "left" : "right" }

  /// The layout by its number in products.
  var layout: Int { linesHoldTerms ? 0 : 1 }

  /// What is added to a tile's description, which counts 16 bytes, to come to the next 16 terms: 32 bytes of lines, or 16 lines.
  var termStep: Int { linesHoldTerms ? 2 : 128 }

  /// Bytes of a tile.
  var byteCount: Int { extent / Self.line * Self.boxBytes }

  /// The side, if its strides are such that the engine can take it.
  init?(_ matmul: MatmulKernel, isLeft: Bool, _ tile: MatmulTile, _ shape: ProductShape, arguments: [KernelArgument]) {
    let matrix = isLeft ? matmul.left : matmul.right
    guard arguments[matrix.argument].element == .bfloat16 else { return nil }
    let unitStride = arguments[matrix.argument].unitStride
    self.isLeft = isLeft
    linesHoldTerms = isLeft != matrix.isTransposed
    extent = isLeft ? tile.rows : tile.columns
    let size = arguments[matrix.argument].element.byteCount
    let limit = isLeft ? shape.rows : shape.columns
    var axes: [(extent: Int, stride: Int)] = [(matmul.k, 1), (limit, matrix.rowStride)]
    if !linesHoldTerms { axes = [(limit, 1), (matmul.k, matrix.rowStride)] }
    var coordinates: [String] = []
    if shape.products > 1 {
      if shape.batches > 1, matrix.batchStride > 0 {
        axes.append((shape.batches, matrix.batchStride))
        coordinates.append("product % \(shape.batches)")
      }
      if unitStride > 0 {
        axes.append((shape.products / shape.batches, unitStride))
        coordinates.append(shape.batches > 1 ? "product / \(shape.batches)" : "product")
      }
    } else if isLeft, let rows = shape.unitRows, matrix.isTransposed || unitStride != rows * matrix.rowStride {
      return nil
    }
    let strides = axes.dropFirst().map { size * $0.stride }
    guard (strides + [size * matrix.offset]).allSatisfy({ $0.isMultiple(of: DeviceCode.TensorMap.alignment) }) else { return nil }
    self.coordinates = coordinates
    map = DeviceCode.TensorMap(
      argument: matrix.argument, offset: size * matrix.offset, extents: axes.map { $0.extent }, strides: strides,
      box: [Self.line, linesHoldTerms ? extent : Self.line] + coordinates.map { _ in 1 })
  }
}
