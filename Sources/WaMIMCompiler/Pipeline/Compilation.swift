import WaMIMGraph
import WaMIMTraining

/// The way from a model to a program: what to do, and what to leave out.
public struct Compilation: Sendable {
  /// The names of passes that are left out.
  public var disabled: Set<String>
  /// How many samples the program takes at a time.
  public var microBatch: MicroBatch
  /// The target, which says how each kernel is carried out.
  public var backend: any Backend
  /// The texts that describe the model, by the names of their files, for profiles to show.
  public var sources: [String: String]

  public init(
    disabled: Set<String> = [], microBatch: MicroBatch = .whole, backend: any Backend = ReferenceBackend(),
    sources: [String: String] = [:]
  ) {
    self.disabled = disabled
    self.microBatch = microBatch
    self.backend = backend
    self.sources = sources
  }

  /// The name of the step that lets values share kernels; it works between graphs and kernels, so it is no `Pass`.
  public static let fusion = "fuse"

  /// The name of the step that gathers calls which a target can make at the same time; it works on the order of calls.
  public static let merging = "merge"

  /// The names of the steps that leave no graph to look at.
  public static let stepsAfterGraphs = [fusion, merging]

  /// The program that trains the model, and computes its gradients and predictions for those who ask.
  ///
  /// - Parameters:
  ///   - text: The graph as text, for the trainer to show.
  ///   - compiler: The compiler's version.
  ///   - observe: Called with each schedule's graph after each pass. Where several micro-batches are tried, it sees all of them, that
  ///     of the program last.
  /// - Throws: `GraphError` or `CompilationError` where the model cannot be trained.
  public func program(
    for model: Model, text: String, compiler: String, observe: (ScheduleRole, Pass, Graph) -> Void = { _, _, _ in }
  ) throws -> Program {
    let graph = model.graph
    if let problem = model.recipe.problems.first { throw CompilationError("the recipe of '\(model.name)': \(problem)") }
    guard graph.data != nil else {
      throw GraphError("the model '\(graph.name)' takes no images: declare an input [batch, channels, height, width]")
    }
    guard !graph.learnedParameters.isEmpty || !model.roles.contains(where: \.trains) else {
      throw GraphError("the model '\(graph.name)' has no parameters, so there is nothing to train")
    }
    var least: (samples: Int, bytes: Int)?
    var obstacle: CompilationError?
    for samples in try microBatch.candidates(for: graph, backend.chunking) {
      let program: Program
      do {
        program = try self.program(for: model, samples: samples, text: text, compiler: compiler, observe: observe)
      } catch is CompilationError where microBatch == .automatic && samples < graph.batch {
        continue
      } catch let error as CompilationError where least != nil {
        // The batch as a whole is too large, and cannot be cut.
        obstacle = error
        break
      }
      if microBatch.allows(program.peakBytes) { return program }
      if program.peakBytes < least?.bytes ?? .max { least = (samples, program.peakBytes) }
    }
    throw tooSmall(graph, least ?? (graph.batch, 0), obstacle)
  }

  /// The program that takes `samples` samples at a time.
  private func program(
    for model: Model, samples: Int, text: String, compiler: String, observe: (ScheduleRole, Pass, Graph) -> Void
  ) throws -> Program {
    let graph = model.graph
    let isCut = samples < graph.batch
    func cut(_ graph: Graph) throws -> CutGraph {
      isCut ? try graph.cut(into: graph.batch / samples) : CutGraph(graph: graph, combinations: [:])
    }
    let trained = try cut(graph)
    let evaluated = try model.evaluation.map(cut) ?? trained
    let rule = UpdateRule(model.recipe)
    let precision = precision(of: model)
    var schedules: [ProgramBuilder.Source] = []
    // Only a step on a whole batch is made in one round.
    let hasCopies = !(precision.copies ?? []).isEmpty
    for role in model.roles where !(isCut && role == .step) && (hasCopies || role != .round) {
      let source = role.trains ? trained : evaluated
      let optimized = try Passes.run(
        source.graph, for: role, updating: rule, precision: precision, disabled: disabled
      ) { observe(role, $0, $1) }
      schedules.append(.init(role: role, graph: optimized, combinations: source.combinations))
    }
    let subject = ProgramBuilder.Subject(
      model: model, text: text, compiler: compiler, microBatch: samples, sources: sources)
    var builder = ProgramBuilder(
      subject, fuses: !disabled.contains(Compilation.fusion), merges: !disabled.contains(Compilation.merging), backend: backend)
    return try builder.build(schedules)
  }

  /// The precision that `model` asks for, if the pass that brings it is not left out.
  private func precision(of model: Model) -> Precision {
    guard model.recipe.isMixedPrecision, !disabled.contains(Passes.mixPrecision(copies: []).name) else { return .float32 }
    let graphs = [model.graph] + (model.evaluation.map { [$0] } ?? [])
    return .mixed(copies: graphs.reduce(into: []) { $0.formUnion($1.parametersReadByProducts()) })
  }

  /// What to say where no micro-batch fits the budget, but one of `least` takes the least.
  private func tooSmall(
    _ graph: Graph, _ least: (samples: Int, bytes: Int), _ obstacle: CompilationError?
  ) -> CompilationError {
    guard case .within(let budget) = microBatch else { return CompilationError("no micro-batch of the batch could be compiled") }
    let sizes = "training takes more memory than \(mebibytes(budget)): at least \(mebibytes(least.bytes)), "
    let reason =
      if let obstacle { "as \(obstacle.message)" } else { "with \(least.samples) of \(graph.batch) samples at a time" }
    return CompilationError(sizes + reason, at: obstacle?.location)
  }
}
