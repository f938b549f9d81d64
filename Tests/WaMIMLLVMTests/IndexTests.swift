import KernelSupport
import TestSupport
import Testing
import WaMIMCompiler
import WaMIMGraph

@Suite struct IndexTests {
  private func argument(_ element: ElementType, _ access: KernelArgument.Access, _ count: Int) -> KernelArgument {
    KernelArgument(element: element, access: access, unitStride: count, count: count)
  }

  @Test func rankAndInverseAgreeWithReference() throws {
    let seed = UInt64.random(in: 0...UInt64(UInt32.max))
    var generator = SeededGenerator(seed: seed)
    var cases: [KernelCase] = []
    for width in [1, 2, 7, 8, 9, 31, 64, 196] {
      let rows = generator.int(1...3)
      let count = rows * width
      // Few different values, so that many are equal.
      let numbers = (0..<2 * count).map { _ in Float(generator.int(-9...9)) / 8 }
      cases.append(
        KernelCase(
          kernel: Kernel(
            arguments: [argument(.float32, .read, count), argument(.int32, .write, count)],
            body: .index(.rank(rows: rows, width: width))),
          arrays: [numbers, [Float](repeating: 0, count: 2 * count)], units: 2, tolerance: 0))
      let permutations = (0..<2 * rows).flatMap { _ in (0..<width).shuffled(using: &generator).map { Float($0) } }
      cases.append(
        KernelCase(
          kernel: Kernel(
            arguments: [argument(.int32, .read, count), argument(.int32, .write, count)],
            body: .index(.invertPermutation(rows: rows, width: width))),
          arrays: [permutations, [Float](repeating: 0, count: 2 * count)], units: 2, tolerance: 0))
    }
    try checkAgainstReference(cases, seed: seed, generator: &generator)
  }

  @Test func rankOfAnyBitsIsPermutation() throws {
    let width = 77
    let kernel = Kernel(
      arguments: [argument(.float32, .read, width), argument(.int32, .write, width)],
      body: .index(.rank(rows: 1, width: width)))
    var arrays: [[Float]] = [
      (0..<width).map { [Float.nan, -.nan, .infinity, -.infinity, 0, -0.0, 1][$0 % 7] }, [Float](repeating: 0, count: width),
    ]
    try CompiledKernels([kernel]).run(0, arrays: &arrays, ranges: [0..<1])
    #expect(arrays[1].map { Int($0) }.sorted() == Array(0..<width))
  }

  @Test func cellsAndGroupsAgreeWithReference() throws {
    let seed = UInt64.random(in: 0...UInt64(UInt32.max))
    var generator = SeededGenerator(seed: seed)
    var cases: [KernelCase] = []
    for grid in [1, 3, 8, 14] {
      let (count, side, offset) = (generator.int(1...grid * grid), 1 << generator.int(0...3), generator.int(0...3))
      let cells = (0..<2).flatMap { _ in
        [Float](repeating: 0, count: offset) + (0..<grid * grid).shuffled(using: &generator).prefix(count).map { Float($0) }
      }
      cases.append(
        KernelCase(
          kernel: Kernel(
            arguments: [argument(.int32, .read, offset + count), argument(.int32, .write, count * side * side)],
            body: .index(.finerIndices(count: count, grid: grid, side: side, sourceOffset: offset))),
          arrays: [cells, [Float](repeating: 0, count: 2 * count * side * side)], units: 2, tolerance: 0))
      let window = generator.int(1...grid)
      let cut = WindowCut(grid: grid, window: window, shift: generator.int(0...window - 1))
      cases.append(
        KernelCase(
          kernel: Kernel(
            arguments: [
              argument(.int32, .read, offset + count), argument(.int32, .write, 3 * count),
              KernelArgument(element: .float32, access: .workspace, unitStride: 0, count: 0),
            ],
            body: .index(.windowGroups(count: count, cut, sourceOffset: offset, workspace: 2))),
          arrays: [cells, [Float](repeating: 0, count: 6 * count), []], units: 2, tolerance: 0))
    }
    try checkAgainstReference(cases, seed: seed, generator: &generator)
  }

  @Test func scatterAddAgreesWithReference() throws {
    let seed = UInt64.random(in: 0...UInt64(UInt32.max))
    var generator = SeededGenerator(seed: seed)
    let cases = [1, 3, 8, 13, 48, 70].map { KernelCase.scatter(width: $0, generator: &generator) }
    try checkAgainstReference(cases, seed: seed, generator: &generator)
  }
}
