import Testing
import WaMIMCompiler
import WaMIMGraph
import WaMIMLLVM

/// The model of what matrix products cost against what was measured, and what it has to say where nothing can be measured.
struct MatmulCostTests {
  /// A product as models have it, and the microseconds that all its calls took on one core, by `make matmuls`.
  struct Measured: CustomTestStringConvertible {
    /// The operand that is transposed: the right one forward, none for what flows back, the left one for weights' gradients.
    enum Transposed { case none, left, right }

    var m, n, k: Int
    var transposed: Transposed
    /// Rows of a sample, or of a block.
    var block: Int
    var generated, openBLAS: Double

    init(_ m: Int, _ n: Int, _ k: Int, _ transposed: Transposed, _ block: Int, _ generated: Double, _ openBLAS: Double) {
      (self.m, self.n, self.k, self.transposed, self.block) = (m, n, k, transposed, block)
      (self.generated, self.openBLAS) = (generated, openBLAS)
    }

    var testDescription: String { "\(m) x \(n) x \(k), \(transposed)" }
  }

  /// Cycles in a microsecond of the Xeon on which the times were taken.
  static let clock = 2800.0

  static let withAVX512 = [
    Measured(6304, 512, 128, .none, 197, 7620, 8485), Measured(128, 512, 6304, .left, 64, 6413, 7709),
    Measured(6304, 128, 512, .none, 197, 5799, 7394), Measured(512, 128, 4704, .left, 256, 4987, 4597),
    Measured(1600, 768, 192, .none, 50, 3502, 4126), Measured(1600, 192, 768, .right, 50, 3068, 3516),
    Measured(1568, 192, 768, .right, 49, 2870, 3336), Measured(1568, 513, 768, .right, 49, 7746, 8520),
    Measured(513, 3000, 1568, .left, 257, 30517, 32066), Measured(1568, 3000, 56, .none, 49, 4832, 5606),
    Measured(16, 768, 1568, .left, 8, 444, 1105), Measured(100, 8, 1568, .left, 50, 68, 47),
  ]

  static let withAVX2 = [
    Measured(6304, 512, 128, .none, 197, 13902, 15275), Measured(128, 512, 6304, .left, 64, 11697, 11990),
    Measured(6304, 128, 512, .none, 197, 10576, 12607), Measured(512, 128, 4704, .left, 256, 8461, 8454),
    Measured(1600, 768, 192, .right, 50, 6662, 7366), Measured(1600, 192, 768, .right, 50, 5787, 6259),
    Measured(64, 128, 18816, .left, 32, 5476, 5341), Measured(513, 768, 1568, .left, 257, 15068, 15692),
    Measured(56, 3000, 1568, .left, 28, 8000, 8128), Measured(1568, 17, 3000, .right, 49, 2996, 3289),
    Measured(40, 768, 1568, .left, 20, 1822, 1769), Measured(1568, 200, 16, .none, 49, 159, 181),
  ]

  static let onAMX = [
    Measured(1568, 3000, 192, .right, 49, 10346, 16320), Measured(513, 3000, 1568, .left, 257, 24398, 33735),
    Measured(3000, 192, 1568, .left, 375, 8354, 14381), Measured(1568, 768, 192, .right, 49, 2633, 4305),
    Measured(1568, 513, 768, .right, 49, 5574, 8848), Measured(513, 768, 1568, .left, 257, 4879, 9059),
    Measured(1568, 100, 768, .right, 49, 1455, 1979), Measured(1568, 768, 200, .none, 49, 2541, 3973),
    Measured(768, 192, 1568, .left, 384, 2059, 3487), Measured(1568, 200, 200, .right, 49, 776, 1075),
    Measured(200, 200, 1568, .left, 100, 818, 1036), Measured(1568, 200, 768, .right, 49, 2357, 3845),
  ]

  @Test(arguments: withAVX512) func estimatesAreNearWithAVX512(product: Measured) throws {
    try check(product, on: .named("icelake-server"))
  }

  @Test(arguments: onAMX) func estimatesAreNearOnAMX(product: Measured) throws {
    try check(product, on: .named("sapphirerapids"))
  }

  @Test(arguments: withAVX2) func estimatesAreNearWithAVX2(product: Measured) throws {
    try check(product, on: .named("x86-64-v3"))
  }

  private func check(_ product: Measured, on processor: TargetProcessor) throws {
    let cost = try #require(MatmulCostTests.cost(product, on: processor))
    let (generated, openBLAS) = (cost.generated / MatmulCostTests.clock, cost.openBLAS / MatmulCostTests.clock)
    #expect((0.6...1.25).contains(generated / product.generated), "\(generated) µs generated")
    #expect((0.35...1.35).contains(openBLAS / product.openBLAS), "\(openBLAS) µs in OpenBLAS")
    let ratio = (openBLAS / generated) / (product.openBLAS / product.generated)
    #expect((0.6...1.25).contains(ratio), "OpenBLAS over generated is \(openBLAS / generated)")
  }

