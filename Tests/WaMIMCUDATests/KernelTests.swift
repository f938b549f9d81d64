import CUDASupport
import Foundation
import KernelSupport
import TestSupport
import Testing
import WaMIMCUDA
import WaMIMCompiler

/// Whether kernels can be compiled for GPUs here; where not, only their text can be tested.
let hasDeviceCompiler = (try? DeviceCompiler()) != nil

/// What to say where not.
let deviceCompilerNote: Comment = "no clang with NVIDIA's targets and no nvcc: make test-dependencies installs clang-14"

/// Random kernels as CUDA, emulated, against what they mean; `WAMIM_SEED` draws the same again.
@Suite(.enabled(if: hasDeviceCompiler, deviceCompilerNote)) struct KernelTests {
  /// Kernels as they are launched, in one module.
  private struct Launched {
    let planned: [(kernel: Kernel, variant: Variant)]
    let emulated: EmulatedKernels

    init(_ cases: [KernelCase], _ backend: CUDABackend) throws {
      planned = cases.map { item in
        let variant = backend.variant(of: item.kernel, units: item.units)
        return (item.kernel.adopting(variant, units: item.units).kernel, variant)
      }
      emulated = try EmulatedKernels(ptx: DeviceCompiler().ptx(of: backend.cuda(planned), for: backend.architectures[0]))
    }

    /// Runs kernel `index`, each array in memory of its own, so that whatever is beside one is out of bounds.
    func run(_ index: Int, _ arrays: [[Float]], order: UInt64) throws -> [[Float]] {
      let (kernel, variant) = planned[index]
      let buffers = zip(kernel.arguments, arrays).map { argument, array -> UnsafeMutableRawBufferPointer in
        let count = argument.access == .workspace ? argument.count : array.count
        let size = argument.element.byteCount
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: max(count, 1) * size, alignment: 16)
        for element in 0..<count {
          let number = argument.access == .workspace ? Float.nan : array[element]
          switch argument.element {
          case .float32: buffer.storeBytes(of: number.bitPattern, toByteOffset: size * element, as: UInt32.self)
          case .int32: buffer.storeBytes(of: Int32(number), toByteOffset: size * element, as: Int32.self)
          case .bfloat16: buffer.storeBytes(of: UInt16(number.bitPattern >> 16), toByteOffset: size * element, as: UInt16.self)
          }
        }
        return buffer
      }
      defer { for buffer in buffers { buffer.deallocate() } }
      let plan = try #require(variant.plan as? CUDAPlan)
      for function in plan.functions {
        try emulated.launch(
          function, called: CUDABackend.name(ofKernel: index, function), buffers.compactMap(\.baseAddress), memory: buffers,
          order: order)
      }
      return zip(kernel.arguments, zip(arrays, buffers)).map { argument, pair in
        pair.0.indices.map { element in
          let offset = argument.element.byteCount * element
          return switch argument.element {
          case .float32: Float(bitPattern: pair.1.load(fromByteOffset: offset, as: UInt32.self))
          case .int32: Float(pair.1.load(fromByteOffset: offset, as: Int32.self))
          case .bfloat16: Float(bitPattern: UInt32(pair.1.load(fromByteOffset: offset, as: UInt16.self)) << 16)
          }
        }
      }
    }
  }

  private func check(
    _ count: Int, _ backend: CUDABackend = CUDABackend(), _ make: (inout RandomKernels) -> KernelCase
  ) throws {
    let seed =
      ProcessInfo.processInfo.environment["WAMIM_SEED"].flatMap { UInt64($0) } ?? UInt64.random(in: 0...UInt64(UInt32.max))
    var kernels = RandomKernels(generator: SeededGenerator(seed: seed))
    try check((0..<count).map { _ in make(&kernels) }, backend, seed: seed)
  }

  private func check(_ cases: [KernelCase], _ backend: CUDABackend = CUDABackend(), seed: UInt64) throws {
    let launched = try Launched(cases, backend)
    for (index, item) in cases.enumerated() {
      let context = "seed \(seed), case \(index): \(launched.planned[index].kernel.text(named: "k\(index)"))"
      let kernel = launched.planned[index].kernel
      var reference = KernelReference(
        kernel,
        arrays: zip(kernel.arguments, item.arrays).map {
          $0.access == .workspace ? [Float](repeating: .nan, count: $0.count) : $1
        })
      reference.run(0..<kernel.unitsAsPlanned(item.units))
      let first: [[Float]]
      do { first = try launched.run(index, item.arrays, order: 0) } catch {
        Issue.record("\(error), \(context)")
        continue
      }
      for (argument, (actual, expected)) in zip(first, reference.arrays).enumerated()
      where kernel.arguments[argument].access != .workspace {
        let limit = item.tolerance * reference.scale
        // Numbers that differ by little may be rounded to neighbours.
        let share: Float = kernel.arguments[argument].element == .bfloat16 ? 0x1p-7 : 0
        let wrong = zip(actual, expected).enumerated().first { _, pair in
          pair.0.bitPattern != pair.1.bitPattern && !(abs(pair.0 - pair.1) <= limit + share * abs(pair.1))
        }
        #expect(wrong == nil, "argument \(argument), limit \(limit), \(context)")
      }
      for order in 1...4 {
        let other = try launched.run(index, item.arrays, order: UInt64(order))
        for (argument, (left, right)) in zip(first, other).enumerated() where kernel.arguments[argument].access != .workspace {
          #expect(left.map(\.bitPattern) == right.map(\.bitPattern), "order \(order), argument \(argument), \(context)")
        }
      }
    }
  }

  @Test func rowKernelsAgreeWithReference() throws { try check(12) { $0.rows() } }

  @Test func columnKernelsAgreeWithReference() throws { try check(12) { $0.columns() } }

  @Test func matmulKernelsAgreeWithReference() throws { try check(16) { $0.matmul() } }

  @Test func sumsBesideProductsAgreeWithReference() throws {
    let seed = UInt64.random(in: 0...UInt64(UInt32.max))
    var kernels = RandomKernels(generator: SeededGenerator(seed: seed))
    let cases = (0..<40).compactMap { _ in kernels.matmul().summingLeftRows }
    #expect(!cases.isEmpty, "seed \(seed)")
    try check(Array(cases.prefix(6)), seed: seed)
  }

  /// Several of each kernel, on arrays of their own, and some of another one beside them in one launch.
  @Test func kernelsAtTheSameTimeAgreeWithReference() throws {
    let seed = UInt64.random(in: 0...UInt64(UInt32.max))
    var kernels = RandomKernels(generator: SeededGenerator(seed: seed))
    let cases = (0..<6).flatMap { number in
      let singles = (0..<6).map { _ in number < 3 ? (number == 0 ? kernels.rows() : kernels.columns()) : kernels.matmul() }
      return Self.parallel(singles.flatMap { single in (0..<1 + Int(seed % 3)).map { single.moved(by: $0) } })
    }
    #expect(cases.count >= 2, "seed \(seed)")
    try check(cases, seed: seed)
  }

  /// Equal products in one launch, each of whose arrays the copy engine has a description of.
  @Test(arguments: 0...4) func equalProductsByWarpGroupsAgreeWithReference(tile: Int) throws {
    let seed = UInt64.random(in: 0...UInt64(UInt32.max))
    var kernels = RandomKernels(generator: SeededGenerator(seed: seed))
    let backend = try CUDABackend.hopper(tile: tile)
    let singles = (0..<4).map { number in
      let product = kernels.alignedMatmul()
      return number < 2 ? product.summingLeftRows ?? product : product
    }
    let cases = singles.flatMap { single in Self.parallel((0..<3).map { single.moved(by: $0) }, backend) }
    #expect(!cases.isEmpty, "seed \(seed)")
    try check(cases, backend, seed: seed)
  }

  /// An array as what arguments are bound to: those of equal numbers are the same memory.
  private struct Bound: Hashable {
    var array: [Float]
    var number: Int
  }

  /// Cases as one for each kind of companions, where there are several of a kind.
  private static func parallel(_ cases: [KernelCase], _ backend: CUDABackend = CUDABackend()) -> [KernelCase] {
    var kinds: [(key: Companions?, value: [KernelCase])] = []
    for item in cases {
      let companions = backend.variant(of: item.kernel, units: item.units).companions
      if let known = kinds.firstIndex(where: { $0.key == companions }) {
        kinds[known].value.append(item)
      } else {
        kinds.append((companions, [item]))
      }
    }
    return kinds.compactMap { kind, cases in
      guard kind != nil, cases.count > 1 else { return nil }
      let adopted = cases.map { $0.kernel.adopting(backend.variant(of: $0.kernel, units: $0.units), units: $0.units) }
      // Where two read the same numbers, they may read them in the same place.
      let (kernel, arrays) = Kernel.parallel(
        zip(adopted, cases).enumerated().map { number, pair in
          let bindings = zip(pair.0.kernel.arguments, pair.1.arrays).map { argument, array in
            Bound(array: array, number: argument.access == .read ? 0 : number + 1)
          }
          return ParallelKernel.Member(kernel: pair.0.kernel, units: pair.0.units, bindings: bindings)
        })
      return KernelCase(kernel: kernel, arrays: arrays.map(\.array), units: 1, tolerance: cases.map(\.tolerance).max() ?? 0)
    }
  }

  @Test(arguments: 0...4) func matmulsByWarpGroupsAgreeWithReference(tile: Int) throws {
    try check(3, .hopper(tile: tile)) { $0.alignedMatmul() }
  }

  @Test func sequencesAgreeWithReference() throws { try check(8) { $0.sequence() } }

  @Test func scatterAddAgreesWithReference() throws {
    let seed = UInt64.random(in: 0...UInt64(UInt32.max))
    var generator = SeededGenerator(seed: seed)
    var cases = [1, 3, 8, 13, 48, 70].map { KernelCase.scatter(width: $0, generator: &generator) }
    cases.append(KernelCase.scatter(width: 16, generator: &generator).rounding([0]))
    try check(cases, seed: seed)
  }

  private static let shapes = [
    AttentionShape(heads: 3, headWidth: 16, queryCount: 17, keyCount: 17),
    AttentionShape(heads: 1, headWidth: 64, queryCount: 12, keyCount: 65),
    AttentionShape(heads: 2, headWidth: 5, queryCount: 33, keyCount: 7),
    AttentionShape(heads: 1, headWidth: 32, queryCount: 40, keyCount: 51),
  ]

  /// On tensor cores where rows are of bf16 and whole instructions; weights have 16 bits there.
  @Test(arguments: [false, true]) func attentionAgreesWithReference(isRounded: Bool) throws {
    let seed = UInt64.random(in: 0...UInt64(UInt32.max))
    var generator = SeededGenerator(seed: seed)
    // So many heads that a block for each works on queries and then on keys.
    let many = AttentionShape(heads: 4, headWidth: 5, queryCount: 3, keyCount: 2)
    var cases = [KernelCase.attentionGradient(many, units: 108, generator: &generator)].map {
      $0.rounding(isRounded ? [0, 1, 3] : [])
    }
    cases += Self.parallel((0..<3).map { KernelCase.attention(Self.shapes[0], units: 1, generator: &generator).moved(by: $0) })
    cases += Self.shapes.flatMap { shape -> [KernelCase] in
      [
        KernelCase.attention(shape, units: 2, generator: &generator).rounding(isRounded ? [0, 1] : []),
        .attentionGradient(shape, units: 2, generator: &generator).rounding(isRounded ? [0, 1, 3] : []),
      ]
    }
    if isRounded { for index in cases.indices { cases[index].tolerance = 5e-5 } }
    try check(cases, seed: seed)
  }
}

