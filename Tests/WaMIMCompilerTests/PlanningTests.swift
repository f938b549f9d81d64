import TestSupport
import Testing
import WaMIMCompiler
import WaMIMGraph
import WaMIMLayers
import WaMIMTraining

/// Plans of memory and of work: nothing overlaps that must not.
struct PlanningTests {
  @Test(arguments: 1...5 as ClosedRange<UInt64>) func arraysThatLiveTogetherDoNotOverlap(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let requests = (0..<200).map { _ in
      let start = Int.random(in: 0..<50, using: &generator)
      return ArenaPlanner.Request(
        byteCount: Int.random(in: 1...5000, using: &generator), live: start...Int.random(in: start..<60, using: &generator))
    }
    let planner = ArenaPlanner(requests)
    for (index, first) in requests.enumerated() {
      let range = planner.offsets[index]..<planner.offsets[index] + first.byteCount
      #expect(range.lowerBound % ArenaPlanner.alignment == 0 && range.upperBound <= planner.byteCount)
      for other in requests.indices where other > index && requests[other].live.overlaps(first.live) {
        let others = planner.offsets[other]..<planner.offsets[other] + requests[other].byteCount
        #expect(!range.overlaps(others), "seed \(seed): requests \(index) and \(other)")
      }
    }
    let largest = (0..<60).map { time in requests.reduce(0) { $1.live.contains(time) ? $0 + $1.byteCount : $0 } }.max() ?? 0
    #expect(planner.byteCount >= largest)
    #expect(planner.byteCount < 2 * largest, "memory is reused")
  }

  /// No group of a phase writes what another group of the same phase touches, so that threads can run them side by side.
  @Test(arguments: WaMIMModel.variety + [WaMIMModel()]) func groupsOfAPhaseDoNotMeet(model: WaMIMModel) throws {
    let program = try Compilation().program(for: Model(model.graph()), text: "", compiler: "test")
    for schedule in program.schedules {
      for (index, phase) in schedule.phases.enumerated() {
        let touched = phase.groups.map { group in group.calls.flatMap { ranges(of: $0, group.units, program) } }
        for (first, others) in touched.enumerated() {
          let written = others.filter(\.isWritten)
          for second in touched.indices where second != first {
            let meets = written.contains { write in
              touched[second].contains {
                $0.storage == write.storage && $0.bytes.overlaps(write.bytes) && !$0.isApart(from: write)
              }
            }
            #expect(!meets, "\(schedule.name), phase \(index), groups \(first) and \(second)")
          }
        }
      }
    }
  }

  @Test(arguments: WaMIMModel.variety + [WaMIMModel()]) func everythingLiesWithinItsMemory(model: WaMIMModel) throws {
    let program = try Compilation().program(for: Model(model.graph()), text: "", compiler: "test")
    for schedule in program.schedules {
      for group in schedule.phases.flatMap(\.groups) {
        #expect((1...max(1, group.units)).contains(group.chunks))
        for call in group.calls {
          for range in ranges(of: call, group.units, program) {
            #expect(range.bytes.upperBound <= (range.storage == .arena ? schedule.arenaBytes : program.accumulatorBytes))
          }
        }
      }
    }
  }

