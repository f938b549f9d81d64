/// Bytes of which any can be read: those of a file, or those that a file unpacks to.
package protocol StoredBytes {
  /// What messages call the bytes.
  var path: String { get }
  var byteCount: Int { get }

  /// Fills `target` with the bytes from `offset` on.
  func read(into target: UnsafeMutableRawBufferPointer, at offset: Int) throws(TrainerError)
}

extension StoredBytes {
  /// The `count` bytes from `offset` on.
  package func bytes(at offset: Int, count: Int) throws(TrainerError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    let result: Result<Void, TrainerError> = bytes.withUnsafeMutableBytes { buffer in
      Result { () throws(TrainerError) in try read(into: buffer, at: offset) }
    }
    try result.get()
    return bytes
  }
}

extension OpenFile: StoredBytes {}
