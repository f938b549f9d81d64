import KernelSupport
import TestSupport
import Testing
import WaMIMCompiler
import WaMIMGraph

@Suite struct AttentionTests {
  private static let shapes = [
    AttentionShape(heads: 3, headWidth: 16, queryCount: 17, keyCount: 17),
    AttentionShape(heads: 2, headWidth: 24, queryCount: 50, keyCount: 50),
    AttentionShape(heads: 1, headWidth: 64, queryCount: 12, keyCount: 65),
    AttentionShape(heads: 4, headWidth: 5, queryCount: 61, keyCount: 7),
    AttentionShape(heads: 2, headWidth: 6, queryCount: 1, keyCount: 64),
    AttentionShape(heads: 1, headWidth: 1, queryCount: 3, keyCount: 1),
    AttentionShape(heads: 2, headWidth: 20, queryCount: 145, keyCount: 129),
    AttentionShape(heads: 1, headWidth: 32, queryCount: 197, keyCount: 197),
  ]

  @Test(arguments: [false, true]) func attentionAgreesWithReference(isRounded: Bool) throws {
    let seed = UInt64.random(in: 0...UInt64(UInt32.max))
    var generator = SeededGenerator(seed: seed)
    let cases = sizes(isRounded).map {
      KernelCase.attention($0, units: 3, generator: &generator).rounding(isRounded ? [0, 1] : [])
    }
    try checkAgainstReference(cases, seed: seed, generator: &generator)
  }

  @Test(arguments: [false, true]) func attentionGradientAgreesWithReference(isRounded: Bool) throws {
    let seed = UInt64.random(in: 0...UInt64(UInt32.max))
    var generator = SeededGenerator(seed: seed)
    let cases = sizes(isRounded).map {
      KernelCase.attentionGradient($0, units: 3, generator: &generator).rounding(isRounded ? [0, 1, 3] : [])
    }
    try checkAgainstReference(cases, seed: seed, generator: &generator)
  }

  /// The sizes to try: of what moves rounded numbers in and out of the same products, half of them.
  private func sizes(_ isRounded: Bool) -> [AttentionShape] {
    isRounded ? Self.shapes.indices.filter { $0.isMultiple(of: 2) }.map { Self.shapes[$0] } : Self.shapes
  }
}
