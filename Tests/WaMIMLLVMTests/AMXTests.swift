import Foundation
import TestSupport
import Testing
import WaMIMCompiler
import WaMIMGraph
import WaMIMLLVM

/// Products on AMX, of processors that have it: which they are, and how exact.
@Suite struct AMXTests {
  /// The processor to run on: this one, or one that is emulated.
  static let processor =
    Set(["amx-tile", "amx-bf16"]).isSubset(of: TargetProcessor.native.features) ? .native : EmulatedAMX.processor

  /// `m` rows of `k` numbers times a matrix of `k` by `n`, one way or the other.
  private func product(_ m: Int, _ n: Int, _ k: Int, transposesRight: Bool = false, factor: ElementType = .float32) -> Kernel {
    let partition = MatmulKernel.Partition.samples(rows: m)
    func argument(_ access: KernelArgument.Access, _ count: Int, moves: Bool) -> KernelArgument {
      KernelArgument(element: access == .read ? factor : .float32, access: access, unitStride: moves ? count : 0, count: count)
    }
    let kernel = MatmulKernel(
      partition: partition, m: m, n: n, k: k, factor: factor,
      left: .init(argument: 0, offset: 0, rowStride: k, isTransposed: false),
      right: .init(argument: 1, offset: 0, rowStride: transposesRight ? k : n, isTransposed: transposesRight),
      result: .init(argument: 2, offset: 0, rowStride: n, isTransposed: false), workspace: 3)
    return Kernel(
      arguments: [
        argument(.read, m * k, moves: true), argument(.read, k * n, moves: false), argument(.write, m * n, moves: true),
        argument(.workspace, 0, moves: false),
      ], body: .matmul(kernel))
  }

  private func assembly(_ kernel: Kernel, for processor: String) throws -> String {
    let backend = LLVMBackend(processor: try .named(processor), matmuls: .generated)
    return String(decoding: try backend.emit([kernel], as: .assembly), as: UTF8.self)
  }

  /// A tile has six products of bf16 numbers for each of its four registers of sums, as the instruction cannot take whole numbers.
  @Test(arguments: [false, true]) func productsAreOnTheUnit(transposesRight: Bool) throws {
    let text = try assembly(product(256, 256, 192, transposesRight: transposesRight), for: "sapphirerapids")
    for (instruction, count) in [("ldtilecfg", 1), ("tilerelease", 1)] {
      #expect(text.matches(of: try Regex("\\b\(instruction)\\b")).count == count, "\(instruction)")
    }
    let tile = try #require(instructions(of: /^amx_tiles_2x2_below_\w+:$/, in: text))
    #expect(tile.filter { $0.hasPrefix("tdpbf16ps") }.count == 24)
  }

  /// Numbers that are bf16 already have one product for each register of sums, and are copied as they are.
  @Test(arguments: [false, true]) func productsOfBFloat16AreOnTheUnit(transposesRight: Bool) throws {
    let text = try assembly(product(256, 256, 192, transposesRight: transposesRight, factor: .bfloat16), for: "sapphirerapids")
    let tile = try #require(instructions(of: /^amx_tiles_2x2_bf16_below_\w+:$/, in: text))
    #expect(tile.filter { $0.hasPrefix("tdpbf16ps") }.count == 4)
    #expect(!text.contains("amx_tiles_2x2_below") && !text.contains("vcvtne"))
  }

  /// The instructions of the first function with such a label.
  private func instructions(of label: Regex<Substring>, in text: String) -> [Substring]? {
    let lines = text.split(separator: "\n").drop { $0.firstMatch(of: label) == nil }
    guard !lines.isEmpty else { return nil }
    return lines.prefix { !$0.hasPrefix("\tretq") }.compactMap { line in
      let instruction = line.drop { $0 == "\t" }
      return line.hasPrefix("\t") && !instruction.hasPrefix(".") && !instruction.hasPrefix("#") ? instruction : nil
    }
  }

