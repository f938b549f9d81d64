import CCUDA
import WaMIMManifest

/// Copies between this machine's memory and a GPU's, piece by piece, so that one piece is filled or read while another one is copied.
final class CUDATransfers {
  private let stream: CUDAStream
  private let pieces: [Piece]
  private var next = 0

  /// Memory that waits for the GPU, or that the GPU has to be waited for.
  private struct Piece {
    let memory: PinnedMemory
    /// When the last copy from or to the memory is done.
    let copied: CUDAEvent
  }

  init(stream: CUDAStream, on context: CUDAContext) throws(TrainerError) {
    self.stream = stream
    var pieces: [Piece] = []
    for _ in 0..<2 {
      pieces.append(
        Piece(memory: try PinnedMemory(byteCount: MemoryPlan.transferBytes, on: context), copied: try CUDAEvent(on: context)))
    }
    self.pieces = pieces
  }

  /// A piece that nobody uses any more.
  private func takePiece() throws(TrainerError) -> Piece {
    let piece = pieces[next]
    next = (next + 1) % pieces.count
    try piece.copied.wait(for: "copy memory of the GPU")
    return piece
  }

  /// Copies `byteCount` bytes to `address`: `source` fills them from an offset on, piece by piece in order.
  func upload(
    _ byteCount: Int, to address: wamim_cuda_address, from source: (Int, inout MutableRawSpan) throws(TrainerError) -> Void
  ) throws(TrainerError) {
    for offset in stride(from: 0, to: byteCount, by: MemoryPlan.transferBytes) {
      let count = min(MemoryPlan.transferBytes, byteCount - offset)
      let piece = try takePiece()
      var span = UnsafeMutableRawBufferPointer(start: piece.memory.base, count: count).mutableBytes
      try source(offset, &span)
      try upload(piece, count: count, to: address + UInt64(offset))
    }
  }

  /// Copies `bytes` to `address`.
  func upload(_ bytes: UnsafeRawBufferPointer, to address: wamim_cuda_address) throws(TrainerError) {
    try upload(bytes.count, to: address) { offset, piece in
      piece.withUnsafeMutableBytes {
        $0.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + $0.count]))
      }
    }
  }

  /// Copies `numbers` to `address`.
  func upload(_ numbers: [Float], to address: wamim_cuda_address) throws(TrainerError) {
    try upload(4 * numbers.count, to: address) { offset, piece in
      piece.withUnsafeMutableBytes { target in
        numbers.withUnsafeBytes { target.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[offset..<offset + target.count])) }
      }
    }
  }

  /// Hands `byteCount` bytes at `address` to `sink`, piece by piece in order.
  func download(
    _ byteCount: Int, at address: wamim_cuda_address, to sink: (RawSpan) throws(TrainerError) -> Void
  ) throws(TrainerError) {
    var waiting: (piece: Piece, count: Int)?
    func hand(_ piece: Piece, _ count: Int) throws(TrainerError) {
      try piece.copied.wait(for: "copy what the GPU has computed")
      try sink(UnsafeRawBufferPointer(start: piece.memory.base, count: count).bytes)
    }
    for offset in stride(from: 0, to: byteCount, by: MemoryPlan.transferBytes) {
      let count = min(MemoryPlan.transferBytes, byteCount - offset)
      let piece = try takePiece()
      try download(count, at: address + UInt64(offset), to: piece)
      if let waiting { try hand(waiting.piece, waiting.count) }
      waiting = (piece, count)
    }
    if let waiting { try hand(waiting.piece, waiting.count) }
  }

  /// The bytes at `address`, copied to `target`.
  func download(to target: UnsafeMutableRawBufferPointer, at address: wamim_cuda_address) throws(TrainerError) {
    var done = 0
    try download(target.count, at: address) { piece in
      piece.withUnsafeBytes { UnsafeMutableRawBufferPointer(rebasing: target[done...]).copyMemory(from: $0) }
      done += piece.byteCount
    }
  }

  /// Exchanges `byteCount` bytes at one address with those at another.
  func exchange(_ byteCount: Int, at first: wamim_cuda_address, with second: wamim_cuda_address) throws(TrainerError) {
    for offset in stride(from: 0, to: byteCount, by: MemoryPlan.transferBytes) {
      let count = min(MemoryPlan.transferBytes, byteCount - offset)
      let (left, right) = (try takePiece(), try takePiece())
      // The stream keeps the order: both are read before either is written.
      try download(count, at: first + UInt64(offset), to: left)
      try download(count, at: second + UInt64(offset), to: right)
      try upload(left, count: count, to: second + UInt64(offset))
      try upload(right, count: count, to: first + UInt64(offset))
    }
  }

  private func upload(_ piece: Piece, count: Int, to address: wamim_cuda_address) throws(TrainerError) {
    try CUDAResult.check(wamim_cuMemcpyHtoDAsync(address, piece.memory.base, count, stream.handle), "copy memory to the GPU")
    try piece.copied.record(in: stream)
  }

  private func download(_ count: Int, at address: wamim_cuda_address, to piece: Piece) throws(TrainerError) {
    try CUDAResult.check(wamim_cuMemcpyDtoHAsync(piece.memory.base, address, count, stream.handle), "copy memory from the GPU")
    try piece.copied.record(in: stream)
  }
}
