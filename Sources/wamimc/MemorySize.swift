/// A number of bytes as people write it: `1500MiB`, `1.5GiB`, or plain bytes.
struct MemorySize {
  var bytes: Int

  private static let suffixes: [(name: String, bytes: Double)] = [
    ("KiB", 0x1p10), ("MiB", 0x1p20), ("GiB", 0x1p30), ("TiB", 0x1p40), ("", 1),
  ]

  init?(_ text: String) {
    for suffix in MemorySize.suffixes where text.hasSuffix(suffix.name) {
      let digits = text.dropLast(suffix.name.count)
      // Other ways to write numbers, such as `0x10` and `inf`, are no sizes.
      guard digits.allSatisfy({ $0.isASCII && $0.isNumber || $0 == "." }), let number = Double(digits) else { return nil }
      let size = (number * suffix.bytes).rounded(.down)
      guard size >= 1, size < 0x1p62, suffix.bytes > 1 || size == number else { return nil }
      bytes = Int(size)
      return
    }
    return nil
  }
}
