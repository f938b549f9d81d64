/// Keys's kernel of cubic convolution (IEEE Transactions on Acoustics, Speech and Signal Processing 29, 1981), by its free number `a`.
struct CubicConvolution {
  /// What Pillow resizes images by.
  static let pillow = CubicConvolution(a: -0.5)
  /// What PyTorch's `interpolate` resizes by.
  static let pytorch = CubicConvolution(a: -0.75)

  let a: Double

  /// The weight of a number that lies `distance` away; 0 from a distance of 2 on.
  func weight(at distance: Double) -> Double {
    let x = abs(distance)
    if x < 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
    if x < 2 { return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a }
    return 0
  }
}
