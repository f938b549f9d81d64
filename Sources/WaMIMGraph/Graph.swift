/// The index of a value, and of the node that computes it, in its graph.
public struct ValueID: Hashable, Sendable, Comparable {
  public var index: Int

  public init(_ index: Int) {
    self.index = index
  }

  public static func < (left: ValueID, right: ValueID) -> Bool { left.index < right.index }
}

/// One operation applied to values that stand before it.
public struct Node: Hashable, Sendable {
  public var operation: Operation
  public var operands: [ValueID]
  public var type: TensorType
  /// Where in the model the value belongs, such as `blocks.3.mlp.fc1`; empty at the top.
  public var scope: String
  /// Where the source asks for it.
  public var location: SourceLocation?
  /// The share of a training step that it belongs to.
  public var region: Region

  public init(
    _ operation: Operation, _ operands: [ValueID], type: TensorType, scope: String = "", location: SourceLocation? = nil,
    region: Region = .forward
  ) {
    self.operation = operation
    self.operands = operands
    self.type = type
    self.scope = scope
    self.location = location
    self.region = region
  }
}

/// A model as values with static shapes, each computed once from values before it.
public struct Graph: Hashable, Sendable {
  /// A value that is kept under a name, such as `target.0`.
  public struct Output: Hashable, Sendable {
    public var name: String
    public var value: ValueID

    public init(name: String, value: ValueID) {
      self.name = name
      self.value = value
    }
  }

  /// What a parameter or state holds after the step.
  public struct Update: Hashable, Sendable {
    public var state: ValueID
    public var value: ValueID

    public init(state: ValueID, value: ValueID) {
      self.state = state
      self.value = value
    }
  }

  /// The output that holds what an encoder gives of whole images, [batch, width].
  public static let featuresName = "features"
  /// The output that holds what a classifier tells of each class, [batch, classes].
  public static let logitsName = "logits"

  public var name: String
  /// The nodes in an order in which they can be computed; a `ValueID` is an index into it.
  public var nodes: [Node] = []
  /// What to minimise.
  public var loss: ValueID?
  public var outputs: [Output] = []
  public var updates: [Update] = []

  /// Creates an empty graph.
  public init(name: String) {
    self.name = name
  }

  public subscript(value: ValueID) -> Node {
    get { nodes[value.index] }
    set { nodes[value.index] = newValue }
  }

  /// Every value, in order.
  public var values: [ValueID] { nodes.indices.map(ValueID.init) }

  /// The values that are read once everything is computed: the loss and the outputs.
  package var results: [ValueID] { (loss.map { [$0] } ?? []) + outputs.map(\.value) }

  /// The values that must be computed for their own sake.
  public var roots: [ValueID] { results + updates.flatMap { [$0.state, $0.value] } }

  /// Adds `node`, unchecked, and returns the value that it computes.
  public mutating func append(_ node: Node) -> ValueID {
    nodes.append(node)
    return ValueID(nodes.count - 1)
  }

  /// The first input that a field of the data fills, or nil where there is none.
  public var data: ValueID? {
    values.first { if case .input(_, _, .data) = self[$0].operation { true } else { false } }
  }

  /// The number of samples in one step: the first extent of what the data fills.
  public var batch: Int {
    data.map { self[$0].type.shape[0] } ?? 1
  }

  /// For each value, the nodes that have it as an operand, once for each time.
  public func users() -> [[ValueID]] {
    var users = [[ValueID]](repeating: [], count: nodes.count)
    for value in values {
      for operand in self[value].operands { users[operand.index].append(value) }
    }
    return users
  }
}
