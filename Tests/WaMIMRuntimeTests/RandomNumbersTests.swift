import Testing
import WaMIMManifest
import WaMIMRuntime

@Suite("Random numbers") struct RandomNumbersTests {
  @Test("A number depends on its position alone, not on what was drawn before")
  func positions() {
    var sequential = RandomNumbers(seed: 3, purpose: .noise, 5)
    let direct = RandomNumbers(seed: 3, purpose: .noise, 5)
    for position in 0..<1000 { #expect(sequential.nextBits() == direct.bits(at: UInt64(position))) }
  }

  @Test("Seeds, purposes and identifiers tell sequences apart")
  func keys() {
    var firsts: Set<UInt64> = []
    for seed in 0..<50 {
      for identifier in 0..<50 {
        for purpose in [RandomNumbers.Purpose.noise, .order] {
          firsts.insert(RandomNumbers(seed: UInt64(seed), purpose: purpose, UInt64(identifier)).bits(at: 0))
        }
      }
    }
    #expect(firsts.count == 5000)
  }

  @Test("Uniform numbers lie in [0, 1) with the mean and variance that they should have")
  func uniform() {
    let numbers = RandomNumbers(seed: 1, purpose: .noise)
    let values = (0..<100_000).map { Double(numbers.uniform(at: $0)) }
    let mean = values.reduce(0, +) / Double(values.count)
    let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)
    #expect(values.allSatisfy { (0..<1).contains($0) })
    #expect(abs(mean - 0.5) < 0.005)
    #expect(abs(variance - 1 / 12) < 0.002)
  }

  @Test("Integers below a bound reach each of them about as often")
  func integers() {
    var numbers = RandomNumbers(seed: 2, purpose: .order)
    var counts = [Int](repeating: 0, count: 7)
    for _ in 0..<70_000 { counts[numbers.next(below: 7)] += 1 }
    #expect(counts.allSatisfy { abs($0 - 10_000) < 500 })
  }

  @Test("First values follow their distributions, and depend on the name and not on the order")
  func initialValues() {
    var values = [Float](repeating: 0, count: 50_001)
    func fill(_ name: String, _ initializer: Initializer) {
      values.withUnsafeMutableBufferPointer { InitialValues.fill($0, of: name, by: initializer, seed: 7) }
    }
    fill("a", .xavierUniform(fanIn: 30, fanOut: 24))
    let bound = Float((6.0 / 54).squareRoot())
    #expect(values.allSatisfy { abs($0) <= bound })
    #expect(abs((values.max() ?? 0) - bound) < 0.001)
    let first = values
    fill("b", .normal(standardDeviation: 0.02))
    let deviation = (values.reduce(0) { $0 + $1 * $1 } / Float(values.count)).squareRoot()
    #expect(abs(deviation - 0.02) < 0.0005)
    fill("c", .constant(3))
    #expect(values.allSatisfy { $0 == 3 })
    fill("a", .xavierUniform(fanIn: 30, fanOut: 24))
    #expect(values == first)
  }
}
