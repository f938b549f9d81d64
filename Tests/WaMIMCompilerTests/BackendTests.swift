import Synchronization
import TestSupport
import Testing
import WaMIMCompiler
import WaMIMGraph
import WaMIMTraining

/// Programs for a target that is none of ours: it has other blocks, and workspace for everything.
struct BackendTests {
  /// What a kernel's variant is, for the tests to find again in the program.
  private struct ToyPlan: Hashable { var number: Int }

  /// A target with blocks of a few rows and columns, and two large chunks.
  private final class ToyBackend: Backend {
    let chunking = Chunking(rows: 1 << 20, least: 2, bytes: 1 << 40)
    private let answers = Mutex<Int>(0)

    var answerCount: Int { answers.withLock { $0 } }

    func variant(of kernel: Kernel, units: Int) -> Variant {
      let number = answers.withLock { count in
        count += 1
        return count
      }
      let block: Int? =
        switch kernel.wholeResult {
        case .rows(let count): min(count, 7)
        case .columns(let count): min(count, 5)
        case nil: nil
        }
      return Variant(name: "toy \(number)", block: block, workspace: 40, cost: 1000, plan: ToyPlan(number: number))
    }
  }

  @Test(arguments: WaMIMModel.variety + [WaMIMModel()]) func aProgramIsPlannedForIt(model: WaMIMModel) throws {
    let backend = ToyBackend()
    let program = try Compilation(backend: backend).program(for: Model(model.graph()), text: "", compiler: "test")
    let ours = try Compilation().program(for: Model(model.graph()), text: "", compiler: "test")
    #expect(program.variants.count == program.kernels.count)
    #expect(backend.answerCount > 0)
    for (kernel, variant) in zip(program.kernels, program.variants) {
      let plan = try #require(variant.plan as? ToyPlan)
      #expect(variant.name == "toy \(plan.number)")
      switch kernel.body {
      case .matmul(let matmul):
        if case .rows(let block) = matmul.partition { #expect(block == min(matmul.m, 7)) }
      case .columns(let columns):
        if case .columns(let block) = columns.partition { #expect(block == min(columns.width, 5)) }
      default: break
      }
      if let workspace = kernel.arguments.first(where: { $0.access == .workspace }) {
        // What the kernel keeps itself is rounded up to a cache line.
        #expect(workspace.count >= 40 && (workspace.count - 40) % 16 == 0)
      }
    }
    try checkCalls(program)
    // What is computed does not depend on the target.
    #expect(program.manifest.calls.map(\.name).sorted() == ours.manifest.calls.map(\.name).sorted())
    #expect(program.manifest.calls.reduce(0) { $0 + $1.flops } == ours.manifest.calls.reduce(0) { $0 + $1.flops })
  }

  /// Groups have the units that their kernels' blocks make, and scratch memory holds every workspace.
  private func checkCalls(_ program: Program) throws {
    for group in program.schedules.flatMap(\.phases).flatMap(\.groups) {
      #expect(group.chunks <= max(2, group.units))
      for call in group.calls {
        let kernel = program.kernels[call.kernel.index]
        if let whole = kernel.wholeResult {
          let block =
            switch whole {
            case .rows(let count): min(count, 7)
            case .columns(let count): min(count, 5)
            }
          #expect(group.units == (whole.extent + block - 1) / block)
        }
        for (argument, placement) in zip(kernel.arguments, call.arguments) where argument.access == .workspace {
          #expect(placement.storage == .scratch)
          #expect(placement.offset + argument.count * MemoryLayout<Float>.size <= program.scratchBytes)
        }
      }
    }
  }

  /// Dumps say of each kernel how it is carried out.
  @Test func dumpsShowVariants() throws {
    let program = try Compilation(backend: ToyBackend()).program(for: Model(WaMIMModel().graph()), text: "", compiler: "test")
    for (index, variant) in program.variants.enumerated() {
      #expect(program.kernelText.contains("variant: \(variant.name), workspace f32[40], about 1 thousand cycles"))
      let isCalled = program.schedules.flatMap(\.phases).flatMap(\.groups).flatMap(\.calls).contains { $0.kernel.index == index }
      #expect(program.planText.contains("[\(variant.name)]") == isCalled)
    }
  }

  /// Without a target kernels take no workspace but for what they keep themselves.
  @Test func theReferenceTakesNoWorkspace() throws {
    let program = try Compilation().program(for: Model(WaMIMModel().graph()), text: "", compiler: "test")
    #expect(program.variants.allSatisfy { $0.workspace == 0 && $0.name == "reference" })
  }
}
