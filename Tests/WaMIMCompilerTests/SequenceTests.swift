import TestSupport
import Testing
import WaMIMCompiler
import WaMIMGraph
import WaMIMLayers
import WaMIMTraining

/// Which calls become members of one that each sample goes through.
struct SequenceTests {
  private func kernels(_ model: WaMIMModel, schedule: String = "step", disabled: Set<String> = []) throws -> [Kernel] {
    let program = try Compilation(disabled: disabled).program(for: Model(model.graph()), text: "", compiler: "test")
    let step = try #require(program.schedules.first { $0.name == schedule })
    return step.phases.flatMap(\.groups).flatMap(\.calls).map { program.kernels[$0.kernel.index] }
  }

  /// The levels of wavelet analyses in each call that has any.
  private func analyses(_ kernels: [Kernel]) -> [[WaveletKernel]] {
    kernels.compactMap { kernel in
      switch kernel.body {
      case .wavelet(let wavelet): [wavelet]
      case .sequence(let sequence): sequence.members.compactMap { if case .wavelet(let wavelet) = $0 { wavelet } else { nil } }
      default: nil
      }
    }
  }

  private static let models =
    WaMIMModel.variety + [WaMIMModel()]
    + Wavelet.allCases.map { wavelet in WaMIMModel { $0.wavelet = wavelet } }
    + Subbands.allCases.flatMap { subbands in
      TargetNormalization.allCases.map { normalization in
        WaMIMModel { ($0.subbands, $0.normalization, $0.batch) = (subbands, normalization, 2) }
      }
    }

  @Test(arguments: models) func oneCallTakesAllLevels(model: WaMIMModel) throws {
    let levels = model.levels.max() ?? 1
    for schedule in ["step", "gradients", "forward"] {
      #expect(analyses(try kernels(model, schedule: schedule)).map(\.count) == [levels], "\(schedule)")
    }
    #expect(analyses(try kernels(model, disabled: [Compilation.fusion])).map(\.count) == Array(repeating: 1, count: levels))
  }

  @Test func subbandsThatNobodyWantsAreNotComputed() throws {
    let model = WaMIMModel { ($0.levels, $0.taps, $0.weights) = ([2, 4], [1, 2], [1, 1]) }
    let levels = try #require(analyses(try kernels(model)).first)
    let wanted = levels.map { level in level.bands.map { $0 != nil } }
    let (approximation, all, details) = ([true, false, false, false], [true, true, true, true], [false, true, true, true])
    #expect(wanted == [approximation, all, approximation, details])
  }

  /// Of coefficients nothing is written to memory but what the losses read.
  @Test(arguments: [TargetNormalization.none, .subband], Subbands.allCases)
  func rawCoefficientsStayInTheCache(normalization: TargetNormalization, subbands: Subbands) throws {
    let model = WaMIMModel { ($0.normalization, $0.subbands) = (normalization, subbands) }
    let kernel = try #require(try kernels(model).first { $0.body.kind == "wavelet" })
    let written = kernel.arguments.filter { $0.access != .read && $0.access != .workspace }
    let channels = 3 * (subbands == .detail ? 3 : 4)
    #expect(Set(written.map(\.unitStride)) == Set(model.levels.map { channels * (model.image >> $0) * (model.image >> $0) }))
    guard case .sequence(let sequence) = kernel.body else { return }
    for case .wavelet(let level) in sequence.members {
      for case let band? in level.bands { #expect(band.argument == level.workspace || normalization == .none) }
    }
  }

  /// A result that something else needs too is kept in memory, and what needs more than a sample of it is a call of its own.
  @Test func othersCanReadWhatASequenceComputes() throws {
    let graph = try Graph("shared") { builder in
      let images = builder.input("images", [4, 3, 16, 16])
      let levels = images.wavelet(.db2, levels: [1, 2], subbands: .detail)
      let weights = builder.parameter("weights", [9, 4, 4], .normal(standardDeviation: 1))
      builder.output("coarse", levels[1])
      builder.output("mean", levels[0].mean([0]))
      builder.minimize((levels[1].normalized(.subband) * weights).total())
    }
    let program = try Compilation().program(for: Model(graph), text: "", compiler: "test")
    let forward = try #require(program.schedules.first { $0.name == "forward" })
    let called = forward.phases.flatMap(\.groups).flatMap(\.calls).map { program.kernels[$0.kernel.index] }
    let sequence = try #require(called.first { $0.body.kind == "wavelet" })
    let sizes = sequence.arguments.filter { $0.access != .read && $0.access != .workspace }.map(\.unitStride)
    #expect(sizes.contains(9 * 8 * 8) && sizes.contains(9 * 4 * 4))
    #expect(analyses(called).map(\.count) == [2])
  }
}
