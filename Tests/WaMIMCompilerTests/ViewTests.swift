import TestSupport
import Testing
import WaMIMCompiler
import WaMIMGraph

/// Views against the elements that they name, one by one.
struct ViewTests {
  /// Where each element of a view lies, in row-major order.
  private func offsets(_ view: View) -> [Int] {
    var offsets = [view.offset]
    for (extent, stride) in zip(view.shape.dimensions, view.strides) {
      offsets = offsets.flatMap { offset in (0..<extent).map { offset + $0 * stride } }
    }
    return offsets
  }

  /// A view made of a few movements of a small whole buffer.
  private func randomView(_ generator: inout SeededGenerator) -> View {
    let extents = (0..<Int.random(in: 1...4, using: &generator)).map { _ in [1, 2, 3, 4, 6].randomElement(using: &generator) ?? 1 }
    var view = View(whole: ValueID(0), shape: Shape(extents))
    for _ in 0..<Int.random(in: 0...3, using: &generator) {
      switch Int.random(in: 0..<3, using: &generator) {
      case 0: view = view.transposed(Array(0..<view.shape.rank).shuffled(using: &generator))
      case 1:
        let axis = Int.random(in: 0..<view.shape.rank, using: &generator)
        let count = Int.random(in: 1...view.shape[axis], using: &generator)
        view = view.sliced(axis: axis, start: view.shape[axis] - count, count: count, step: 1)
      default:
        let shape = Shape(view.shape.dimensions.map { $0 == 1 ? Int.random(in: 1...3, using: &generator) : $0 })
        view = view.broadcast(to: shape)
      }
    }
    return view
  }

  /// A shape of as many elements as `count`.
  private func randomShape(of count: Int, _ generator: inout SeededGenerator) -> Shape {
    var (rest, extents) = (count, [Int]())
    while rest > 1 {
      let divisor = (2...rest).filter { rest % $0 == 0 }.randomElement(using: &generator) ?? rest
      extents.append(divisor)
      rest /= divisor
    }
    for _ in 0..<Int.random(in: 0...2, using: &generator) {
      extents.insert(1, at: Int.random(in: 0...extents.count, using: &generator))
    }
    return Shape(extents)
  }

  @Test(arguments: [1, 2, 3] as [UInt64]) func reshapingKeepsTheOrderOfElements(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    var expressed = 0
    for _ in 0..<2000 {
      let view = randomView(&generator)
      let shape = randomShape(of: view.shape.count, &generator)
      guard let reshaped = view.reshaped(shape) else { continue }
      expressed += 1
      #expect(reshaped.shape == shape)
      #expect(offsets(reshaped) == offsets(view), "seed \(seed): \(view) as \(shape)")
    }
    #expect(expressed > 500)
  }

  @Test(arguments: [4, 5] as [UInt64]) func aWholeBufferTakesEveryShape(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<500 {
      let shape = randomShape(of: 24, &generator)
      let view = View(whole: ValueID(0), shape: shape)
      #expect(view.reshaped(randomShape(of: 24, &generator)) != nil, "seed \(seed)")
    }
  }
}
