import Foundation
import Testing
import WaMIMCompiler
import WaMIMGraph
import WaMIMLLVM

/// What vectors kernels compute with, on processors that this machine need not be one of.
@Suite struct VectorTests {
  /// Processors with vectors of one kind, and how their assembly language tells.
  struct Kind: Sendable, CustomTestStringConvertible {
    var processors: [String]
    /// What multiplies whole vectors, and adds them where one instruction does both.
    var multiply: String
    /// What divides whole vectors.
    var divide: String
    /// Registers that these processors lack.
    var lacking: String?
    var testDescription: String { processors[0] }
  }

  static let kinds = [
    Kind(processors: ["x86-64", "x86-64-v2"], multiply: #"\bmulps\s.*%xmm"#, divide: #"\bdivps\s.*%xmm"#, lacking: "%[yz]mm"),
    Kind(processors: ["sandybridge"], multiply: #"\bvmulps\s.*%ymm"#, divide: #"\bvdivps\s.*%ymm"#, lacking: "%zmm"),
    Kind(
      processors: ["x86-64-v3", "haswell", "znver3"], multiply: #"\bvfn?m(add|sub)[0-9]+ps\s.*%ymm"#, divide: #"\bvdivps\s.*%ymm"#,
      lacking: "%zmm"),
    Kind(
      processors: ["x86-64-v4", "skylake-avx512", "znver4"], multiply: #"\bvfn?m(add|sub)[0-9]+ps\s.*%zmm"#,
      divide: #"\bvdivps\s.*%zmm"#),
    Kind(
      processors: ["armv8-a", "cortex-a72", "neoverse-n1", "apple-m1"], multiply: #"\bfml[as](\.4s)?\s+v[0-9]+"#,
      divide: #"\bfdiv(\.4s)?\s+v[0-9]+"#, lacking: #"\bz[0-9]+\."#),
  ]

  @Test(arguments: kinds) func productsUseTheProcessorsVectors(kind: Kind) throws {
    for processor in kind.processors {
      for kernel in [matmul(isTransposed: false), matmul(isTransposed: true)] + attention() {
        let text = try assembly(kernel, for: processor)
        #expect(contains(text, kind.multiply), "\(kernel.body.kind) for \(processor)")
        if let lacking = kind.lacking { #expect(!contains(text, lacking), "\(kernel.body.kind) for \(processor)") }
      }
    }
  }

  /// A tile asks for a line of its own next rows and of the next panel with each step, attention for the two lines of a row of the
  /// next head's matrices and of its own results.
  @Test(arguments: kinds) func productsAskForWhatTheyTouchLater(kind: Kind) throws {
    let products = [matmul(isTransposed: false), matmul(isTransposed: true)].map { (kernel: $0, requests: 2) }
    let attentions = zip(attention(), [2 * (3 + 1), 2 * (4 + 3)]).map { (kernel: $0, requests: $1) }
    for (kernel, least) in products + attentions {
      #expect(try requests(of: kernel, for: kind.processors[0]) >= least, "\(kernel.body.kind) for \(kind.processors[0])")
    }
  }

  /// What follows a product asks for later rows of each of the two matrices that it touches.
  @Test(arguments: kinds) func epiloguesAskForWhatTheyTouchLater(kind: Kind) throws {
    let counts = try [matmul(isTransposed: false), matmulTimesMatrix()].map { try requests(of: $0, for: kind.processors[0]) }
    #expect(counts[1] >= counts[0] + 2, "\(kind.processors[0])")
  }

  @Test(arguments: kinds) func rowsAndColumnsUseTheProcessorsVectors(kind: Kind) throws {
    for processor in kind.processors {
      for kernel in [rows(), columns()] {
        let text = try assembly(kernel, for: processor)
        #expect(contains(text, kind.multiply) && contains(text, kind.divide), "\(kernel.body.kind) for \(processor)")
        if let lacking = kind.lacking { #expect(!contains(text, lacking), "\(kernel.body.kind) for \(processor)") }
      }
    }
  }

  /// An object file says in its header what machine it is for.
  @Test(arguments: [("x86-64-v3", UInt8(62)), ("neoverse-n1", 183)]) func anObjectIsForItsProcessor(name: String, machine: UInt8)
    throws
  {
    let backend = LLVMBackend(processor: try .named(name), matmuls: .generated)
    let object = try backend.emit([rows()], as: .object)
    #expect(object.prefix(4) == [0x7F, 0x45, 0x4C, 0x46] && object[18] == machine && object[19] == 0)
  }

  private func assembly(_ kernel: Kernel, for processor: String) throws -> String {
    let backend = LLVMBackend(processor: try .named(processor), matmuls: .generated)
    return String(decoding: try backend.emit([kernel], as: .assembly), as: UTF8.self)
  }

  /// How often the kernel's code asks the memory for something.
  private func requests(of kernel: Kernel, for processor: String) throws -> Int {
    try assembly(kernel, for: processor).matches(of: Regex(#"\b(prefetcht1|prfm)\b"#)).count
  }

  private func contains(_ text: String, _ pattern: String) -> Bool {
    text.range(of: pattern, options: .regularExpression) != nil
  }

  // MARK: Kernels

  private func argument(_ access: KernelArgument.Access, _ count: Int, moves: Bool = true) -> KernelArgument {
    KernelArgument(element: .float32, access: access, unitStride: moves ? count : 0, count: count)
  }

  /// Rows of 48 numbers x, each e^x over the row's sum, so that there are multiply-adds and divisions.
  private func rows() -> Kernel {
    let access = Access(argument: 0, offset: 0, strides: [48, 1])
    let exponentials = [Instruction.load(access), .unary(.exponential, 0)]
    let sums = RowStage(extent: .elements, instructions: exponentials, results: [.init(slot: 0, operand: 1, reduction: .sum)])
    let quotients = RowStage(
      extent: .elements, instructions: exponentials + [.scalar(slot: 0), .binary(.divide, 1, 2)],
      stores: [Store(access: Access(argument: 1, offset: 0, strides: [48, 1]), operand: 3)])
    return Kernel(
      arguments: [argument(.read, 48), argument(.write, 48)],
      body: .rows(RowKernel(outer: [1], width: 48, stages: [sums, quotients])))
  }

  /// Sums of 1 / (1 + e^x) over 20 rows of 48 numbers x.
  private func columns() -> Kernel {
    let load = Instruction.load(Access(argument: 0, offset: 0, strides: [20 * 48, 48, 1]))
    let result = ColumnKernel.Result(function: .sum, operand: 4, access: Access(argument: 1, offset: 0, strides: [48, 1]))
    let kernel = ColumnKernel(
      partition: .outer, outer: [1], reduced: [20], width: 48,
      instructions: [load, .unary(.exponential, 0), .constant(1), .binary(.add, 1, 2), .binary(.divide, 2, 3)], results: [result])
    return Kernel(arguments: [argument(.read, 20 * 48), argument(.write, 48)], body: .columns(kernel))
  }

  /// 40 rows of 64 numbers times a matrix of 64 by 48, which lies one way or the other.
  private func matmul(isTransposed: Bool) -> Kernel {
    let partition = MatmulKernel.Partition.samples(rows: 40)
    let kernel = MatmulKernel(
      partition: partition, m: 40, n: 48, k: 64, left: .init(argument: 0, offset: 0, rowStride: 64, isTransposed: false),
      right: .init(argument: 1, offset: 0, rowStride: isTransposed ? 64 : 48, isTransposed: isTransposed),
      result: .init(argument: 2, offset: 0, rowStride: 48, isTransposed: false), workspace: 3)
    return Kernel(
      arguments: [
        argument(.read, 40 * 64), argument(.read, 64 * 48, moves: false), argument(.write, 40 * 48),
        argument(.workspace, 0, moves: false),
      ], body: .matmul(kernel))
  }

  /// The same product, each element of it times one of another matrix.
  private func matmulTimesMatrix() -> Kernel {
    var kernel = matmul(isTransposed: false)
    guard case .matmul(var product) = kernel.body else { return kernel }
    let (result, factor) = (2, 4)
    func access(_ argument: Int) -> Access { Access(argument: argument, offset: 0, strides: [40 * 48, 48, 1]) }
    let stage = RowStage(
      extent: .elements, instructions: [.load(access(result)), .load(access(factor)), .binary(.multiply, 0, 1)],
      stores: [Store(access: access(result), operand: 2)])
    product.epilogue = RowKernel(outer: [1, 40], width: 48, stages: [stage])
    kernel.body = .matmul(product)
    kernel.arguments.append(argument(.read, 40 * 48))
    return kernel
  }

  /// Attention of 40 tokens in 2 heads, and its gradient.
  private func attention() -> [Kernel] {
    let shape = AttentionShape(heads: 2, headWidth: 32, queryCount: 40, keyCount: 40)
    func rows(_ argument: Int) -> TokenRows { TokenRows(argument: argument, offset: 0, rowStride: 64) }
    let forward = AttentionKernel(shape: shape, query: rows(0), key: rows(1), value: rows(2), result: rows(3), workspace: 4)
    let backward = AttentionGradientKernel(
      shape: shape, query: rows(0), key: rows(1), value: rows(2), gradient: rows(3), queryGradient: rows(5), keyGradient: rows(6),
      valueGradient: rows(7), workspace: 4)
    func arguments(_ accesses: [KernelArgument.Access]) -> [KernelArgument] {
      accesses.map { argument($0, $0 == .workspace ? 0 : 40 * 64, moves: $0 != .workspace) }
    }
    return [
      Kernel(arguments: arguments([.read, .read, .read, .write, .workspace]), body: .attention(forward)),
      Kernel(
        arguments: arguments([.read, .read, .read, .read, .workspace, .write, .write, .write]),
        body: .attentionGradient(backward)),
    ]
  }
}
