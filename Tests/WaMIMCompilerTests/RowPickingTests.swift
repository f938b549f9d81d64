import TestSupport
import Testing
import WaMIMCompiler
import WaMIMGraph
import WaMIMInterpreter

/// Rows are picked before they are computed on.
struct RowPickingTests {
  /// The rows of each matmul in the graph whose scope is `scope`.
  private func rows(_ graph: Graph, in scope: String) -> [Int] {
    graph.nodes.compactMap { node in
      if case .matmul = node.operation, node.scope == scope { node.type.shape[1] } else { nil }
    }
  }

  @Test func patchesAreEmbeddedOnlyWhereVisible() throws {
    let model = WaMIMModel {
      ($0.image, $0.patch, $0.levels) = (224, 16, [2, 3, 4, 5])
      $0.batch = 1
    }
    let before = try model.graph()
    let after = try Passes.run(before, for: .forward)
    #expect(rows(before, in: "patch_embed.proj") == [196])
    #expect(rows(after, in: "patch_embed.proj") == [49])
  }

  @Test func theGradientOfThePatchEmbeddingTakesVisibleRowsOnly() throws {
    let graph = try Passes.run(WaMIMModel().graph(), for: .gradients)
    let update = try #require(graph.updates.first { graph[$0.state].operation.sourceName == "grad.patch_embed.proj.weight" })
    var value = graph[update.value].operands[0]
    while case .reshape = graph[value].operation { value = graph[value].operands[0] }
    guard case .matmul = graph[value].operation else { return #expect(Bool(false), "the gradient of a weight is a matmul") }
    // 3 samples of 16 visible patches, not of 64.
    #expect(graph[graph[value].operands[0]].type.shape[0] == 3 * 16)
  }

  /// A chain of row-wise operations, every other one needed elsewhere or not.
  private func chain(_ use: (GraphBuilder, Tensor, Tensor) -> Void) throws -> Graph {
    try Graph("chain") { builder in
      let x = builder.input("x", [2, 8, 4])
      let weight = builder.parameter("w", [4, 6], .constant(1))
      let indices = builder.add(.rank, [builder.input("noise", [2, 8], from: .random)])
      use(builder, x.matmul(weight).applying(.hyperbolicTangent), indices)
    }
  }

  @Test func aValueThatIsNeededAsAWholeIsComputedAsAWhole() throws {
    let graph = try chain { builder, y, indices in
      builder.output("some", y.gathered(indices.sliced(1, 0..<2)))
      builder.output("all", y.sum([1]))
    }
    #expect(try graph.after("hoist-gathers").computations.filter { $0 == "gather" }.count == 1)
    #expect(rows(try graph.after("hoist-gathers"), in: "") == [8])
  }

  @Test func differentPicksKeepTheValueWhole() throws {
    let graph = try chain { builder, y, indices in
      builder.output("first", y.gathered(indices.sliced(1, 0..<2)))
      builder.output("last", y.gathered(indices.sliced(1, 6..<8)))
    }
    #expect(rows(try graph.after("hoist-gathers"), in: "") == [8])
  }

  @Test func aPermutationOfAllRowsStaysWhereItIs() throws {
    let graph = try chain { builder, y, indices in builder.output("all", y.gathered(indices)) }
    #expect(try graph.after("hoist-gathers") == graph)
  }

  @Test func theSamePickTwiceIsSunkOnce() throws {
    let graph = try chain { builder, y, indices in
      let some = indices.sliced(1, 0..<3)
      builder.output("first", y.gathered(some))
      builder.output("second", y.gathered(some) * 2)
    }
    let hoisted = try graph.after("hoist-gathers")
    #expect(rows(hoisted, in: "") == [3])
    #expect(hoisted.computations.filter { $0 == "gather" }.count == 1)
  }

  // MARK: Slices

  @Test func rowsThatAreSlicedAwayAreNotComputed() throws {
    let graph = try chain { builder, y, _ in builder.output("some", y.sliced(1, 5..<8)) }
    #expect(rows(try graph.after("hoist-slices"), in: "") == [3])
  }

  @Test func onlyTheQueriesThatAreNeededAttend() throws {
    let graph = try chain { builder, y, _ in
      builder.output("some", builder.add(.attention(heads: 2), [y, y, y]).sliced(1, 5..<8))
    }
    let hoisted = try graph.after("hoist-slices")
    let attention = try #require(hoisted.nodes.first { $0.operation == .attention(heads: 2) })
    #expect(attention.operands.map { hoisted[$0].type.shape[1] } == [3, 8, 8])
  }

  @Test func gathersGoOnWhereSlicesStoodInTheirWay() throws {
    let graph = try chain { builder, y, indices in
      builder.output("some", y.sliced(1, 1..<8).gathered(indices.sliced(1, 0..<2)))
    }
    #expect(rows(try graph.after("hoist-gathers", "hoist-slices"), in: "") == [7])
    #expect(rows(try Passes.run(graph, for: .forward), in: "") == [2])
  }

  @Test func picksGoThroughMovementsWithinRows() throws {
    let graph = try chain { builder, y, indices in
      let moved = y.reshaped([2, 2, 4, 3, 2]).transposed([0, 1, 2, 4, 3]).reshaped([2, 8, 6])
      builder.output("some", moved.gathered(indices.sliced(1, 0..<2)))
    }
    #expect(rows(try graph.after("hoist-gathers"), in: "") == [2])
  }

  @Test func picksStopAtMovementsOfRows() throws {
    let graph = try chain { builder, y, indices in
      let moved = y.reshaped([2, 2, 4, 6]).transposed([0, 2, 1, 3]).reshaped([2, 8, 6])
      builder.output("some", moved.gathered(indices.sliced(1, 0..<2)))
    }
    #expect(rows(try graph.after("hoist-gathers"), in: "") == [8])
  }

  @Test func pickingBackWhatWasReorderedIsASlice() throws {
    let graph = try chain { builder, y, indices in
      let order = builder.add(.invertPermutation, [indices])
      builder.output("some", y.gathered(indices).gathered(order.sliced(1, 5..<8)))
    }
    let simplified = try graph.after("simplify", "dead-code")
    #expect(simplified.computations.filter { $0 == "gather" || $0 == "slice" } == ["slice"])
  }

  @Test func aTrainingStepComputesHeadsForHiddenPatchesOnly() throws {
    let graph = try Passes.run(WaMIMModel().graph(), for: .step)
    let heads = graph.nodes.filter { node in
      if case .matmul(transposeLeft: false, _) = node.operation { node.scope.hasPrefix("decoders.0.head") } else { false }
    }
    // 48 of 64 patches are hidden.
    #expect(!heads.isEmpty && heads.allSatisfy { $0.type.shape[1] == 48 })
    #expect(rows(graph, in: "decoders.0.blocks.0.attn.proj").first == 48)
  }
}
