import TestSupport
import Testing
import WaMIMCompiler
import WaMIMGraph
import WaMIMTraining

/// Programs for models of real sizes: how much they compute, and what they keep in memory.
struct ModelPlanTests {
  private func program(_ model: WaMIMModel, disabled: Set<String> = []) throws -> Program {
    try Compilation(disabled: disabled).program(for: Model(model.graph()), text: "", compiler: "test")
  }

  /// Multiplications and additions of a step's matrix products and attention.
  private func productFlops(_ program: Program) throws -> Int {
    let step = try #require(program.schedules.first { $0.name == ScheduleRole.step.rawValue })
    return step.phases.flatMap(\.groups).flatMap(\.calls).reduce(0) { $0 + program.manifest.calls[$1.description].productFlops }
  }

  /// What the passes leave of the multiply-adds of the model as it is described, in which hidden tokens are computed with for each
  /// sample and each target.
  @Test(arguments: [(WaMIMModel.base, 0.943), (.tiny, 0.851)]) func passesLeaveFewerMultiplyAdds(model: WaMIMModel, share: Double)
    throws
  {
    let plain = try productFlops(try program(model, disabled: Set(Passes.all.map(\.name))))
    let left = try productFlops(try program(model))
    #expect(abs(Double(left) / Double(plain) - share) < 0.005)
  }

  @Test func noBufferHoldsAttentionScores() throws {
    let program = try program(.base)
    var scores: Set<[Int]> = []
    for kernel in program.kernels {
      switch kernel.body {
      case .attention(let attention): scores.insert([attention.shape.queryCount, attention.shape.keyCount])
      case .attentionGradient(let gradient): scores.insert([gradient.shape.queryCount, gradient.shape.keyCount])
      default: break
      }
    }
    // Those of the encoder, and of decoders that need results for some of the tokens or for all.
    #expect(scores.count >= 3)
    for buffer in program.schedules.flatMap(\.buffers) {
      #expect(!scores.contains(buffer.type.shape.dimensions.suffix(2)), "\(buffer.name): \(buffer.type)")
    }
  }

  /// A process that trains on one thread, with everything that it holds: about 1.7 times its parameters and their moments.
  @Test func theBaseModelFitsInLittleMemory() throws {
    #expect(try program(.base).peakBytes < 1800 << 20)
  }
}
