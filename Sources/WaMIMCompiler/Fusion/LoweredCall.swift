import WaMIMGraph

/// A call of a kernel on the buffers of values, before anything is known of when it runs and where buffers lie.
struct LoweredCall {
  /// What an argument is bound to.
  enum Binding: Hashable {
    /// The buffer that a value owns.
    case buffer(ValueID)
    /// Memory of the call's own.
    case workspace
  }

  var kernel: Kernel
  /// How the backend carries it out; it says so when all calls are there.
  var variant = Variant(name: "not chosen")
  var bindings: [Binding]
  /// How many units there are.
  var units: Int
  /// The computed values that the call reads and writes.
  var reads: Set<ValueID>
  var writes: Set<ValueID>
  /// The states whose memory it writes over.
  var overwrites: Set<ValueID> = []
  /// What it is called in dumps and profiles.
  var name: String
  /// Where its operations come from.
  var provenance = Provenance()
  /// Multiplications and additions, and bytes moved, in all units together.
  var flops = 0
  var bytes = 0
  /// When it should run if nothing else decides: the index of the last value that it computes.
  var order: Int
  /// The region of that value.
  var region: Region
}

extension LoweredCall {
  /// Asks `backend` how the kernel is carried out, and cuts it and gives it workspace accordingly.
  mutating func choose(by backend: some Backend) {
    let variant = backend.variant(of: kernel, units: units)
    (kernel, units) = kernel.adopting(variant, units: units)
    self.variant = variant
  }

  /// Whether argument number `index` gives each unit a range of its own of an array of `count` elements.
  func isSliced(_ index: Int, _ count: Int) -> Bool {
    units == 1 || kernel.arguments[index].unitStride * units == count
  }
}

/// Numbers the arguments of a kernel while its body is being written.
struct ArgumentList {
  private(set) var arguments: [KernelArgument] = []
  private(set) var bindings: [LoweredCall.Binding] = []
  let graph: Graph
  /// How many units the call has.
  let units: Int

  init(_ graph: Graph, units: Int) {
    self.graph = graph
    self.units = units
  }

  /// The number of the argument through which units `unitStride` elements apart of the buffer of `root` are accessed.
  mutating func number(of root: ValueID, unitStride: Int, _ access: KernelArgument.Access) -> Int {
    let stride = units > 1 ? unitStride : 0
    for (index, binding) in bindings.enumerated()
    where binding == .buffer(root) && arguments[index].unitStride == stride {
      if arguments[index].access != access { arguments[index].access = .update }
      return index
    }
    let type = graph[root].type
    let count = stride > 0 && stride * units == type.shape.count ? stride : type.shape.count
    arguments.append(KernelArgument(element: type.element, access: access, unitStride: stride, count: count))
    bindings.append(.buffer(root))
    return arguments.count - 1
  }

  /// The number of a new argument that only the kernel sees: `count` elements of its own, and what its variant will take behind them.
  mutating func workspace(_ count: Int = 0) -> Int {
    arguments.append(KernelArgument(element: .float32, access: .workspace, unitStride: 0, count: count))
    bindings.append(.workspace)
    return arguments.count - 1
  }

  /// Elements behind those that the workspace had, where there was one: its argument, and the first of `count` new elements.
  mutating func growWorkspace(by count: Int) -> (argument: Int, offset: Int) {
    guard let argument = arguments.firstIndex(where: { $0.access == .workspace }) else { return (workspace(count), 0) }
    arguments[argument].count += count
    return (argument, arguments[argument].count - count)
  }
}
