/// Numbers with the exponents of float32 and 8 significant bits.
public enum BFloat16 {
  /// The nearest such number, the even one of two that are as near; what is not a number stays so.
  public static func rounded(_ value: Float) -> Float {
    guard !value.isNaN else { return value }
    let bits = value.bitPattern
    return Float(bitPattern: (bits &+ 0x7FFF &+ (bits >> 16 & 1)) & 0xFFFF_0000)
  }
}
