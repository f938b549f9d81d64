import CCUDA
import WaMIMManifest

extension CUDADevice {
  /// Blocks that add up a tensor, whatever its size, so that the sum's bits do not depend on the GPU.
  private static let blocks = 64

  package func sum(_ term: SumTerm, over tensors: [Manifest.Tensor]) throws(TrainerError) -> Double {
    guard !tensors.isEmpty else { return 0 }
    let bytes = 8 * Self.blocks
    let parts = try CUDAMemory(byteCount: bytes * tensors.count, for: "sums", on: context)
    let function = try module.function("wamim_add_up")
    for (index, tensor) in tensors.enumerated() {
      try CUDALaunch(
        function: function, blocks: Self.blocks, threads: 256,
        parameters: [
          try address(of: tensor), parts.address + UInt64(bytes * index), UInt64(tensor.count), term == .square ? 1 : 0,
        ], name: "wamim_add_up"
      ).run(on: stream)
    }
    var sum = 0.0
    try transfers.download(parts.byteCount, at: parts.address) { piece in
      piece.withUnsafeBytes { bytes in
        for part in bytes.bindMemory(to: Double.self) { sum += part }
      }
    }
    return sum
  }

  /// Adds one memory of gradients to another and zeroes it, where there are both.
  func addGradients(_ source: CUDAMemory?, to target: CUDAMemory?) throws(TrainerError) {
    guard let source, let target else { return }
    let count = target.byteCount / 4
    try CUDALaunch(
      function: try module.function("wamim_move_sums"), blocks: (count + 255) / 256, threads: 256,
      parameters: [target.address, source.address, UInt64(count)], name: "wamim_move_sums"
    ).run(on: stream)
  }
}
