import WaMIMCompiler

extension LLVMBackend: Backend {
  public var chunking: Chunking { LLVMBackend.cpuChunking }

  /// Chunks of so many rows that copies of a right side pay, and of so many bytes that handing them out costs nothing.
  static let cpuChunking = Chunking(rows: 384, least: 4, bytes: 256 << 10)

  /// Rows of a unit where a matmul's result is cut by rows: enough that copies of the right side pay even where its numbers are split.
  private static let blockRows = 384
  /// Columns of a unit where sums have no other axis to cut.
  private static let blockColumns = 64

  public func variant(of kernel: Kernel, units: Int) -> Variant {
    let block: Int? =
      switch kernel.wholeResult {
      case .rows(let count): LLVMBackend.evenBlock(of: count)
      case .columns: LLVMBackend.blockColumns
      case nil: nil
      }
    guard let block else { return variant(ofCut: kernel, units: units) }
    let cut = kernel.adopting(Variant(name: "", block: block), units: units)
    var variant = variant(ofCut: cut.kernel, units: cut.units)
    variant.block = block
    return variant
  }

  /// The rows of each of the blocks that `rows` rows are cut into, an even number of them, since that is what threads mostly are.
  private static func evenBlock(of rows: Int) -> Int {
    let blocks = max(1, (rows + blockRows) / (2 * blockRows)) * 2
    return (rows + blocks - 1) / blocks
  }

  /// How a kernel is carried out whose blocks are cut already.
  ///
  /// Where products come from is `matmuls`; `automatic` counts as generated until the program's products are known.
  func variant(ofCut kernel: Kernel, units: Int) -> Variant {
    let instructions = processor.instructionSet
    let work: CPUPlan.Work
    var cost: Double?
    switch kernel.body {
    case .matmul(let matmul):
      let variant = MatmulVariant(matmul, from: matmuls, on: instructions)
      work = .matmul(variant)
      let chunks = MatmulCost.likelyChunks(matmul, units: units)
      let costs = MatmulCost(kernel, units: units, chunks: chunks, processor: processor)
      cost = variant.method == .openBLAS ? costs?.openBLAS : costs?.generated
    case .attention(let attention):
      work = .attention(
        AttentionLayout(attention.shape, [attention.query, attention.key], of: kernel.arguments, instructions))
    case .attentionGradient(let gradient):
      let operands = [gradient.query, gradient.key, gradient.value, gradient.gradient]
      work = .attentionGradient(AttentionLayout(gradient.shape, operands, of: kernel.arguments, instructions))
    case .groupAttention(let attention): work = .groupAttention(GroupAttentionLayout(attention.shape, instructions))
    case .groupAttentionGradient(let gradient):
      work = .groupAttention(GroupAttentionLayout(gradient.attention.shape, instructions))
    case .rows, .columns, .index, .wavelet, .sequence, .parallel: work = .plain
    }
    let plan = CPUPlan(instructions: instructions, work: work)
    return Variant(
      name: plan.name(of: kernel.body), workspace: plan.workspace(of: kernel.body), cost: cost, plan: plan)
  }

  /// The plan of a kernel's variant.
  ///
  /// - Throws: An error where the variant is for other instructions, or of another backend.
  func plan(of variant: Variant) throws -> CPUPlan {
    guard let plan = variant.plan as? CPUPlan, plan.instructions == processor.instructionSet else {
      throw BackendError(
        "The program was planned for another target than \(processor.name): it has a kernel by '\(variant.name)'. Plan it again "
          + "with the backend that emits it.")
    }
    return plan
  }
}
