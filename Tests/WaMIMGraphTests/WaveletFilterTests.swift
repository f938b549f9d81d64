import Testing
import WaMIMGraph

/// What the table of filters has to satisfy for the transforms to be invertible and the details to be small.
@Suite struct WaveletFilterTests {
  typealias Filter = WaveletFilter

  /// The sum of the products of two filters, the second one `shift` coefficients further on.
  private func product(_ left: Filter, _ right: Filter, shift: Int) -> Double {
    left.coefficients.enumerated().reduce(0) { sum, term in
      let index = left.first + term.offset - 2 * shift - right.first
      return sum + (right.coefficients.indices.contains(index) ? term.element * right.coefficients[index] : 0)
    }
  }

  private static let orthogonal: [Wavelet] = [.haar, .db2, .db4, .sym4]

  @Test("a coefficient synthesises to itself and to no other", arguments: Wavelet.allCases)
  func perfectReconstruction(wavelet: Wavelet) {
    let analysis = [wavelet.analysis.low, wavelet.analysis.high]
    let synthesis = [wavelet.synthesis.low, wavelet.synthesis.high]
    for (i, taken) in analysis.enumerated() {
      for (j, given) in synthesis.enumerated() {
        for shift in -8...8 {
          let expected: Double = i == j && shift == 0 ? 1 : 0
          #expect(abs(product(taken, given, shift: shift) - expected) < 1e-15, "filters \(i) and \(j), shift \(shift)")
        }
      }
    }
  }

  @Test("orthogonal wavelets are synthesised by what analyses them, biorthogonal ones are not", arguments: Wavelet.allCases)
  func orthogonality(wavelet: Wavelet) {
    #expect((wavelet.analysis == wavelet.synthesis) == Self.orthogonal.contains(wavelet))
  }

  @Test("low filters keep what is constant, and details vanish on polynomials of the wavelet's order", arguments: Wavelet.allCases)
  func moments(wavelet: Wavelet) {
    let orders: [Wavelet: Int] = [.haar: 1, .db2: 2, .db4: 4, .sym4: 4, .bior22: 2, .bior44: 4]
    for bank in [wavelet.analysis, wavelet.synthesis] {
      #expect(abs(bank.low.coefficients.reduce(0, +) - Double(2).squareRoot()) < 1e-15)
      for power in 0..<(orders[wavelet] ?? 0) {
        let moment = bank.high.coefficients.enumerated().reduce(0.0) { sum, term in
          sum + term.element * (0..<power).reduce(1.0) { product, _ in product * Double(bank.high.first + term.offset) }
        }
        #expect(abs(moment) < 1e-13, "moment \(power)")
      }
    }
  }

  @Test("what is zero at the ends of a filter is left out, and all of it is near its coefficient", arguments: Wavelet.allCases)
  func extents(wavelet: Wavelet) {
    for bank in [wavelet.analysis, wavelet.synthesis] {
      for filter in [bank.low, bank.high] {
        #expect(filter.coefficients.first != 0 && filter.coefficients.last != 0)
        #expect(filter.first >= -4 && filter.first + filter.coefficients.count <= 6)
      }
    }
  }
}
