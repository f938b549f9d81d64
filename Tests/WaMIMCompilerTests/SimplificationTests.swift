import TestSupport
import Testing
import WaMIMCompiler
import WaMIMGraph
import WaMIMInterpreter

/// A small function and what is left of it after simplification.
struct SimplificationCase: Sendable, CustomStringConvertible {
  var description: String
  var shape: Shape
  /// The operations that stay, sources aside.
  var remaining: [String]
  var build: @Sendable (Tensor) -> Tensor

  init(_ description: String, _ shape: Shape = [2, 3], leaves remaining: [String], _ build: @escaping @Sendable (Tensor) -> Tensor)
  {
    (self.description, self.shape, self.remaining, self.build) = (description, shape, remaining, build)
  }
}

extension Graph {
  /// The graph after the passes called `names`, one after the other.
  func after(_ names: String...) throws -> Graph {
    try names.reduce(self) { graph, name in
      let pass = try #require(Passes.all.first { $0.name == name }, "no pass '\(name)'")
      return try pass.transform(graph)
    }
  }

  /// The names of the operations that compute something.
  var computations: [String] { nodes.filter { !$0.operation.isSource }.map(\.operation.name) }
}

struct SimplificationTests {
  static let arithmetic: [SimplificationCase] = [
    .init("x + 0", leaves: []) { $0 + 0 },
    .init("0 + x", leaves: []) { $0.builder.constant(0) + $0 },
    .init("x - 0", leaves: []) { $0 - 0 },
    .init("0 - x", leaves: ["negate"]) { $0.builder.constant(0) - $0 },
    .init("x * 1", leaves: []) { $0 * 1 },
    .init("x / 1", leaves: []) { $0 / 1 },
    .init("x * 0 stays, for x may be no number", leaves: ["multiply"]) { $0 * 0 },
    .init("-(-x)", leaves: []) { -(-$0) },
    .init("x - (-y)", leaves: ["exp", "add"]) { $0 - (-$0.applying(.exponential)) },
    .init("chains of factors", leaves: ["multiply"]) { -($0 * 2 * 3 / 4) },
    .init("factors of sums", leaves: ["sum", "multiply"]) { (-($0 * 2)).sum([1]) },
    .init("maximum of x and x", leaves: []) { $0.maximum($0) },
    .init("x + x", leaves: ["multiply"]) { $0 + $0 * 1 },
    .init("a term twice", leaves: ["exp", "multiply", "add"]) {
      let y = $0.applying(.exponential)
      return y + $0 + y
    },
    .init("a factor goes to what is repeated", leaves: ["sum", "multiply", "broadcast", "multiply"]) {
      $0 * ($0.sum([1]) * 3).broadcast(to: $0.shape) * 2
    },
    .init("numbers", leaves: ["add"]) { $0 + ($0.builder.constant(2).applying(.squareRoot) * 3) },
    .init("functions of repeated elements", leaves: ["reshape", "multiply", "exp", "broadcast"]) {
      ($0.sliced(1, 0..<3).reshaped([6]).broadcast(to: [4, 6]) * 2).applying(.exponential)
    },
  ]

  static let movement: [SimplificationCase] = [
    .init("reshape of reshape", leaves: ["reshape"]) { $0.reshaped([6]).reshaped([3, 2]) },
    .init("reshape there and back", leaves: []) { $0.reshaped([6]).reshaped([2, 3]) },
    .init("transpose there and back", leaves: []) { $0.transposed([1, 0]).transposed([1, 0]) },
    .init("transposed axes of extent 1", [2, 1, 3], leaves: ["reshape"]) { $0.transposed([1, 0, 2]) },
    .init("broadcast of broadcast", [3], leaves: ["broadcast"]) { $0.broadcast(to: [2, 3]).broadcast(to: [4, 2, 3]) },
    .init("slice of the whole", leaves: []) { $0.sliced(1, 0..<3) },
    .init("slice of slice", [8], leaves: ["slice"]) { $0.sliced(0, 1..<8, step: 2).sliced(0, 1..<3) },
    .init("slice of repeated elements", leaves: ["broadcast"]) { $0.broadcast(to: [5, 2, 3]).sliced(0, 1..<3) },
    .init("slice of a concatenation", leaves: ["slice"]) {
      Tensor.concatenated([$0, $0 * 2], axis: 1, in: $0.builder).sliced(1, 1..<3)
    },
    .init("slices put together again", leaves: []) {
      .concatenated([$0.sliced(1, 0..<1), $0.sliced(1, 1..<3)], axis: 1, in: $0.builder)
    },
    .init("concatenation of concatenations", leaves: ["concatenate"]) {
      .concatenated([.concatenated([$0, $0], axis: 0, in: $0.builder), $0], axis: 0, in: $0.builder)
    },
  ]

