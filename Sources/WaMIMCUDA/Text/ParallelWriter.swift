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
    /// Descriptions of each kernel's arrays.
    var tensorMaps: [DeviceCode.TensorMap] {
      (0..<kernels.count).flatMap { member in
        let numbers = Dictionary(uniqueKeysWithValues: zip(kernels.operands, kernels.arguments(of: member)))
        return function.tensorMaps.map { map in
          var map = map
          map.argument = numbers[map.argument] ?? map.argument
          return map
        }
      }
    }
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
    var maps: [DeviceCode.TensorMap] = []
    for group in groups {
      write(group, from: first, behind: maps.count, to: &source)
      first += group.blocks
      maps += group.tensorMaps
    }
    let functions = groups.map(\.function)
    let purposes = Set(functions.map(\.purpose)).sorted()
    return CUDAFunction(
      purpose: (["parallel"] + purposes).joined(separator: "_"), blocks: first, threads: functions.map(\.threads).max() ?? 0,
      sharedBytes: functions.map(\.sharedBytes).max() ?? 0, residentBlocks: functions.compactMap(\.residentBlocks).min(),
      tensorMaps: maps, usesTensorCores: functions.contains(where: \.usesTensorCores),
      hasEpilogue: functions.contains(where: \.hasEpilogue), groupColumns: functions.compactMap(\.groupColumns).first,
      addressCount: maps.isEmpty ? addressCount : addressCount.roundedUp(to: Self.mapAlignment), body: source.text)
  }

  /// Tensor maps begin at multiples of the bytes that so many addresses take.
  private static let mapAlignment = 8

  /// Writes what blocks from `first` on do, which are the group's.
  ///
  /// - Parameter maps: The tensor maps of groups before it.
  private func write(_ group: Group, from first: Int, behind maps: Int, to source: inout SourceText) {
    let (kernels, blocks) = (group.kernels, group.function.blocks)
    source.line("// \(kernels.count) of \(kernels.kernel.body.kind).")
    source.block("if (place < \(first + group.blocks))") { source in
      let number = first == 0 ? "place" : "(place - \(first))"
      source.line("const unsigned call = \(number) / \(blocks), block = \(number) % \(blocks);")
      let own = kernels.ownOperands
      for operand in kernels.operands {
        let argument = kernels.kernel.arguments[operand]
        let pointer = argument.pointer
        let index =
          kernels.shared[operand].map { "\($0)" }
          ?? affine(kernels.firstArgument + (own.firstIndex(of: operand) ?? 0), [own.count], ["call"])
        source.line("\(pointer) a\(operand) = \(CUDAFunction.address(argument.pointee, inTableAt: index));")
      }
      var offset = 0
      for array in group.function.shared {
        source.line(array.declaration(in: "shared", at: offset))
        offset += array.roundedByteCount
      }
      let words = addressCount.roundedUp(to: Self.mapAlignment) + DeviceCode.TensorMap.wordCount * maps
      let body = group.function.bodyReplacingMaps(in: group.function.body) { map in
        let number = affine(map, [group.function.tensorMaps.count], ["call"])
        return CUDAFunction.addressOfParameter(0, offset: "\(8 * words) + \(8 * DeviceCode.TensorMap.wordCount) * (\(number))")
      }
      source.lines(body)
      source.line("return;")
    }
  }
}

extension CUDAFunction.SharedArray {
  /// Bytes up to where another array may begin.
  fileprivate var roundedByteCount: Int { byteCount.roundedUp(to: 16) }
}

extension Kernel {
  /// What the kernel can run beside in one launch; nil where it is launched alone.
  ///
  /// - Parameter functions: What it is launched by.
  func companions(launchedBy functions: [CUDAFunction], units: Int) -> Companions? {
    guard let first = functions.first, functions.allSatisfy({ $0.threads > 0 && $0.blocks > 0 }) else { return nil }
    switch body {
    case .rows(let rows): return touchesWorkspace(rows) ? nil : .any(of: "\(first.threads) threads")
    case .columns, .index: return .any(of: "\(first.threads) threads")
    // Compilers take minutes for many products in one function, but equal ones are one.
    case .matmul(let matmul):
      // A product that stays in registers has a place in the workspace only in name.
      let staysInRegisters = functions.count == 1 && first.hasEpilogue && !matmul.keepsProduct && !matmul.accumulates
      let touched = [matmul.result.argument] + (matmul.epilogue?.stages.flatMap(\.accesses).map(\.argument) ?? [])
      let isApart = touched.allSatisfy {
        arguments[$0].access != .workspace || staysInRegisters && $0 == matmul.result.argument
      }
      return isApart ? .equal(self, units: units) : nil
    case .attention, .groupAttention: return .equal(self, units: units)
    case .attentionGradient, .groupAttentionGradient, .wavelet, .sequence, .parallel: return nil
    }
  }

  private func touchesWorkspace(_ rows: RowKernel) -> Bool {
    rows.stages.flatMap(\.accesses).contains { arguments[$0.argument].access == .workspace }
  }
}