  /// Where the loss is known, no parameter and no moment has changed yet, so that the step can be left and made again.
  @Test(arguments: WaMIMModel.variety + [WaMIMModel()], [Set(), Set(Passes.all.map(\.name)), [Compilation.fusion]])
  func statesAreUpdatedAfterTheLossIsKnown(model: WaMIMModel, disabled: Set<String>) throws {
    let program = try Compilation(disabled: disabled).program(for: Model(model.graph()), text: "", compiler: "test")
    let states = program.manifest.states.map { $0.tensor.offset..<$0.tensor.offset + 4 * $0.tensor.count }
    for (schedule, described) in zip(program.schedules, program.manifest.schedules) {
      let written = schedule.phases.map { phase in
        phase.groups.contains { group in
          group.calls.flatMap { ranges(of: $0, group.units, program) }.contains { touched in
            touched.isWritten && touched.storage == .arena && states.contains { $0.overlaps(touched.bytes) }
          }
        }
      }
      switch ScheduleRole(rawValue: schedule.name) {
      case .step:
        let loss = try #require(described.lossPhase)
        #expect(!written[...loss].contains(true) && written[(loss + 1)...].contains(true))
      case .update, .average: #expect(written.contains(true))
      default: #expect(!written.contains(true), "\(schedule.name)")
      }
      #expect(schedule.usesAccumulators == ["gradients", "update"].contains(schedule.name))
      #expect(described.usesAccumulators == schedule.usesAccumulators)
    }
  }

  /// Running means are memory of their own, which a run without them leaves alone.
  @Test func runningMeansLieBehindAllElse() throws {
    let program = try Compilation().program(for: Model(WaMIMModel().graph()), text: "", compiler: "test")
    let averages = program.manifest.states.filter(\.role.isAverage)
    let others = program.schedules.filter { $0.name != "average" }
    #expect(averages.count == program.manifest.states.count { $0.role == .parameter })
    #expect(others.count == program.schedules.count - 1)
    let end = try #require(others.map(\.arenaBytes).max())
    #expect(averages.allSatisfy { $0.tensor.offset >= end && $0.tensor.offset + $0.tensor.byteCount <= program.arenaBytes })
    let plans = [[], [.average]].map { program.manifest.memoryPlan(schedules: [.step] + $0, threads: 1) }
    #expect(plans[1].total - plans[0].total >= averages.reduce(0) { $0 + $1.tensor.byteCount })
  }

  /// The gradient of a weight is added to its accumulator by the product that computes it.
  @Test func productsAccumulate() throws {
    let program = try Compilation().program(for: Model(WaMIMModel().graph()), text: "", compiler: "test")
    let gradients = try #require(program.schedules.first { $0.name == "gradients" })
    let weights = program.manifest.accumulators.filter { $0.name.contains("mlp.fc") && $0.name.hasSuffix("weight") }
    #expect(weights.count >= 8)
    for weight in weights {
      let calls = gradients.phases.flatMap(\.groups).flatMap(\.calls).filter { call in
        call.arguments.contains { $0.storage == .accumulators && $0.offset == weight.offset }
      }
      let kernels = calls.map { program.kernels[$0.kernel.index].body }
      guard case .matmul(let matmul)? = kernels.first, kernels.count == 1 else {
        // Rows that all samples share are multiplied apart.
        #expect(weight.name.hasPrefix("decoders."), "\(weight.name)")
        continue
      }
      #expect(matmul.accumulates && matmul.epilogue == nil)
    }
  }

  /// Nothing reads a parameter or a moment in a later phase than the one in which it is updated.
  @Test(arguments: WaMIMModel.variety + [WaMIMModel()]) func statesAreReadBeforeTheyAreUpdated(model: WaMIMModel) throws {
    let program = try Compilation().program(for: Model(model.graph()), text: "", compiler: "test")
    let step = try #require(program.schedules.first { $0.name == "step" })
    let touched = step.phases.map { $0.groups.flatMap { group in group.calls.flatMap { ranges(of: $0, group.units, program) } } }
    for state in program.manifest.states.map(\.tensor) {
      let bytes = state.offset..<state.offset + 4 * state.count
      let phases = touched.indices.filter { touched[$0].contains { $0.storage == .arena && $0.bytes.overlaps(bytes) } }
      let written = touched.indices.filter { phase in
        touched[phase].contains { $0.storage == .arena && $0.isWritten && $0.bytes.overlaps(bytes) }
      }
      #expect(written == phases.suffix(1), "\(state.name)")
    }
  }

