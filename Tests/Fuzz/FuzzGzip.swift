/// Unpacks arbitrary bytes from front to back, and then from every point of an index on, which has to give the same.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzGzip(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int32 {
  withMemoryFile(bytes, count) { path in
    guard let file = try? OpenFile(reading: path), let (index, _) = try? GzipIndex.of(file, spacing: 1 << 12) else { return }
    // Deflate packs a thousand bytes into one at most.
    precondition(index.byteCount <= 1100 * count)
    guard index.byteCount <= 1 << 22, let whole = try? GzipReader(file, index: index).bytes(at: 0, count: index.byteCount) else {
      return
    }
    for point in index.points.prefix(20).reversed() {
      let length = min(5000, index.byteCount - point.offset)
      let range = try? GzipReader(file, index: index).bytes(at: point.offset, count: length)
      precondition(range == Array(whole[point.offset..<point.offset + length]))
    }
  }
  return 0
}
