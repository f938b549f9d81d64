/// The sizes that attention within groups and its gradient share; the units are samples.
public struct GroupAttentionShape: Hashable, Sendable {
  public var heads: Int
  /// Channels of one head.
  public var headWidth: Int
  /// Tokens of a sample.
  public var tokenCount: Int
  /// Tokens along each side of the windows, which bounds the tokens of a group.
  public var window: Int
  /// Pairs of a query and a key that a sample has on average, from which work is estimated.
  public var expectedPairs: Int

  public init(heads: Int, headWidth: Int, tokenCount: Int, window: Int, expectedPairs: Int) {
    self.heads = heads
    self.headWidth = headWidth
    self.tokenCount = tokenCount
    self.window = window
    self.expectedPairs = expectedPairs
  }

  /// The factor on the products of queries and keys.
  public var scale: Float { 1 / Float(headWidth).squareRoot() }
  /// The most tokens that a group has.
  public var largestGroup: Int { min(window * window, tokenCount) }
  /// Rows of the table of biases.
  public var biasCount: Int { (2 * window - 1) * (2 * window - 1) }
}

/// Softmax attention of a sample's tokens over those of their group, with biases.
public struct GroupAttentionKernel: Hashable, Sendable {
  public var shape: GroupAttentionShape
  public var query: TokenRows
  public var key: TokenRows
  public var value: TokenRows
  /// The arguments with the table of biases [biases, heads] and with the samples' groups i32 [3, tokens], both contiguous.
  public var bias: Int
  public var groups: Int
  public var result: TokenRows
  /// The argument that is workspace, which the variant alone uses.
  public var workspace: Int

  public init(
    shape: GroupAttentionShape, query: TokenRows, key: TokenRows, value: TokenRows, bias: Int, groups: Int, result: TokenRows,
    workspace: Int
  ) {
    self.shape = shape
    self.query = query
    self.key = key
    self.value = value
    self.bias = bias
    self.groups = groups
    self.result = result
    self.workspace = workspace
  }
}

/// The gradients of attention within groups, given that of its result; the probabilities are computed again.
public struct GroupAttentionGradientKernel: Hashable, Sendable {
  /// What attention itself reads; its result is the gradient that is given.
  public var attention: GroupAttentionKernel
  /// Where the gradients of query, key and value go, or nil for those nobody wants.
  public var queryGradient: TokenRows?
  public var keyGradient: TokenRows?
  public var valueGradient: TokenRows?
  /// The argument for the gradient of the table of biases, each sample's own [biases, heads], or nil where nobody wants it.
  public var biasGradient: Int?

  public init(
    attention: GroupAttentionKernel, queryGradient: TokenRows?, keyGradient: TokenRows?, valueGradient: TokenRows?,
    biasGradient: Int?
  ) {
    self.attention = attention
    self.queryGradient = queryGradient
    self.keyGradient = keyGradient
    self.valueGradient = valueGradient
    self.biasGradient = biasGradient
  }
}
