import WaMIMCompiler

/// What the code generator has to know of a kernel's variant: the plan of a `Variant` that `LLVMBackend` has made.
struct CPUPlan: Sendable {
  /// What the code is made of.
  let instructions: InstructionSet
  let work: Work

  /// How the work of one kind of kernel is cut and laid out.
  enum Work: Sendable {
    case matmul(MatmulVariant)
    case attention(AttentionLayout)
    case attentionGradient(AttentionLayout)
    /// Attention within groups, and its gradient.
    case groupAttention(GroupAttentionLayout)
    /// Sums and rows, whose code follows from the kernel.
    case plain
  }
}

extension CPUPlan {
  /// What dumps call it.
  func name(of body: KernelBody) -> String {
    switch work {
    case .matmul(let variant): variant.name(instructions)
    case .attention(let layout), .attentionGradient(let layout):
      "\(instructions.name) \(layout.queryTile)x\(2 * instructions.lanes), blocks of \(layout.block) queries"
    case .groupAttention(let layout): "\(instructions.name) \(layout.tileRows)x\(2 * instructions.lanes), groups one by one"
    case .plain: instructions.name
    }
  }

  /// Elements of workspace that the code uses.
  func workspace(of body: KernelBody) -> Int {
    switch (work, body) {
    case (.matmul(let variant), _): variant.workspace
    case (.attention(let layout), _): AttentionWorkspace(layout).count
    case (.attentionGradient(let layout), _): AttentionGradientWorkspace(layout).count
    case (.groupAttention(let layout), .groupAttentionGradient): GroupAttentionGradientWorkspace(layout).count
    case (.groupAttention(let layout), _): GroupAttentionWorkspace(layout).count
    case (.plain, .index(.windowGroups(let count, let cut, _, _))): WindowGroupsWorkspace(count: count, cut).count
    case (.plain, .wavelet(let wavelet)): WaveletLines(wavelet).count
    case (.plain, .sequence(let sequence)): sequence.wavelets.map { WaveletLines($0).count }.max() ?? 0
    case (.plain, _): 0
    }
  }
}

extension SequenceKernel {
  /// The members that are wavelet kernels, which use one workspace in turn.
  fileprivate var wavelets: [WaveletKernel] {
    members.compactMap { if case .wavelet(let wavelet) = $0 { wavelet } else { nil } }
  }
}
