import TestSupport
import Testing
import WaMIMCompiler
import WaMIMGraph
import WaMIMTraining

/// Which arguments of kernels may share memory, and that plans let them.
struct InPlaceTests {
  private typealias Pair = Kernel.InPlacePair

  /// Argument 0 is read, argument 1 written: rows of 8 elements, 4 of them.
  private func kernel(_ stages: [RowStage], counts: [Int] = [8, 8]) -> Kernel {
    let arguments = zip(counts, [KernelArgument.Access.read, .write]).map { count, access in
      KernelArgument(element: .float32, access: access, unitStride: count, count: count)
    }
    return Kernel(arguments: arguments, body: .rows(RowKernel(outer: [4], width: 8, stages: stages)))
  }

  private func load(_ strides: [Int] = [8, 1], offset: Int = 0, pick: Access.Pick? = nil) -> Instruction {
    .load(Access(argument: 0, offset: offset, strides: strides, pick: pick))
  }

  private func store(_ operand: Int) -> Store { Store(access: Access(argument: 1, offset: 0, strides: [8, 1]), operand: operand) }

  @Test func elementwiseWorkIsDoneInPlace() {
    let stage = RowStage(extent: .elements, instructions: [load(), .unary(.exponential, 0)], stores: [store(1)])
    #expect(kernel([stage]).inPlacePairs == [Pair(read: 0, written: 1)])
  }

  /// The sum of a single row has the row's places, but is cleared before the row is read.
  @Test func sumsOfRowsTakeNoPlace() {
    var sum = store(0)
    sum.sumsRows = true
    #expect(kernel([RowStage(extent: .elements, instructions: [load()], stores: [sum])]).inPlacePairs.isEmpty)
  }

  @Test func aRowMayBeReadInEarlierStages() {
    let sum = RowStage(
      extent: .elements, instructions: [load()], results: [.init(slot: 0, operand: 0, reduction: .sum)])
    let scale = RowStage(
      extent: .elements, instructions: [load(), .scalar(slot: 0), .binary(.multiply, 0, 1)], stores: [store(2)])
    #expect(kernel([sum, scale]).inPlacePairs == [Pair(read: 0, written: 1)])
    let late = RowStage(extent: .elements, instructions: [load()], results: [.init(slot: 1, operand: 0, reduction: .maximum)])
    #expect(kernel([scale, late]).inPlacePairs.isEmpty, "it is read again after it has been written over")
  }

  @Test func elementsAtOtherPlacesKeepArgumentsApart() {
    func pairs(_ load: Instruction, counts: [Int] = [8, 8]) -> [Kernel.InPlacePair] {
      kernel([RowStage(extent: .elements, instructions: [load], stores: [store(0)])], counts: counts).inPlacePairs
    }
    #expect(pairs(load([1, 8])).isEmpty, "transposed")
    #expect(pairs(load(offset: 1)).isEmpty, "moved")
    #expect(pairs(load([8, 0])).isEmpty, "repeated")
    #expect(pairs(load(pick: .init(argument: 0, offset: 0, strides: [1, 0], stride: 8))).isEmpty, "picked")
    #expect(pairs(load(), counts: [16, 8]).isEmpty, "of another size")
  }

  /// Arrays that live at the same time share memory where one takes the other's place, and nowhere else.
  @Test func gradientsTakeThePlaceOfActivations() throws {
    let program = try Compilation().program(for: Model(WaMIMModel { $0.batch = 12 }.graph()), text: "", compiler: "test")
    let step = try #require(program.schedules.first { $0.name == "step" })
    let buffers = step.buffers.filter { $0.storage == .arena }
    var successions = 0
    for (index, first) in buffers.enumerated() {
      for second in buffers[..<index] where first.live.overlaps(second.live) {
        let bytes = [first, second].map { $0.offset..<$0.offset + $0.byteCount }
        guard bytes[0].overlaps(bytes[1]) else { continue }
        #expect(bytes[0] == bytes[1], "\(first.name) and \(second.name)")
        let isHandedOver = first.live.upperBound == second.live.lowerBound || second.live.upperBound == first.live.lowerBound
        #expect(isHandedOver, "\(first.name) and \(second.name)")
        successions += 1
      }
    }
    #expect(successions > 0)
  }
}
