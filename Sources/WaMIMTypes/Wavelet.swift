/// An orthogonal or biorthogonal wavelet basis, under the name that PyWavelets has for it.
public enum Wavelet: String, Codable, Sendable, Hashable, CaseIterable {
  case haar
  /// Daubechies' wavelets of two and of four vanishing moments.
  case db2, db4
  /// The most symmetric orthogonal wavelet of four vanishing moments.
  case sym4
  /// The spline wavelet of JPEG 2000's lossless compression, 5/3.
  case bior22 = "bior2.2"
  /// Cohen, Daubechies and Feauveau's 9/7, that of JPEG 2000's lossy compression.
  case bior44 = "bior4.4"
}

/// A finite filter on every second sample of a row.
///
/// In an analysis, coefficient k of a row x of even length N is the sum over i of `coefficients[i]` · x[2k + `first` + i], indices
/// counted modulo N. In a synthesis, coefficient k adds `coefficients[i]` times itself to that same number. This is what
/// PyWavelets calls `periodization`.
public struct WaveletFilter: Sendable, Hashable {
  public var first: Int
  public var coefficients: [Double]

  public init(first: Int, coefficients: [Double]) {
    self.first = first
    self.coefficients = coefficients
  }
}

/// The two filters that take a row apart, or that put it together again.
public struct WaveletFilterBank: Sendable, Hashable {
  /// The filter of the approximation.
  public var low: WaveletFilter
  /// The filter of the details.
  public var high: WaveletFilter
}

extension Wavelet {
  /// The low-pass filters in the order and the length of PyWavelets' `dec_lo` and `rec_lo`, to the last digit of double precision.
  ///
  /// All others follow from them. PyWavelets' own numbers for sym4 and bior4.4 differ from these by up to 8e-13, as those are not exact.
  private var lowPass: (analysis: [Double], synthesis: [Double]) {
    switch self {
    case .haar: Self.orthogonal([0.7071067811865476, 0.7071067811865476])
    case .db2:
      Self.orthogonal([-0.12940952255126037, 0.2241438680420134, 0.8365163037378079, 0.48296291314453416])
    case .db4:
      Self.orthogonal([
        -0.010597401785069032, 0.0328830116668852, 0.030841381835560764, -0.18703481171909309, -0.027983769416859854,
        0.6308807679298589, 0.7148465705529157, 0.2303778133088965,
      ])
    case .sym4:
      Self.orthogonal([
        -0.07576571478950221, -0.029635527646002493, 0.497618667632775, 0.8037387518051321, 0.29785779560530606,
        -0.09921954357663353, -0.012603967262031304, 0.032223100604051466,
      ])
    case .bior22:
      (
        [0, -0.1767766952966369, 0.3535533905932738, 1.0606601717798212, 0.3535533905932738, -0.1767766952966369],
        [0, 0.3535533905932738, 0.7071067811865476, 0.3535533905932738, 0, 0]
      )
    case .bior44:
      (
        [
          0, 0.03782845550699546, -0.02384946501938, -0.1106244044184234, 0.37740285561265374, 0.8526986790094034,
          0.37740285561265374, -0.1106244044184234, -0.02384946501938, 0.03782845550699546,
        ],
        [
          0, -0.06453888262893843, -0.04068941760955844, 0.4180922732222122, 0.7884856164056644, 0.4180922732222122,
          -0.04068941760955844, -0.06453888262893843, 0, 0,
        ]
      )
    }
  }

  /// An orthogonal wavelet is synthesised by the filters that analyse it, in reverse.
  private static func orthogonal(_ analysis: [Double]) -> (analysis: [Double], synthesis: [Double]) {
    (analysis, analysis.reversed())
  }

  /// The filters that take a row apart.
  public var analysis: WaveletFilterBank {
    let (analysis, synthesis) = lowPass
    // PyWavelets convolves with its analysis filters, which turns them around.
    return Self.bank(low: analysis.reversed(), high: Self.alternating(synthesis, firstSign: -1).reversed())
  }

  /// The filters that put a row together again; those of the analysis where the wavelet is orthogonal.
  public var synthesis: WaveletFilterBank {
    let (analysis, synthesis) = lowPass
    return Self.bank(low: synthesis, high: Self.alternating(analysis, firstSign: 1))
  }

  private static func bank(low: [Double], high: [Double]) -> WaveletFilterBank {
    let first = 1 - low.count / 2
    return WaveletFilterBank(low: trimmed(low, first: first), high: trimmed(high, first: first))
  }

  /// A filter without the zeros that only make it as long as the others.
  private static func trimmed(_ coefficients: [Double], first: Int) -> WaveletFilter {
    let start = coefficients.firstIndex { $0 != 0 } ?? 0
    let end = coefficients.lastIndex { $0 != 0 } ?? 0
    return WaveletFilter(first: first + start, coefficients: Array(coefficients[start...end]))
  }

  /// The quadrature mirror of a filter: every second coefficient with the opposite sign.
  private static func alternating(_ coefficients: [Double], firstSign: Double) -> [Double] {
    coefficients.enumerated().map { ($0.isMultiple(of: 2) ? firstSign : -firstSign) * $1 }
  }
}
