import TestSupport
import Testing
import WaMIMCompiler
import WaMIMGraph
import WaMIMManifest
import WaMIMTraining
import WaMIMTypes

/// Calls that a target makes at the same time.
struct ParallelCallTests {
  /// A target that runs kernels of one kind at the same time.
  private struct MergingBackend: Backend {
    let chunking = Chunking(rows: 1 << 40, least: 1, bytes: 1 << 60)
    let parallelArguments = 64
    let makesCallsInTurn = true

    func variant(of kernel: Kernel, units: Int) -> Variant {
      let hasWorkspace = kernel.arguments.contains { $0.access == .workspace && $0.count > 0 }
      return Variant(
        name: "merging", block: kernel.wholeResult?.extent, companions: hasWorkspace ? nil : .any(of: kernel.body.kind))
    }
  }

  private func program(_ model: WaMIMModel, merges: Bool = true) throws -> Program {
    try Compilation(disabled: merges ? [] : [Compilation.merging], backend: MergingBackend())
      .program(for: Model(model.graph()), text: "", compiler: "test")
  }

  private func isMerged(_ call: Call, _ program: Program) -> Bool {
    if case .parallel = program.kernels[call.kernel.index].body { true } else { false }
  }

  private func calls(_ schedule: Schedule) -> [Call] { schedule.phases.flatMap(\.groups).flatMap(\.calls) }

  /// What a kernel does, and how often: of kernels that run at the same time, each of them.
  private func work(_ kernel: Kernel) -> [(kernel: Kernel, count: Int)] {
    guard case .parallel(let parallel) = kernel.body else { return [(kernel, 1)] }
    return parallel.groups.map { ($0.kernel, $0.count) }
  }

  @Test(arguments: WaMIMModel.variety + [WaMIMModel()]) func nothingIsLostAndNothingMadeTwice(model: WaMIMModel) throws {
    let (merged, apart) = (try program(model), try program(model, merges: false))
    for (schedule, other) in zip(merged.schedules, apart.schedules) {
      func counts(_ schedule: Schedule, _ program: Program) -> [Kernel: Int] {
        let all = calls(schedule).flatMap { work(program.kernels[$0.kernel.index]) }
        return all.reduce(into: [:]) { $0[$1.kernel, default: 0] += $1.count }
      }
      #expect(counts(schedule, merged) == counts(other, apart), "\(schedule.name)")
      #expect(calls(schedule).count <= calls(other).count)
      #expect(calls(schedule).allSatisfy { $0.arguments.count <= MergingBackend().parallelArguments || !isMerged($0, merged) })
    }
    let step = try #require(merged.schedules.firstIndex { $0.name == "step" })
    #expect(calls(merged.schedules[step]).count < calls(apart.schedules[step]).count * 2 / 3)
    for figure in [\Manifest.Call.flops, \.bytes, \.productFlops] as [KeyPath<Manifest.Call, Int>] {
      let sums = [merged, apart].map { $0.manifest.calls.reduce(0) { $0 + $1[keyPath: figure] } }
      #expect(sums[0] == sums[1])
    }
  }

  /// A step whose loss is not finite is left before it changes anything.
  @Test func statesAreUpdatedAfterTheLossIsKnown() throws {
    let program = try program(WaMIMModel())
    let schedule = try #require(program.schedules.firstIndex { $0.name == "step" })
    let loss = try #require(program.manifest.schedules[schedule].lossPhase)
    let states = Set(program.manifest.states.map(\.tensor.offset))
    for (number, phase) in program.schedules[schedule].phases.enumerated() {
      for call in phase.groups.flatMap(\.calls) {
        let written = zip(program.kernels[call.kernel.index].arguments, call.arguments).filter { $0.0.access != .read }
        let updates = written.contains { $0.1.storage == .arena && states.contains($0.1.offset) }
        if updates { #expect(number > loss) }
      }
    }
  }
}
