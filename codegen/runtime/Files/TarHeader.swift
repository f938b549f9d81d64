/// One header block of a tar archive.
struct TarHeader {
  /// What the block announces.
  enum Kind {
    case file
    /// The name of the next file, by GNU's programs.
    case longName
    /// What POSIX's pax says of the next file.
    case attributes
    /// What POSIX's pax says of all files that follow; none of it matters here.
    case globalTable
    /// A file with holes, by GNU's programs.
    case sparseFile
    /// Another name of a file, or a way to one.
    case link
    /// A folder, a device or the like.
    case other
  }

  let kind: Kind
  let name: [UInt8]
  /// How many bytes follow the block, without their padding.
  let byteCount: Int
  /// Whether blocks that continue the map of a sparse file come first.
  let hasSparseMaps: Bool

  var isFile: Bool { kind == .file || kind == .sparseFile }

  /// Reads a block of 512 bytes; nil where its sum is wrong or a number makes no sense.
  init?(_ block: [UInt8]) {
    guard block.count == 512, let sum = Self.number(block[148..<156]), Self.sums(block).contains(sum),
      let size = Self.number(block[124..<136])
    else { return nil }
    switch block[156] {
    // Old programs mark folders by their names alone.
    case 0, UInt8(ascii: "0"), UInt8(ascii: "7"): kind = Self.field(block[0..<100]).last == UInt8(ascii: "/") ? .other : .file
    case UInt8(ascii: "1"), UInt8(ascii: "2"): kind = .link
    case UInt8(ascii: "L"): kind = .longName
    case UInt8(ascii: "x"), UInt8(ascii: "X"): kind = .attributes
    case UInt8(ascii: "g"): kind = .globalTable
    case UInt8(ascii: "S"): kind = .sparseFile
    default: kind = .other
    }
    // Links, devices, folders and pipes have no bytes, whatever their size says.
    byteCount = (UInt8(ascii: "1")...UInt8(ascii: "6")).contains(block[156]) ? 0 : size
    hasSparseMaps = kind == .sparseFile && block[482] != 0
    let short = Self.field(block[0..<100])
    let isPosix = block[257..<263].elementsEqual(Array("ustar".utf8) + [0])
    let prefix = isPosix ? Self.field(block[345..<500]) : []
    name = prefix.isEmpty ? short : prefix + [UInt8(ascii: "/")] + short
  }

  /// A field's text, up to its first zero.
  private static func field(_ bytes: ArraySlice<UInt8>) -> [UInt8] { Array(bytes.prefix { $0 != 0 }) }

  /// A number in octal digits, or in GNU's binary form, which begins with a set bit; nil where it is neither, or negative.
  private static func number(_ bytes: ArraySlice<UInt8>) -> Int? {
    guard let first = bytes.first else { return nil }
    if first == 0x80 {
      var value = 0
      for byte in bytes.dropFirst() {
        guard value < 1 << 54 else { return nil }
        value = value << 8 | Int(byte)
      }
      return value
    }
    let isBlank = { (byte: UInt8) in byte == 0 || byte == UInt8(ascii: " ") }
    var value = 0
    for digit in bytes.drop(while: isBlank).prefix(while: { !isBlank($0) }) {
      guard (UInt8(ascii: "0")...UInt8(ascii: "7")).contains(digit) else { return nil }
      value = value << 3 | Int(digit - UInt8(ascii: "0"))
    }
    return value
  }

  /// The sums that the block's bytes have, those of the sum itself taken as spaces: of unsigned bytes, and of signed ones.
  private static func sums(_ block: [UInt8]) -> [Int] {
    var (unsigned, signed) = (0, 0)
    for (index, byte) in block.enumerated() {
      let byte = (148..<156).contains(index) ? UInt8(ascii: " ") : byte
      unsigned += Int(byte)
      signed += Int(Int8(bitPattern: byte))
    }
    return [unsigned, signed]
  }
}
