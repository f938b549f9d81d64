import WaMIMGraph

extension Lowering {
  /// The call of a matmul and of the members of its cluster, which run as its epilogue.
  func lowerMatmul(_ cluster: Cluster, _ value: ValueID) throws -> LoweredCall {
    let node = graph[value]
    guard case .matmul(let transposeLeft, let transposeRight) = node.operation, node.operands.count == 2,
      let left = storage[node.operands[0]].matrix, let right = storage[node.operands[1]].matrix
    else { throw CompilationError("a matmul's operand does not lie in rows", at: node.location) }
    let (shape, leftShape) = (node.type.shape, graph[node.operands[0]].type.shape)
    let partition = self.partition(of: node, transposeLeft)
    let m = partition.isBatched ? shape[-2] : shape.count / shape[-1]
    let k = transposeLeft ? leftShape[-2] : leftShape[-1]

    // The elements of one argument that belong to a block of rows are cut by the kernel itself.
    var arguments = ArgumentList(graph, units: partition.isByBlocks ? 1 : partition.units)
    let workspace = arguments.workspace()
    let followers = cluster.members.filter { $0 != value }
    var reads = Set(node.operands.map(clustering.base))
    let epilogue = epilogue(cluster, followers, &arguments, &reads)
    let isShared = graph[node.operands[1]].type.shape.rank == 2
    let accumulates = storage.accumulated.contains(value)
    var kernel = MatmulKernel(
      partition: partition.kind, m: m, n: shape[-1], k: k, factor: graph[node.operands[0]].type.element,
      left: matrix(node.operands[0], left.rowStride, isTransposed: transposeLeft, .read, partition, &arguments),
      right: matrix(
        node.operands[1], right.rowStride, isTransposed: transposeRight, isShared: isShared, .read, partition, &arguments),
      result: matrix(value, shape[-1], accumulates ? .update : .write, partition, &arguments),
      accumulates: accumulates, workspace: workspace, epilogue: epilogue)
    kernel.keepsProduct = stored.values.contains(value)
    let writes = Set(cluster.members.filter { stored.values.contains($0) || $0 == value })
    let last = cluster.members.max() ?? value
    var call = LoweredCall(
      kernel: Kernel(arguments: arguments.arguments, body: .matmul(kernel)), bindings: arguments.bindings, units: partition.units,
      reads: reads, writes: writes, overwrites: overwritten(by: writes), name: graph.callName(value),
      provenance: provenance(of: cluster.members),
      flops: kernel.productFlops(units: partition.units) + followers.reduce(0) { $0 + graph[$1].type.shape.count },
      order: last.index, region: graph[last].region)
    if !stored.values.contains(value) {
      let isMoved = call.computeInPlace(value, candidates: followers.filter { isInPlaceTarget($0, shape) })
      if !isMoved, case .rows(let block) = partition.kind { call.computeInWorkspace(value, count: block * shape[-1]) }
    }
    return call
  }

  /// What is done with each row of a product: the members of its cluster that follow it, or nil where none do.
  private func epilogue(
    _ cluster: Cluster, _ followers: [ValueID], _ arguments: inout ArgumentList, _ reads: inout Set<ValueID>
  ) -> RowKernel? {
    guard !followers.isEmpty, let domain = cluster.domain else { return nil }
    var rows = RowLowering(
      cluster, domain, graph: graph, storage: storage, clustering: clustering, stored: stored.values, arguments: arguments)
    let kernel = rows.lower(followers)
    arguments = rows.arguments
    reads.formUnion(rows.reads)
    return kernel
  }

  /// A side of a product or its result: `value`, whose rows begin `rowStride` elements apart.
  ///
  /// - Parameter isShared: Whether all samples multiply by the same matrix.
  private func matrix(
    _ value: ValueID, _ rowStride: Int, isTransposed: Bool = false, isShared: Bool = false, _ access: KernelArgument.Access,
    _ partition: MatmulPartition, _ arguments: inout ArgumentList
  ) -> MatmulKernel.Matrix {
    let (view, rows) = (storage[value], graph[value].type.shape[-2])
    let unitStride = isShared ? 0 : partition.unitRows(rows) * rowStride
    return MatmulKernel.Matrix(
      argument: arguments.number(of: view.root, unitStride: unitStride, access), offset: view.offset, rowStride: rowStride,
      isTransposed: isTransposed, batchStride: partition.isBatched && !isShared ? rows * rowStride : 0)
  }

  /// Whether a product can be computed in the memory of `member`, to be finished there; sums are cleared before a row is read.
  private func isInPlaceTarget(_ member: ValueID, _ shape: Shape) -> Bool {
    !graph.isSumWithinUnits(member) && stored.values.contains(member) && graph[member].type == TensorType(.float32, shape)
      && storage[member] == View(whole: member, shape: shape)
  }

  /// How a matmul is cut into units.
  private struct MatmulPartition {
    var kind: MatmulKernel.Partition
    var units: Int

    var isBatched: Bool {
      if case .products = kind { true } else { false }
    }

    var isByBlocks: Bool {
      if case .rows = kind { true } else { false }
    }

    /// Rows of an operand that belong to one unit, where the operand's matrices have `rows` rows each; 0 where all share it.
    func unitRows(_ rows: Int) -> Int {
      switch kind {
      case .samples(let count): count
      case .products(let batches): batches * rows
      case .rows: 0
      }
    }
  }

  private func partition(of node: Node, _ transposeLeft: Bool) -> MatmulPartition {
    let shape = node.type.shape
    if shape.rank == 2 {
      guard transposeLeft else { return MatmulPartition(kind: .samples(rows: 1), units: shape[0]) }
      // The backend says how it is cut.
      return MatmulPartition(kind: .rows(block: shape[0]), units: 1)
    }
    if !transposeLeft, graph[node.operands[1]].type.shape.rank == 2 {
      return MatmulPartition(kind: .samples(rows: shape.count / shape[-1] / shape[0]), units: shape[0])
    }
    return MatmulPartition(kind: .products(batches: shape.count / shape[0] / shape[-1] / shape[-2]), units: shape[0])
  }
}
