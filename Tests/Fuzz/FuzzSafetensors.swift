/// Reads arbitrary bytes as a safetensors file, and the elements of each of its tensors.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzSafetensors(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int32 {
  withMemoryFile(bytes, count) { path in
    guard let reader = try? SafetensorsReader(path) else { return }
    for (name, entry) in reader.header.entries {
      var elements = [UInt8](repeating: 0, count: entry.range.count)
      let isRead = elements.withUnsafeMutableBytes { (try? reader.read(name, into: $0)) != nil }
      precondition(isRead)
    }
  }
  return 0
}