  /// A panel of columns whose rows lie together is copied by the tiles of the panel before it, any other is copied at once.
  @Test func tilesCopyTheNextPanel() throws {
    func copying(transposesRight: Bool) throws -> [Substring]? {
      let text = try assembly(product(256, 256, 192, transposesRight: transposesRight), for: "sapphirerapids")
      return instructions(of: /^amx_tiles_2x2_\w+_copy:$/, in: text)
    }
    let tile = try #require(try copying(transposesRight: false))
    // Of each pair of vectors three splits are stored: as many pairs for each block as 32 are for each tile, and a power of two.
    let stores = tile.filter { $0.hasPrefix("vmovdqu64") && $0.contains(/%zmm\d+, .*\(/) }
    #expect(stores.count.isMultiple(of: 3) && (stores.count / 3).nonzeroBitCount == 1)
    #expect(try copying(transposesRight: true) == nil)
  }

  /// Where a core's other thread works, the unit's instructions are not to come close upon each other.
  @Test func instructionsOfTheUnitStandApart() throws {
    let text = try assembly(product(256, 256, 192), for: "sapphirerapids")
    for label in [/^amx_tiles_2x2_below_\d+:$/, /^amx_tiles_2x2_\w+_copy:$/] {
      let tile = try #require(instructions(of: label, in: text))
      let products = try #require(tile.firstIndex { $0.hasPrefix("tdpbf16ps") })
      let lastOfBlock = try #require(tile.lastIndex { $0.hasPrefix("tdpbf16ps") })
      var before = products
      for (index, instruction) in tile.enumerated() where products < index && index <= lastOfBlock {
        guard instruction.hasPrefix("tdpbf16ps") || instruction.hasPrefix("tileloadd") else { continue }
        #expect(index - before > 8, "\(instruction)")
        before = index
      }
    }
  }

  /// Where tiles would be all but empty, or copies cost more than they save.
  @Test(arguments: [(8, 256, 256), (256, 9, 256), (256, 256, 9), (32, 32, 32)]) func smallOnesAreNot(m: Int, n: Int, k: Int) throws
  {
    #expect(try !assembly(product(m, n, k), for: "sapphirerapids").contains("tdpbf16ps"))
  }

  @Test func onlyProcessorsThatHaveOneUseIt() throws {
    for name in ["x86-64-v4", "icelake-server", "znver5", "x86-64-v3"] {
      #expect(try !assembly(product(256, 256, 192), for: name).contains("tdpbf16ps"), "\(name)")
    }
  }

  /// Numbers of very different magnitudes, whose products nearly cancel now and then.
  private func numbers(_ count: Int, _ generator: inout SeededGenerator) -> [Float] {
    (0..<count).map { _ in
      Float.random(in: -1...1, using: &generator)
        * Float(sign: .plus, exponent: Int.random(in: -20...20, using: &generator), significand: 1)
    }
  }

  /// Results are closer to the true ones than those of multiply-adds in turn, relative to the sum of the products' magnitudes.
  @Test(.enabled(if: processor != nil), arguments: [(160, 160, 128), (100, 200, 192), (208, 97, 777), (170, 160, 3072)])
  func resultsAreCloserThanMultiplyAdds(m: Int, n: Int, k: Int) throws {
    let seed = UInt64.random(in: 0...UInt64(UInt32.max))
    var generator = SeededGenerator(seed: seed)
    for transposesRight in [false, true] {
      let kernel = product(m, n, k, transposesRight: transposesRight)
      try #require(assembly(kernel, for: "sapphirerapids").contains("tdpbf16ps"))
      let compiled = try CompiledKernels([kernel], backend: LLVMBackend(processor: #require(Self.processor), matmuls: .generated))
      let (left, right) = (numbers(m * k, &generator), numbers(k * n, &generator))
      var arrays = [
        left, right, [Float](repeating: .nan, count: m * n), [],
      ]
      try compiled.run(0, arrays: &arrays, ranges: [0..<1])
      var (ofUnit, ofMultiplyAdds) = (0.0, 0.0)
      for row in 0..<m {
        for column in 0..<n {
          var (sum, magnitude, inTurn) = (0.0, 0.0, Float(0))
          for term in 0..<k {
            let factors = (left[row * k + term], right[transposesRight ? column * k + term : term * n + column])
            let product = Double(factors.0) * Double(factors.1)
            sum += product
            magnitude += abs(product)
            inTurn.addProduct(factors.0, factors.1)
          }
          ofUnit += pow((Double(arrays[2][row * n + column]) - sum) / magnitude, 2)
          ofMultiplyAdds += pow((Double(inTurn) - sum) / magnitude, 2)
        }
      }
      #expect(
        ofUnit < ofMultiplyAdds, "seed \(seed): root mean squares \([ofUnit, ofMultiplyAdds].map { sqrt($0 / Double(m * n)) })")
      // A rounding is 2⁻²⁴ of a number at most.
      #expect(sqrt(ofUnit / Double(m * n)) < 4 * 0x1p-24, "seed \(seed)")
    }
  }

  /// What is not finite shows in its row, or its column, and in no other.
  @Test(.enabled(if: processor != nil)) func whatIsNotFiniteShows() throws {
    let (m, n, k) = (256, 256, 192)
    let compiled = try CompiledKernels(
      [product(m, n, k)], backend: LLVMBackend(processor: #require(Self.processor), matmuls: .generated))
    for value in [Float.nan, .infinity, -.infinity, .greatestFiniteMagnitude] {
      for side in [0, 1] {
        var arrays = [
          [Float](repeating: 1, count: m * k), [Float](repeating: 1, count: k * n), [Float](repeating: 0, count: m * n),
        ]
        arrays.append([])
        // Row 5 of the left side, column 5 of the right one.
        arrays[side][side == 0 ? 5 * k + 40 : 40 * n + 5] = value
        try compiled.run(0, arrays: &arrays, ranges: [0..<1])
        for (index, result) in arrays[2].enumerated() {
          let isTouched = side == 0 ? index / n == 5 : index % n == 5
          guard isTouched ? !result.isFinite : result == Float(k) else {
            Issue.record("\(value) on side \(side) gives \(result) at \(index)")
            return
          }
        }
      }
    }
  }
}
