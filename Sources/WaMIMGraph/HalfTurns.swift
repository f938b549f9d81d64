import Foundation

extension Double {
  /// sin(π · self), as IEEE 754 has it: exact at multiples of ½, and of the sign of `self` at integers.
  package var sinpi: Double {
    let rest = magnitude.lessEvenNumber
    // The sine is the same on both sides of a quarter turn.
    let result = sin(.pi * (rest.magnitude > 0.5 ? copysign(1, rest) - rest : rest))
    return sign == .minus ? -result : result
  }

  /// cos(π · self), as IEEE 754 has it: exact at multiples of ½.
  package var cospi: Double { sin(.pi * (0.5 - lessEvenNumber.magnitude)) }

  /// The number less the even integer nearest to it, which is exact: from -1 to 1, and not a number for an infinite one.
  private var lessEvenNumber: Double { self - 2 * (self / 2).rounded(.toNearestOrEven) }
}