  /// Where the loss is known before, the optimiser follows the product that computes a weight's gradient, in the same kernel.
  @Test func gradientsAreConsumedWhereTheyAreMade() throws {
    let program = try Compilation().program(for: Model(WaMIMModel { $0.batch = 32 }.graph()), text: "", compiler: "test")
    for schedule in program.schedules {
      let consuming = schedule.phases.flatMap(\.groups).flatMap(\.calls).filter { call in
        guard case .matmul(let matmul) = program.kernels[call.kernel.index].body else { return false }
        return matmul.result.argument == matmul.workspace
      }
      let updated = program.manifest.states.map(\.tensor).filter { state in
        consuming.contains { call in call.arguments.contains { $0.storage == .arena && $0.offset == state.offset } }
      }
      guard schedule.name == "step" else {
        #expect(consuming.isEmpty, "\(schedule.name)")
        continue
      }
      #expect(consuming.count >= 8)
      #expect(updated.count == 3 * consuming.count && updated.allSatisfy { $0.shape.count == 2 })
    }
  }

  /// The gradient of a matrix that is multiplied with itself reads all of it, so that nothing of it may be updated by then.
  @Test func noProductReadsWhatFollowsItWritesOver() throws {
    let graph = try Graph("square") { builder in
      let weight = builder.parameter("weight", [24, 24], .xavierUniform(fanIn: 24, fanOut: 24))
      let rows = builder.input("images", [2, 1, 4, 24]).reshaped([8, 24])
      let centred = rows.matmul(weight.matmul(weight))
      builder.minimize((centred * centred).total())
    }
    let program = try Compilation().program(for: Model(graph), text: "", compiler: "test")
    for call in program.schedules.flatMap(\.phases).flatMap(\.groups).flatMap(\.calls) {
      let kernel = program.kernels[call.kernel.index]
      guard case .matmul(let matmul) = kernel.body else { continue }
      let written = zip(kernel.arguments, call.arguments).filter { $0.0.access != .read }.map(\.1)
      for operand in [matmul.left, matmul.right] { #expect(!written.contains(call.arguments[operand.argument])) }
    }
  }

  @Test func theLargestMicroBatchThatFitsIsTaken() throws {
    let graph = try WaMIMModel { $0.batch = 12 }.graph()
    func program(_ microBatch: MicroBatch) throws -> Program {
      try Compilation(microBatch: microBatch).program(for: Model(graph), text: "", compiler: "test")
    }
    let divisors = [12, 6, 4, 3, 2, 1]
    let peaks = try divisors.map { try program(.samples($0)).peakBytes }
    #expect(try program(.whole).peakBytes == peaks[0])
    for (index, peak) in peaks.enumerated() {
      let largest = try #require(peaks.firstIndex { $0 <= peak })
      #expect(try program(.within(bytes: peak)).manifest.microBatch == divisors[largest], "\(divisors[index])")
    }
    let least = try #require(peaks.min())
    #expect(least < peaks[0])
    let error = try #require(throws: CompilationError.self) { try program(.within(bytes: least - 1)) }
    let best = divisors[peaks.firstIndex(of: least) ?? 0]
    #expect(error.message.hasSuffix("MiB, with \(best) of 12 samples at a time"), "\(error)")
    #expect(throws: CompilationError.self) { try program(.samples(5)) }
    #expect(throws: CompilationError.self) { try program(.samples(0)) }
  }

  /// Where nobody says anything, a large batch is cut into micro-batches that are just large enough, and a small one is not.
  @Test func largeBatchesAreCutByThemselves() throws {
    func program(_ batch: Int, _ microBatch: MicroBatch) throws -> Program {
      try Compilation(microBatch: microBatch).program(
        for: Model(WaMIMModel { $0.batch = batch }.graph()), text: "", compiler: "test")
    }
    #expect(try program(24, .automatic).manifest.microBatch == 24)
    let large = try program(192, .automatic)
    #expect(large.manifest.microBatch < 192 && 192 % large.manifest.microBatch == 0)
    #expect(try large.peakBytes < program(192, .whole).peakBytes)
  }

  /// How a batch is cut follows from what training takes, whatever else a program can do.
  @Test func featuresOfWholeImagesDoNotCutTheBatch() throws {
    func microBatch(withFeatures: Bool) throws -> Int {
      let graph = try Graph("encoder") { builder in
        let images = builder.input("images", [256, 3, 32, 32])
        let vit = ViT(patch: 8, dim: 16, depth: 2, heads: 2, taps: [2])
        let mask = builder.randomMask(of: images, patch: 8, ratio: 0.75)
        let target = images.wavelet(.haar, levels: [3], subbands: .detail)[0]
        builder.minimize(
          Decoder(dim: 8, heads: 2)(vit(images, visibleIn: mask)[0], mask, like: target).meanSquaredError(target, on: mask))
        if withFeatures {
          let wide = images.reshaped([256, 96, 32]).matmul(builder.parameter("wide", [32, 512], .constant(1)))
          builder.output(Graph.featuresName, wide.mean([1]))
        }
      }
      return try Compilation(microBatch: .automatic).program(for: Model(graph), text: "", compiler: "test").manifest.microBatch
    }
    #expect(try microBatch(withFeatures: true) == microBatch(withFeatures: false))
  }

  @Test func aBatchThatCannotBeCutStaysWhole() throws {
    let graph = try Graph("mixture") { builder in
      let x = builder.input("images", [4096, 4, 2, 2]) * builder.parameter("scale", [1], .constant(1))
      builder.minimize((x / x.sum([0])).total())
    }
    let program = try Compilation(microBatch: .automatic).program(for: Model(graph), text: "", compiler: "test")
    #expect(program.manifest.microBatch == 4096)
  }

  @Test func whatKeepsABatchFromBeingCutIsSaidWithTheBudget() throws {
    let graph = try Graph("mixture") { builder in
      let x = builder.input("images", [6, 4, 2, 2]) * builder.parameter("scale", [1], .constant(1))
      builder.minimize((x / x.sum([0])).total())
    }
    let error = try #require(throws: CompilationError.self) {
      try Compilation(microBatch: .within(bytes: 64)).program(for: Model(graph), text: "", compiler: "test")
    }
    #expect(error.message.contains("MiB, as the batch cannot be cut: this divide mixes"), "\(error)")
  }

