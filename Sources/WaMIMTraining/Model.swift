import WaMIMGraph
import WaMIMLayers
@_exported import WaMIMRecipe

/// A model and the way it is trained: what the compiler makes a trainer of.
public struct Model: Hashable, Sendable {
  public var graph: Graph
  /// What it computes when it is evaluated, where that is something else: with running statistics, and nothing dropped.
  public var evaluation: Graph?
  /// What a run does where it is told nothing else.
  public var recipe: Recipe
  /// How predictions become pictures, or nil where the model has no such meaning.
  public var pictures: Pictures?

  /// The model that `graph` computes.
  public init(_ graph: Graph, evaluation: Graph? = nil, recipe: Recipe = Recipe(), pictures: Pictures? = nil) {
    self.graph = graph
    self.evaluation = evaluation
    self.recipe = recipe
    self.pictures = pictures
  }

  /// Builds a model called `name`; predictions of wavelet coefficients become pictures of themselves.
  ///
  /// `body` is run twice: once with a builder whose `isTraining` is true, and once with one whose is false, for the model as it is
  /// evaluated.
  /// - Throws: `GraphError`, the first mistake that `body` makes.
  public init(_ name: String, recipe: Recipe = Recipe(), _ body: (GraphBuilder) throws -> Void) throws {
    let builder = GraphBuilder(name: name)
    try body(builder)
    try self.init(finishing: builder, recipe: recipe)
    let evaluated = GraphBuilder(name: name)
    evaluated.isTraining = false
    try body(evaluated)
    let evaluation = try evaluated.finish().sparing(recipe.spared.all)
    if evaluation != graph { self.evaluation = evaluation }
  }

  /// The model that `builder` has built; predictions of wavelet coefficients become pictures of themselves.
  ///
  /// - Throws: `GraphError`, the first mistake made while building.
  package init(finishing builder: GraphBuilder, recipe: Recipe) throws {
    self.init(try builder.finish().sparing(recipe.spared.all), recipe: recipe, pictures: Pictures(builder[PredictionNotes.self]))
  }

  /// What the model is called.
  public var name: String { graph.name }

  /// The schedules that a program of the model has: one without a loss only gives what it computes.
  public var roles: [ScheduleRole] {
    let evaluated = evaluation ?? graph
    let hasFeatures = evaluated.outputs.contains { $0.name == Graph.featuresName }
    let givesOthers = evaluated.outputs.contains { $0.name != Graph.featuresName }
    return ScheduleRole.allCases.filter { role in
      switch role {
      case .step, .gradients, .update, .average: graph.loss != nil || !hasFeatures
      case .forward: graph.loss != nil || givesOthers || !hasFeatures
      case .features: hasFeatures
      case .round: recipe.isMixedPrecision
      }
    }
  }
}
