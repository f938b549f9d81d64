/// Reads arbitrary bytes as a tar archive, and the bytes of each of its files.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzTar(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int32 {
  withMemoryFile(bytes, count) { path in
    guard let file = try? OpenFile(reading: path) else { return }
    var reader = TarReader(file)
    var members = 0
    while let member = try? reader.next() {
      members += 1
      // Every file takes a header, so there can't be more of them, and each lies within the archive.
      precondition(members <= count / 512)
      let contents = try? file.bytes(at: member.offset, count: member.byteCount)
      precondition(contents != nil)
    }
  }
  return 0
}