  private struct Touched {
    var storage: Placement.Storage
    var bytes: Range<Int>
    var isWritten: Bool
    /// The kernel that touches them, and the number of the argument.
    var kernel: Kernel
    var argument: Int

    /// Whether both are written, but in different elements of one array.
    func isApart(from other: Touched) -> Bool {
      guard let elements, let others = other.elements else { return false }
      return elements.isDisjoint(with: others)
    }

    /// What is written, in elements from the beginning of the memory; nil where something is read.
    private var elements: Set<Int>? {
      guard kernel.arguments[argument].access == .write, let written = kernel.writtenElements(of: argument) else { return nil }
      return Set(written.map { bytes.lowerBound / ElementType.float32.byteCount + $0 })
    }
  }

  /// The bytes of the memories that threads share which a call touches in all its units.
  private func ranges(of call: Call, _ units: Int, _ program: Program) -> [Touched] {
    let kernel = program.kernels[call.kernel.index]
    return zip(call.arguments, kernel.arguments.indices).compactMap { placement, number in
      let argument = kernel.arguments[number]
      guard placement.storage != .scratch else { return nil }
      let elements =
        argument.unitStride > 0 ? argument.unitStride * (units - 1) + min(argument.count, argument.unitStride) : argument.count
      return Touched(
        storage: placement.storage, bytes: placement.offset..<placement.offset + elements * ElementType.float32.byteCount,
        isWritten: argument.access == .write || argument.access == .update, kernel: kernel, argument: number)
    }
  }
}
