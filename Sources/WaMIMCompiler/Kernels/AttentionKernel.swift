/// Rows of channels, one for each token, in an argument that moves with the sample.
public struct TokenRows: Hashable, Sendable {
  public var argument: Int
  public var offset: Int
  /// The elements from one token to the next.
  public var rowStride: Int

  public init(argument: Int, offset: Int, rowStride: Int) {
    self.argument = argument
    self.offset = offset
    self.rowStride = rowStride
  }
}

/// The sizes that attention and its gradient share; the units are samples.
public struct AttentionShape: Hashable, Sendable {
  public var heads: Int
  /// Channels of one head.
  public var headWidth: Int
  public var queryCount: Int
  public var keyCount: Int

  public init(heads: Int, headWidth: Int, queryCount: Int, keyCount: Int) {
    self.heads = heads
    self.headWidth = headWidth
    self.queryCount = queryCount
    self.keyCount = keyCount
  }

  /// The factor on the products of queries and keys.
  public var scale: Float { 1 / Float(headWidth).squareRoot() }
}

/// Softmax attention of a sample's queries over its keys and values; head `h` takes channels from `h * headWidth` on.
public struct AttentionKernel: Hashable, Sendable {
  public var shape: AttentionShape
  public var query: TokenRows
  public var key: TokenRows
  public var value: TokenRows
  public var result: TokenRows
  /// The argument that is workspace, which the variant alone uses.
  public var workspace: Int

  public init(
    shape: AttentionShape, query: TokenRows, key: TokenRows, value: TokenRows, result: TokenRows, workspace: Int
  ) {
    self.shape = shape
    self.query = query
    self.key = key
    self.value = value
    self.result = result
    self.workspace = workspace
  }
}

/// The gradients of attention, given that of its result; the probabilities are computed again.
public struct AttentionGradientKernel: Hashable, Sendable {
  public var shape: AttentionShape
  public var query: TokenRows
  public var key: TokenRows
  public var value: TokenRows
  /// The gradient of attention's result.
  public var gradient: TokenRows
  /// Where the gradients of query, key and value go, or nil for those nobody wants.
  public var queryGradient: TokenRows?
  public var keyGradient: TokenRows?
  public var valueGradient: TokenRows?
  /// The argument that is workspace, which the variant alone uses.
  public var workspace: Int

  public init(
    shape: AttentionShape, query: TokenRows, key: TokenRows, value: TokenRows, gradient: TokenRows,
    queryGradient: TokenRows?, keyGradient: TokenRows?, valueGradient: TokenRows?, workspace: Int
  ) {
    self.shape = shape
    self.query = query
    self.key = key
    self.value = value
    self.gradient = gradient
    self.queryGradient = queryGradient
    self.keyGradient = keyGradient
    self.valueGradient = valueGradient
    self.workspace = workspace
  }
}
