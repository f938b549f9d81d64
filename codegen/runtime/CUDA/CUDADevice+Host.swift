import WaMIMManifest

/// What this machine's processor does for a GPU: values that it makes, and a question about tensors that it answers.
extension CUDADevice {
  /// Bytes of tensors that are made at a time.
  private static let groupBytes = 64 << 20

  package func fill(
    _ tensors: [Manifest.Tensor], with values: @escaping @Sendable (_ index: Int, _ elements: inout MutableSpan<Float>) -> Void
  ) throws(TrainerError) {
    var first = 0
    while first < tensors.count {
      var (end, bytes) = (first, 0)
      while end < tensors.count, end == first || bytes + tensors[end].byteCount <= Self.groupBytes {
        bytes += tensors[end].byteCount
        end += 1
      }
      let buffers = tensors[first..<end].map { HostTensor(count: $0.count) }
      try ParallelRanges(threads: threadCount).run(buffers.count, size: 1) { [first] range in
        for index in range { buffers[index].fill(with: values, index: first + index) }
      }
      for (tensor, buffer) in zip(tensors[first..<end], buffers) {
        try transfers.upload(UnsafeRawBufferPointer(buffer.elements), to: try address(of: tensor))
      }
      first = end
    }
  }

  package func firstNonFinite(among tensors: [Manifest.Tensor]) throws(TrainerError) -> Int? {
    for (index, tensor) in tensors.enumerated() {
      var isFinite = true
      try download(tensor, in: .arena) { piece in
        piece.withUnsafeBytes { bytes in
          if let start = bytes.baseAddress, !FiniteCheck.isFinite(start, byteCount: bytes.count) { isFinite = false }
        }
      }
      if !isFinite { return index }
    }
    return nil
  }

  /// A tensor of 32-bit numbers in this machine's memory.
  private final class HostTensor: @unchecked Sendable {
    let elements: UnsafeMutableBufferPointer<Float>

    init(count: Int) {
      elements = .allocate(capacity: count)
      elements.initialize(repeating: 0)
    }

    deinit {
      elements.deallocate()
    }

    func fill(with values: (_ index: Int, _ elements: inout MutableSpan<Float>) -> Void, index: Int) {
      var span = elements.mutableSpan
      values(index, &span)
    }
  }
}
