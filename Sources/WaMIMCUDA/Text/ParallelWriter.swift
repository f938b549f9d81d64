import WaMIMCompiler

/// Writes the function that runs kernels at the same time: each of its blocks is a block of one of them.
///
/// All addresses come as one table, since a function cannot have as many parameters by name.
struct ParallelWriter {
  /// Equal kernels, and the function that each of them is.
  struct Group {
    var kernels: ParallelKernel.Repetition
    var function: CUDAFunction

    /// Blocks of all of them.
    var blocks: Int { kernels.count * function.blocks }
  }

  let groups: [Group]
  /// How many addresses there are.
  let addressCount: Int

  /// The function; those of all kernels have equally many threads.
  func function() -> CUDAFunction {
    var source = SourceText()
    source.line("const unsigned place = blockIdx.x;")
    let sharedBytes = groups.map { $0.function.shared.reduce(0) { $0 + $1.roundedByteCount } }.max() ?? 0
    if sharedBytes > 0 { source.line("__shared__ ALIGNED(16) char shared[\(sharedBytes)];") }
    var first = 0
    for group in groups {
      write(group, from: first, to: &source)
      first += group.blocks
    }
    return CUDAFunction(
      purpose: "parallel", blocks: first, threads: groups.map(\.function.threads).max() ?? 0,
      usesTensorCores: groups.contains(where: \.function.usesTensorCores),
      addressCount: addressCount, body: source.text)
  }

  /// Writes what blocks from `first` on do, which are the group's.
  private func write(_ group: Group, from first: Int, to source: inout SourceText) {
    let (kernels, blocks) = (group.kernels, group.function.blocks)
    source.line("// \(kernels.count) of \(kernels.kernel.body.kind).")
    source.block("if (place < \(first + group.blocks))") { source in
      let number = first == 0 ? "place" : "(place - \(first))"
      source.line("const unsigned call = \(number) / \(blocks), block = \(number) % \(blocks);")
      let own = kernels.ownOperands
      for operand in kernels.operands {
        let pointer = kernels.kernel.arguments[operand].pointer
        let index =
          kernels.shared[operand].map { "\($0)" }
          ?? affine(kernels.firstArgument + (own.firstIndex(of: operand) ?? 0), [own.count], ["call"])
        source.line("\(pointer) a\(operand) = (\(pointer))addresses.at[\(index)];")
      }
      var offset = 0
      for array in group.function.shared {
        source.line(array.declaration(in: "shared", at: offset))
        offset += array.roundedByteCount
      }
      source.lines(group.function.body)
      source.line("return;")
    }
  }
}

extension CUDAFunction.SharedArray {
  /// Bytes up to where another array may begin.
  fileprivate var roundedByteCount: Int { byteCount.roundedUp(to: 16) }
}

extension Kernel {
  /// What the kernel can run beside in one launch: others for which this is the same; nil where it is launched alone.
  ///
  /// - Parameter functions: What it is launched by.
  func companions(launchedBy functions: [CUDAFunction]) -> String? {
    guard functions.count == 1, let function = functions.first, function.threads > 0, function.blocks > 0 else { return nil }
    switch body {
    case .rows(let rows): return touchesWorkspace(rows.stages.flatMap(\.accesses)) ? nil : "\(function.threads) threads"
    case .columns, .index: return "\(function.threads) threads"
    // Compilers take minutes for many products in one function.
    case .matmul: return nil
    case .attention, .attentionGradient, .groupAttention, .groupAttentionGradient, .wavelet, .sequence, .parallel: return nil
    }
  }

  private func touchesWorkspace(_ accesses: [Access]) -> Bool {
    accesses.contains { arguments[$0.argument].access == .workspace }
  }
}
