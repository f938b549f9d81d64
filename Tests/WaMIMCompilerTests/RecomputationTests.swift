import TestSupport
import Testing
import WaMIMCompiler
import WaMIMGraph
import WaMIMInterpreter
import WaMIMLayers

/// What a step keeps for its backward pass.
struct RecomputationTests {
  private func stored(_ graph: Graph) -> [String] {
    graph.storedForBackward.map { "\(graph[$0].scope): \(graph[$0].operation.name) \(graph[$0].type.shape)" }
  }

  /// A residual block of layer norm, two linear layers and a GELU between them.
  private func mlp(batch: Int, tokens: Int, width: Int) throws -> Graph {
    try Graph("mlp") { builder in
      let x = Linear(width: width)(builder.input("x", [batch, tokens, width]), name: "first")
      let normalized = LayerNorm()(x, name: "norm")
      let hidden = Linear(width: 4 * width)(normalized, name: "fc1").gelu()
      let y = x + Linear(width: width)(hidden, name: "fc2")
      builder.minimize((Linear(width: 1)(y, name: "last")).total())
    }
  }

  @Test func anMLPKeepsItsInputsAndRowScalars() throws {
    let graph = try Passes.run(try mlp(batch: 2, tokens: 5, width: 32), for: .step)
    #expect(
      stored(graph) == [
        "first: add [2, 5, 32]",
        "norm: multiply [2, 5, 1]",
        "norm: rsqrt [2, 5, 1]",
        "fc1: add [2, 5, 128]",
        ": add [2, 5, 32]",
      ])
  }

  @Test func withoutThePassEveryStepIsKept() throws {
    func bytes(_ disabled: Set<String>) throws -> Int {
      let graph = try Passes.run(try mlp(batch: 2, tokens: 5, width: 32), for: .step, disabled: disabled)
      return graph.storedForBackward.reduce(0) { $0 + graph[$1].type.byteCount }
    }
    #expect(try bytes([]) * 2 < bytes(["recompute"]))
  }

  /// Queries, keys and values are kept as the one product that they are slices of, the GELU and norms by their inputs.
  @Test func aTransformerBlockKeepsTenWidthsAToken() throws {
    let model = WaMIMModel()
    let graph = try Passes.run(try model.graph(), for: .step)
    let block = graph.storedForBackward.filter { graph[$0].scope.hasPrefix("blocks.1") }
    let row = block.filter { graph[$0].type.shape[-1] > 1 }
    #expect(row.allSatisfy { graph[$0].type.shape[1] == 17 })
    #expect(row.map { graph[$0].type.shape[2] / model.dim } == [3, 1, 1, 4, 1])
    #expect(block.count - row.count == 2)
  }

  /// To gather once more the patches that are seen, for the gradient of their embedding, all patches would have to be put in order again.
  @Test func gatheredPatchesAreKept() throws {
    func gathers(_ disabled: Set<String>) throws -> Int {
      let graph = try Passes.run(try WaMIMModel().graph(), for: .step, disabled: disabled)
      return graph.storedForBackward.count { value in
        guard case .gather = graph[value].operation else { return false }
        return graph[value].scope.hasPrefix("patch_embed")
      }
    }
    #expect(try gathers([]) == 1)
    #expect(try gathers(["recompute"]) == 1)
  }
}
