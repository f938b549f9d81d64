import WaMIMGraph

/// The way from a model's graph to a program: what to do, and what to leave out.
public struct Compilation: Sendable {
  /// The names of passes that are left out.
  public var disabled: Set<String> = []

  public init(disabled: Set<String> = []) {
    self.disabled = disabled
  }

  /// The name of the step that lets values share kernels; it works between graphs and kernels, so it is no `Pass`.
  public static let fusion = "fuse"

  /// The program that trains the model, and computes its gradients and predictions for those who ask.
  ///
  /// - Parameters:
  ///   - text: The graph as text, for the trainer to show.
  ///   - compiler: The compiler's version.
  ///   - observe: Called with each schedule's graph after each pass.
  /// - Throws: `GraphError` or `CompilationError` where the model cannot be trained.
  public func program(
    for graph: Graph, text: String, compiler: String, observe: (Purpose, Pass, Graph) -> Void = { _, _, _ in }
  ) throws -> Program {
    guard graph.images != nil else {
      throw GraphError("the model '\(graph.name)' takes no images: declare an input [batch, channels, height, width]")
    }
    guard !graph.parameters.isEmpty else {
      throw GraphError("the model '\(graph.name)' has no parameters, so there is nothing to train")
    }
    var parts: [ProgramBuilder.Part] = []
    for purpose in Purpose.allCases {
      let optimized = try Passes.run(graph, for: purpose, disabled: disabled) { observe(purpose, $0, $1) }
      parts.append(.init(name: purpose.rawValue, graph: optimized))
    }
    var builder = ProgramBuilder(fuses: !disabled.contains(Compilation.fusion))
    return try builder.build(graph.name, parts, source: graph, text: text, compiler: compiler)
  }
}
