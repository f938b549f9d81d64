import Foundation
import KernelSupport
import TestSupport
import Testing
import WaMIMCompiler
import WaMIMGraph
import WaMIMLLVM

/// The processors to compile for: this machine's, ones with fewer instructions that it can run too, and an emulated one of another
/// architecture.
///
/// - Parameters:
///   - hasProducts: Whether there are products, for which AMX is emulated where there is none.
///   - hasRoundedProducts: Whether some are of bf16 numbers, for which an emulated processor has instructions.
func processorsToTest(hasProducts: Bool = false, hasRoundedProducts: Bool = false) -> [TargetProcessor] {
  let native = TargetProcessor.native
  let smaller = ["x86-64", "sandybridge", "haswell", "icelake-server", "cooperlake"].compactMap { try? TargetProcessor.named($0) }
  let emulated =
    EmulatedKernels.canRun ? [try? TargetProcessor.named(hasRoundedProducts ? "neoverse-n2" : "cortex-a72")].compactMap { $0 } : []
  return [native] + (hasProducts ? [EmulatedAMX.processor].compactMap { $0 } : [])
    + smaller.filter {
      $0.architecture == .native && $0.features.allSatisfy(native.features.contains) && $0.features != native.features
    } + emulated.filter { $0.architecture != .native }
}

/// Checks that compiled kernels agree with the reference, and give the same bits however their units are cut.
func checkAgainstReference(_ cases: [KernelCase], seed: UInt64, generator: inout SeededGenerator) throws {
  let hasMatmuls = cases.contains { $0.kernel.body.kind == "matmul" }
  let sources: [MatmulSource] = hasMatmuls ? [.generated, .openBLAS] : [.automatic]
  let hasRoundedProducts = cases.contains { item in
    if case .matmul(let matmul) = item.kernel.body { matmul.factor == .bfloat16 } else { false }
  }
  let backends = processorsToTest(hasProducts: hasMatmuls, hasRoundedProducts: hasRoundedProducts).flatMap { processor in
    // There is no OpenBLAS to link an emulated processor's kernels with.
    sources.filter { processor.architecture == .native || $0 != .openBLAS }.map { LLVMBackend(processor: processor, matmuls: $0) }
  }
  for backend in backends {
    let compiled = try CompiledKernels(cases.map(\.kernel), backend: backend)
    for (index, item) in cases.enumerated() {
      var reference = KernelReference(item.kernel, arrays: item.arrays)
      reference.run(0..<item.units)
      var whole = item.arrays
      try compiled.run(index, arrays: &whole, ranges: [0..<item.units])
      let context = "seed \(seed), case \(index), \(backend.processor.name), \(backend.matmuls): \(item.kernel)"
      try compare(whole, with: reference, item, context)

      let cut = generator.int(0...item.units)
      var cutInTwo = item.arrays
      try compiled.run(index, arrays: &cutInTwo, ranges: [cut..<item.units, 0..<cut].filter { !$0.isEmpty })
      var single = item.arrays
      try compiled.run(index, arrays: &single, ranges: (0..<item.units).map { $0..<$0 + 1 })
      for other in [cutInTwo, single] {
        try compare(other, with: reference, item, "cut at \(cut), " + context)
        // BLAS may sum in another order where a product has other extents; the program's tiles are fixed when it is compiled.
        guard backend.matmuls != .openBLAS else { continue }
        for (argument, (left, right)) in zip(whole, other).enumerated()
        where item.kernel.arguments[argument].access != .workspace {
          try #require(left.map(\.bitPattern) == right.map(\.bitPattern), "cut at \(cut), argument \(argument), \(context)")
        }
      }
    }
  }
}

private func compare(_ arrays: [[Float]], with reference: KernelReference, _ item: KernelCase, _ context: String) throws {
  for (argument, (actual, expected)) in zip(arrays, reference.arrays).enumerated()
  where item.kernel.arguments[argument].access != .workspace {
    let limit = item.tolerance * reference.scale
    // Numbers that differ by little may be rounded to neighbours.
    let share: Float = item.kernel.arguments[argument].element == .bfloat16 ? 0x1p-7 : 0
    let wrong = zip(actual, expected).enumerated().first { _, pair in
      pair.0.bitPattern != pair.1.bitPattern && !(abs(pair.0 - pair.1) <= limit + share * abs(pair.1))
    }
    if let wrong {
      Issue.record("argument \(argument), element \(wrong.offset): \(wrong.element), limit \(limit); \(context)")
      throw BackendError("wrong result")
    }
  }
}
