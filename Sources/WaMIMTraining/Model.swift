import WaMIMGraph
import WaMIMLayers
@_exported import WaMIMRecipe

/// A model and the way it is trained: what the compiler makes a trainer of.
public struct Model: Hashable, Sendable {
  public var graph: Graph
  /// What a run does where it is told nothing else.
  public var recipe: Recipe
  /// How predictions become pictures, or nil where the model has no such meaning.
  public var pictures: Pictures?

  /// The model that `graph` computes.
  public init(_ graph: Graph, recipe: Recipe = Recipe(), pictures: Pictures? = nil) {
    self.graph = graph
    self.recipe = recipe
    self.pictures = pictures
  }

  /// Builds a model called `name`; predictions of wavelet coefficients become pictures of themselves.
  ///
  /// - Throws: `GraphError`, the first mistake that `body` makes.
  public init(_ name: String, recipe: Recipe = Recipe(), _ body: (GraphBuilder) throws -> Void) throws {
    let builder = GraphBuilder(name: name)
    try body(builder)
    try self.init(finishing: builder, recipe: recipe)
  }

  /// The model that `builder` has built; predictions of wavelet coefficients become pictures of themselves.
  ///
  /// - Throws: `GraphError`, the first mistake made while building.
  package init(finishing builder: GraphBuilder, recipe: Recipe) throws {
    self.init(try builder.finish(), recipe: recipe, pictures: Pictures(builder[PredictionNotes.self]))
  }

  /// What the model is called.
  public var name: String { graph.name }
}
