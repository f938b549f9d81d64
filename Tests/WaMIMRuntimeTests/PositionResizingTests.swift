import Testing
import WaMIMRuntime

/// Tables of positions for other grids against PyTorch's `interpolate(mode="bicubic", align_corners=False)`.
struct PositionResizingTests {
  /// A table of width 2 for a class token and 3 × 3 patches.
  private static let table: [Float] = (0..<20).map { Float(($0 * 37) % 23) / 8 - 1 }

  private static let larger: [Float] = [
    -1, 0.75, -0.641496, 1.713496, -0.250412, 0.445912, 0.346, -1.055, 0.793372, -0.854372, 1.031, -0.37, 0.49146, 1.167912,
    0.10887,
    0.573814, -0.273, -0.0755, 0.05928, 0.225316, 0.412, 0.6095, 1.716, 0.315, 0.582, 0.5725, -0.75, 1.0, -0.5295, 1.4275, -0.065,
    1.685, 1.08996, -0.388872, 0.70737, -0.031184, 0.3255, 0.523, 0.65778, 0.965404, 1.0105, 1.208, 0.317504, -0.781, 0.708588,
    -0.5235, 1.305, -0.096, 1.752372, 0.3315, 1.99, 0.589,
  ]
  private static let smaller: [Float] = [
    -1, 0.75, 0.034115, 0.799431, 0.436438, 0.012157, 0.741634, -0.291065, 1.143957, 0.801405,
  ]

  @Test(arguments: [(5, larger), (2, smaller)]) func isThatOfPyTorch(side: Int, expected: [Float]) {
    let resized = PositionResizing.resized(Self.table, from: 3, to: side)
    #expect(resized.count == expected.count)
    #expect(zip(resized, expected).allSatisfy { abs($0 - $1) < 2e-6 })
  }

  @Test func theSameGridStays() {
    #expect(PositionResizing.resized(Self.table, from: 3, to: 3) == Self.table)
  }
}
