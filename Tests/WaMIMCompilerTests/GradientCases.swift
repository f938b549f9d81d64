import WaMIMGraph
import WaMIMLayers

extension GradientCase {
  /// Functions that try every rule, some in several ways.
  static let all: [GradientCase] = unary + binary + movement + reductions + contractions + indexed + wavelets

  /// `x` moved to where logarithms and roots are smooth.
  private static func positive(_ x: Tensor) -> Tensor { x * x + 0.5 }

  private static let unary: [GradientCase] = UnaryFunction.allCases.map { function in
    GradientCase(function.rawValue) { _, draw in
      let x = draw([2, 3])
      let needsPositive = [.logarithm, .squareRoot, .reciprocalSquareRoot].contains(function)
      return (needsPositive ? positive(x) : x * 2).applying(function)
    }
  }

  private static let binary: [GradientCase] = [
    GradientCase("add") { _, draw in draw([2, 3]) + draw([2, 3]) },
    GradientCase("add", "of a value to itself") { _, draw in
      let x = draw([3])
      return x + x
    },
    GradientCase("subtract") { _, draw in draw([2, 3]) - draw([2, 3]) },
    GradientCase("multiply") { _, draw in draw([2, 3]) * draw([3]) },
    GradientCase("multiply", "of a value by itself") { _, draw in
      let x = draw([3])
      return x * x * x
    },
    GradientCase("divide") { _, draw in draw([2, 3]) / positive(draw([2, 1])) },
    GradientCase("maximum") { _, draw in draw([4, 3]).maximum(draw([4, 3])) },
    GradientCase("minimum") { _, draw in draw([4, 3]).minimum(draw([4, 3])) },
    GradientCase("at_least") { _, draw in
      let x = draw([4, 3])
      return x.atLeast(draw([4, 3])) * x
    },
  ]

  private static let movement: [GradientCase] = [
    GradientCase("detach") { builder, draw in draw([3]) * builder.input("x", [3]).detached() },
    GradientCase("broadcast") { _, draw in draw([3, 1, 2]).broadcast(to: [2, 3, 4, 2]) },
    GradientCase("broadcast", "of a scalar") { _, draw in draw([]).broadcast(to: [2, 3]) },
    GradientCase("broadcast", "by leading axes of extent 1") { _, draw in draw([3]).broadcast(to: [1, 1, 3]) },
    GradientCase("reshape") { _, draw in draw([2, 6]).reshaped([3, 4]) },
    GradientCase("transpose") { _, draw in draw([2, 3, 4]).transposed([2, 0, 1]) },
    GradientCase("slice") { _, draw in draw([2, 7]).sliced(1, 1..<6, step: 2) },
    GradientCase("slice", "several of one value") { builder, draw in
      let x = draw([2, 6])
      return .concatenated(
        [x.sliced(1, 4..<6), x.sliced(1, 0..<3), x.sliced(0, 1..<2).broadcast(to: [2, 6])], axis: 1, in: builder)
    },
    GradientCase("slice", "overlapping") { builder, draw in
      let x = draw([5])
      return .concatenated([x.sliced(0, 0..<3), x.sliced(0, 2..<5), x], axis: 0, in: builder)
    },
    GradientCase("pad") { builder, draw in builder.add(.pad(axis: 1, start: 1, extent: 7, step: 2), [draw([2, 3])]) },
    GradientCase("concatenate") { builder, draw in .concatenated([draw([2, 1]), draw([2, 3])], axis: 1, in: builder) },
  ]

  private static let reductions: [GradientCase] = [
    GradientCase("sum") { _, draw in draw([2, 3, 4]).sum([0, 2]) },
    GradientCase("max") { _, draw in draw([2, 5, 3]).max([1]) },
    GradientCase("max", "inside a softmax") { _, draw in draw([2, 4]).softmax() },
    GradientCase("sum", "in a layer norm") { _, draw in draw([2, 4]).standardized([1], epsilon: 1e-2) * draw([4]) },
  ]

  private static let contractions: [GradientCase] =
    [(false, false), (false, true), (true, false), (true, true)].flatMap { left, right in
      [
        GradientCase("matmul", "transposed \(left), \(right)") { _, draw in
          draw(left ? [4, 3] : [3, 4]).matmul(draw(right ? [2, 4] : [4, 2]), transposeLeft: left, transposeRight: right)
        },
        GradientCase("matmul", "of batches, transposed \(left), \(right)") { _, draw in
          draw(left ? [2, 4, 3] : [2, 3, 4]).matmul(
            draw(right ? [2, 2, 4] : [2, 4, 2]), transposeLeft: left, transposeRight: right)
        },
        GradientCase("matmul", "by a shared matrix, transposed \(left), \(right)") { _, draw in
          draw(left ? [2, 2, 4, 3] : [2, 2, 3, 4]).matmul(
            draw(right ? [2, 4] : [4, 2]), transposeLeft: left, transposeRight: right)
        },
      ]
    } + [
      GradientCase("attention") { builder, draw in
        builder.add(.attention(heads: 2), [draw([2, 3, 6]), draw([2, 4, 6]), draw([2, 4, 6])])
      },
      GradientCase("group_attention") { builder, draw in
        let cells = permutation(builder, 4).sliced(1, 0..<3)
        let finer = builder.add(.finerIndices(grid: 2, side: 2), [cells])
        let groups = builder.add(.windowGroups(WindowCut(grid: 4, window: 3, shift: 1)), [finer])
        return builder.add(.groupAttention(heads: 2), (0..<3).map { _ in draw([2, 12, 4]) } + [draw([25, 2]), groups])
      },
    ]

  private static let indexed: [GradientCase] = [
    GradientCase("gather") { builder, draw in draw([2, 5, 3]).gathered(permutation(builder, 5).sliced(1, 0..<3)) },
    GradientCase("scatter_add") { builder, draw in
      builder.add(.scatterAdd(rows: 5), [draw([2, 3, 2]), permutation(builder, 5).sliced(1, 1..<4)])
    },
    GradientCase("scatter_add", "of several samples") { builder, draw in
      builder.add(
        .scatterAdd(rows: 5), [draw([1, 2, 3, 2]), permutation(builder, 5).sliced(1, 1..<4).reshaped([1, 2, 3])])
    },
  ]

  private static let wavelets: [GradientCase] = Wavelet.allCases.flatMap { wavelet in
    [
      GradientCase("wavelet_analysis", "by \(wavelet.rawValue)") { builder, draw in
        builder.add(.waveletAnalysis(wavelet), [draw([2, 2, 4, 6])])
      },
      GradientCase("wavelet_adjoint", "by \(wavelet.rawValue)") { builder, draw in
        builder.add(.waveletAdjoint(wavelet), [draw([2, 1, 4, 3, 2])])
      },
    ]
  }

  /// A random permutation of `count` rows for each of two samples.
  private static func permutation(_ builder: GraphBuilder, _ count: Int) -> Tensor {
    builder.add(.invertPermutation, [builder.add(.rank, [builder.input("noise", [2, count], from: .random)])])
  }
}
