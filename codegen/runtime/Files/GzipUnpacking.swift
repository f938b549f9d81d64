import CZlib

/// Unpacks a gzip file, of one member or of several, from its beginning or from a point of its index on.
final class GzipUnpacking {
  /// How many bytes of what the file unpacks to have gone by.
  private(set) var offset: Int
  /// Why no more can be unpacked, where that is not the end.
  private(set) var damage: String?

  private let file: OpenFile
  /// zlib keeps the address of its stream.
  private let stream: UnsafeMutablePointer<z_stream>
  private let input: UnsafeMutableRawBufferPointer
  private let output: UnsafeMutableRawBufferPointer
  /// Where the file's bytes after those in `input` begin.
  private var packedEnd: Int
  /// Whether the member's header has been passed over, and so its sum at the end must be as well.
  private var isRaw: Bool
  private var isAtEnd = false

  private static let chunkBytes = 1 << 16
  private static let windowBytes = 1 << 15
  /// Says that members have headers.
  private static let gzipBits: Int32 = 31
  /// Says that there are blocks alone.
  private static let rawBits: Int32 = -15

  init(_ file: OpenFile, from point: GzipIndex.Point? = nil) throws(TrainerError) {
    self.file = file
    offset = point?.offset ?? 0
    packedEnd = point?.packedOffset ?? 0
    isRaw = point != nil
    stream = .allocate(capacity: 1)
    stream.initialize(to: z_stream())
    input = .allocate(byteCount: Self.chunkBytes, alignment: 16)
    output = .allocate(byteCount: Self.chunkBytes, alignment: 16)
    let bits = isRaw ? Self.rawBits : Self.gzipBits
    guard inflateInit2_(stream, bits, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
      throw TrainerError("there is no memory left to unpack \(file.path)")
    }
    guard let point else { return }
    if point.bits > 0 {
      let byte = try file.bytes(at: point.packedOffset - 1, count: 1)[0]
      inflatePrime(stream, Int32(point.bits), Int32(byte >> (8 - point.bits)))
    }
    inflateSetDictionary(stream, point.window, UInt32(point.window.count))
  }

  deinit {
    inflateEnd(stream)
    stream.deallocate()
    input.deallocate()
    output.deallocate()
  }

  /// Unpacks some bytes, to the end of a block at most; false at the end of all.
  func skip() throws(TrainerError) -> Bool {
    try advance(into: output, flush: Z_BLOCK)
    return !isAtEnd
  }

  /// Passes over what comes before `offset` and fills `target` with what follows; false where that much cannot be unpacked.
  func read(into target: UnsafeMutableRawBufferPointer, at offset: Int) throws(TrainerError) -> Bool {
    while self.offset < offset {
      guard !isAtEnd else { return false }
      try advance(into: UnsafeMutableRawBufferPointer(rebasing: output[..<min(output.count, offset - self.offset)]))
    }
    while self.offset < offset + target.count {
      guard !isAtEnd else { return false }
      try advance(into: UnsafeMutableRawBufferPointer(rebasing: target[(self.offset - offset)...]))
    }
    return true
  }

  /// The point that has been reached, where it is one from which to go on later.
  func point() -> GzipIndex.Point? {
    // zlib tells whether a block has just ended, and whether it was a member's last one.
    guard !isAtEnd, stream.pointee.data_type & 128 != 0, stream.pointee.data_type & 64 == 0 else { return nil }
    var window = [UInt8](repeating: 0, count: Self.windowBytes)
    var count = UInt32(window.count)
    guard inflateGetDictionary(stream, &window, &count) == Z_OK else { return nil }
    return GzipIndex.Point(
      packedOffset: packedEnd - Int(stream.pointee.avail_in), bits: Int(stream.pointee.data_type & 7), offset: offset,
      window: Array(window.prefix(Int(count))))
  }

  /// Unpacks bytes into `target`, as many as one call of zlib does.
  private func advance(into target: UnsafeMutableRawBufferPointer, flush: Int32 = Z_NO_FLUSH) throws(TrainerError) {
    if stream.pointee.avail_in == 0 {
      let count = min(input.count, file.byteCount - packedEnd)
      guard count > 0 else { return end("it is cut off") }
      try fill(count)
    }
    let room = UInt32(min(target.count, 1 << 30))
    stream.pointee.next_out = target.baseAddress?.assumingMemoryBound(to: UInt8.self)
    stream.pointee.avail_out = room
    let code = inflate(stream, flush)
    offset += Int(room - stream.pointee.avail_out)
    switch code {
    case Z_OK, Z_BUF_ERROR: break
    case Z_STREAM_END: try beginMember()
    case Z_MEM_ERROR: throw TrainerError("there is no memory left to unpack \(file.path)")
    default: end("its packed bytes are damaged at byte \(packedEnd - Int(stream.pointee.avail_in))")
    }
  }

  /// Goes on with the member that follows the one that has ended, if any; what is no member is left alone.
  private func beginMember() throws(TrainerError) {
    let sumBytes = isRaw ? 8 : 0
    packedEnd += sumBytes - Int(stream.pointee.avail_in)
    stream.pointee.avail_in = 0
    isRaw = false
    guard file.byteCount - packedEnd > 2 else {
      isAtEnd = true
      return
    }
    try fill(min(input.count, file.byteCount - packedEnd))
    guard input[0] == 0x1F, input[1] == 0x8B, inflateReset2(stream, Self.gzipBits) == Z_OK else {
      isAtEnd = true
      return
    }
  }

  /// Reads `count` bytes of the file.
  private func fill(_ count: Int) throws(TrainerError) {
    try file.read(into: UnsafeMutableRawBufferPointer(rebasing: input[..<count]), at: packedEnd)
    packedEnd += count
    stream.pointee.next_in = input.baseAddress?.assumingMemoryBound(to: UInt8.self)
    stream.pointee.avail_in = UInt32(count)
  }

  private func end(_ damage: String) {
    self.damage = damage
    isAtEnd = true
  }
}