extension Kernel {
  /// The units of the kernel as the backend cuts it: one where a result that no sample owns comes whole.
  fileprivate func unitsAsPlanned(_ units: Int) -> Int { wholeResult == nil ? units : 1 }
}

extension KernelCase {
  /// The same work with the sums of the left side's rows; nil where that is no product of a matrix as a whole.
  fileprivate var summingLeftRows: KernelCase? {
    guard case .matmul(var matmul) = kernel.body, case .rows = matmul.partition else { return nil }
    var result = self
    result.kernel.arguments.append(KernelArgument(element: .float32, access: .write, unitStride: 0, count: matmul.m + 1))
    result.arrays.append([Float](repeating: 0, count: matmul.m + 1))
    matmul.leftSums = Access(argument: kernel.arguments.count, offset: 1, strides: [1])
    result.kernel.body = .matmul(matmul)
    return result
  }

  /// The same work on arrays of float32 whose numbers lie `distance` places farther on.
  fileprivate func moved(by distance: Int) -> KernelCase {
    var result = self
    for (index, argument) in kernel.arguments.enumerated() where argument.element == .float32 && arrays[index].count > distance {
      result.arrays[index] = Array(arrays[index].dropFirst(distance) + arrays[index].prefix(distance))
    }
    return result
  }
}