  /// All that the sets took, by which source programs are given.
  @Test func sumsOfEstimatesAreNearer() throws {
    for (products, name) in [
      (MatmulCostTests.withAVX512, "icelake-server"), (MatmulCostTests.withAVX2, "x86-64-v3"),
      (MatmulCostTests.onAMX, "sapphirerapids"),
    ] {
      let costs = try products.map { try #require(MatmulCostTests.cost($0, on: .named(name))) }
      let generated = costs.reduce(0) { $0 + $1.generated } / MatmulCostTests.clock
      let openBLAS = costs.reduce(0) { $0 + $1.openBLAS } / MatmulCostTests.clock
      let measured = products.reduce((0, 0)) { ($0.0 + $1.generated, $0.1 + $1.openBLAS) }
      #expect((0.85...1.15).contains(generated / measured.0), "\(name): \(generated) of \(measured.0) µs")
      #expect((0.85...1.15).contains(openBLAS / measured.1), "\(name): \(openBLAS) of \(measured.1) µs")
    }
  }

  /// Without fused multiply-adds generated code falls behind what OpenBLAS finds on nearly every machine.
  @Test(arguments: ["x86-64", "x86-64-v2", "sandybridge"]) func oldInstructionsCostMore(name: String) throws {
    for product in MatmulCostTests.withAVX2 where product.n >= 100 && product.k >= 100 {
      let cost = try #require(MatmulCostTests.cost(product, on: .named(name)))
      #expect(cost.openBLAS < 0.75 * cost.generated, "\(product)")
    }
  }

  /// Twice the rows, columns or terms cost about twice as much, both ways, unless the columns just fill a vector.
  @Test(arguments: withAVX512, ["x86-64", "x86-64-v3", "icelake-server", "sapphirerapids", "neoverse-n1"])
  func costsGrowWithExtents(product: Measured, name: String) throws {
    let processor = try TargetProcessor.named(name)
    let once = try #require(MatmulCostTests.cost(product, on: processor))
    var larger = [product, product, product]
    larger[0].m *= 2
    larger[1].n *= 2
    larger[2].k *= 2
    for twice in try larger.map({ try #require(MatmulCostTests.cost($0, on: processor)) }) {
      let least = product.n < 16 ? 1 : 1.5
      #expect((least...2.4).contains(twice.generated / once.generated))
      #expect((least...2.4).contains(twice.openBLAS / once.openBLAS))
    }
  }

  /// OpenBLAS copies the right side for each sample where samples lie apart; generated code does it once for all of a call.
  @Test func gapsBetweenSamplesCostCallsOfOpenBLAS() throws {
    let product = Measured(1568, 384, 128, .right, 49, 0, 0)
    let processor = try TargetProcessor.named("x86-64-v3")
    let together = try #require(MatmulCostTests.cost(product, on: processor))
    let apart = try #require(MatmulCostTests.cost(product, gap: 1, on: processor))
    #expect(apart.openBLAS > 1.05 * together.openBLAS)
    #expect(apart.generated < 1.1 * together.generated)
  }

  @Test func otherKernelsCostNothing() throws {
    let rows = RowKernel(outer: [], width: 1, stages: [])
    let kernel = Kernel(arguments: [], body: .rows(rows))
    #expect(MatmulCost(kernel, units: 4, chunks: 1, processor: .native) == nil)
  }

  /// The cost of a product of samples of `block` rows, `gap` rows apart, or of a gradient by blocks of rows.
  private static func cost(_ product: Measured, gap: Int = 0, on processor: TargetProcessor) -> MatmulCost? {
    let (m, n, k) = (product.m, product.n, product.k)
    let (transposesLeft, transposesRight) = (product.transposed == .left, product.transposed == .right)
    let (leftRow, rightRow) = (transposesLeft ? m : k, transposesRight ? k : n)
    let samples = transposesLeft ? 0 : product.block + gap
    func argument(_ count: Int, _ stride: Int, _ access: KernelArgument.Access) -> KernelArgument {
      KernelArgument(element: .float32, access: access, unitStride: stride, count: count)
    }
    func matrix(_ argument: Int, _ rowStride: Int, _ isTransposed: Bool = false) -> MatmulKernel.Matrix {
      .init(argument: argument, offset: 0, rowStride: rowStride, isTransposed: isTransposed)
    }
    let matmul = MatmulKernel(
      partition: transposesLeft ? .rows(block: product.block) : .samples(rows: product.block), m: m, n: n, k: k,
      left: matrix(0, leftRow, transposesLeft), right: matrix(1, rightRow, transposesRight), result: matrix(2, n), workspace: 3)
    let kernel = Kernel(
      arguments: [
        argument(m * k, samples * leftRow, .read), argument(k * n, 0, .read), argument(m * n, samples * n, .write),
        argument(1, 0, .workspace),
      ], body: .matmul(matmul))
    let units = (m + product.block - 1) / product.block
    // About as many rows as the planner puts into a call.
    let rows = LLVMBackend().chunking.rows
    let chunks = transposesLeft ? units : max(1, (m + rows / 2) / rows)
    return MatmulCost(kernel, units: units, chunks: chunks, processor: processor)
  }
}