  static let reductions: [SimplificationCase] = [
    .init("sum along an extent of 1", [2, 1], leaves: []) { $0.sum([1]) },
    .init("sum of sum", leaves: ["sum"]) { $0.sum([0]).sum([1]) },
    .init("sum of repeated elements", [1, 3], leaves: ["multiply"]) { $0.broadcast(to: [5, 3]).sum([0]) },
    .init("maximum of repeated elements", [1, 3], leaves: []) { $0.broadcast(to: [5, 3]).max([0]) },
    .init("matmul of transposed matrices", leaves: ["matmul"]) { $0.transposed([1, 0]).matmul($0) },
    .init("matmul by a repeated matrix", leaves: ["reshape", "matmul"]) {
      $0.reshaped([2, 1, 3]).matmul($0.broadcast(to: [2, 2, 3]), transposeRight: true)
    },
  ]

  @Test(arguments: arithmetic + movement + reductions) func leavesNoMoreThanItMust(rule: SimplificationCase) throws {
    let graph = try Graph("rule") { builder in
      builder.output("y", rule.build(builder.input("x", rule.shape)))
    }
    let simplified = try graph.after("simplify", "dead-code")
    #expect(simplified.computations == rule.remaining)
    var generator = SeededGenerator(seed: 4)
    let sources = graph.randomSources(using: &generator)
    let (before, after) = (try Interpreter(graph).evaluate(sources)["y"], try Interpreter(simplified).evaluate(sources)["y"])
    #expect(before?.shape == after?.shape)
    #expect(relativeError(after?.elements ?? [], before?.elements ?? []) < 1e-6)
  }

  @Test func scatteringByAPermutationBecomesGathering() throws {
    let graph = try Graph("permuted") { builder in
      let rank = builder.add(.rank, [builder.input("noise", [2, 5], from: .random)])
      let rows = builder.parameter("rows", [2, 5, 3], .constant(1)).gathered(rank)
      builder.minimize((rows * rows).total())
    }
    let names = try graph.differentiated().withAccumulation().after("simplify", "dead-code").computations
    #expect(names.contains("gather") && !names.contains("scatter_add"))
  }

  @Test func detachmentsStayUntilThereAreGradients() throws {
    let graph = try Graph("detached") { builder in
      let x = builder.parameter("x", [3], .constant(1))
      builder.minimize((x * x.detached()).total())
    }
    #expect(try graph.after("simplify").computations.contains("detach"))
    #expect(try !graph.after("remove-detach").computations.contains("detach"))
  }

  @Test func commonSubexpressionsAreComputedOnceWhateverTheOrderOfTerms() throws {
    let graph = try Graph("common") { builder in
      let (x, y) = (builder.input("x", [3]), builder.parameter("y", [3], .constant(1)))
      builder.output("z", (x + y) * (y + x) + (x - y) * (y - x))
    }
    #expect(
      try graph.after("common-subexpressions").computations == ["add", "multiply", "subtract", "subtract", "multiply", "add"])
  }

  @Test func deadCodeLeavesTheInterface() throws {
    let graph = try Graph("dead") { builder in
      let (x, y) = (builder.input("x", [3]), builder.parameter("y", [3], .constant(1)))
      _ = (x * y).applying(.exponential)
      builder.output("sum", x + x)
    }
    let pruned = try graph.after("dead-code")
    #expect(pruned.computations == ["add"])
    #expect(pruned.nodes.compactMap(\.operation.sourceName) == ["x", "y"])
  }

  @Test func passesShrinkModels() throws {
    let model = try WaMIMModel().graph()
    let before = try Passes.run(model, for: .gradients, disabled: Set(Passes.all.map(\.name)))
    // What is hoisted is computed twice, each time on fewer rows.
    let after = try Passes.run(model, for: .gradients, disabled: ["recompute", "hoist-invariant-rows"])
    #expect(Double(after.nodes.count) < 0.85 * Double(before.nodes.count))
  }

  @Test(arguments: [ScheduleRole.step, .gradients, .forward]) func passesSaveMultiplications(purpose: ScheduleRole) throws {
    let model = try WaMIMModel { $0.batch = 8 }.graph()
    let before = try Passes.run(model, for: purpose, disabled: Set(Passes.all.map(\.name))).multiplications
    let after = try Passes.run(model, for: purpose).multiplications
    #expect(Double(after) < 0.95 * Double(before), "\(after) of \(before)")
    // Predictions of visible patches are asked for apart from training: then no token is without a query.
    let saving = ["hoist-gathers", "hoist-slices", "hoist-invariant-rows"] + (purpose == .forward ? [] : ["hoist-columns"])
    for name in saving {
      let without = try Passes.run(model, for: purpose, disabled: [name]).multiplications
      #expect(after < without, "\(name) saves nothing: \(after) with it, \(without) without")
    }
  }
}

extension Graph {
  /// How many multiplications the matmuls and attentions take.
  fileprivate var multiplications: Int {
    nodes.reduce(0) { total, node in
      let operands = node.operands.map { self[$0].type.shape }
      switch node.operation {
      case .matmul(let transposeLeft, _): return total + node.type.shape.count * operands[0][transposeLeft ? -2 : -1]
      case .attention, .attentionGradient: return total + 2 * operands[0].count * operands[1][1]
      default: return total
      }
    }
  }
}
