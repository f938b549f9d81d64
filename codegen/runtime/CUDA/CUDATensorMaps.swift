import CCUDA
import CProgram

/// What a GPU's tensor copy engine has to know of arrays, as the driver writes it.
final class CUDATensorMaps {
  let count: Int
  private let memory: UnsafeMutableRawPointer

  /// Bytes of each, and what the driver wants their addresses to be multiples of.
  private static let (byteCount, alignment) = (128, 64)

  /// - Parameter addresses: Where each of the call's arguments begins.
  init(_ maps: UnsafeBufferPointer<wamim_tensor_map>, addresses: [UInt64], for name: String) throws(TrainerError) {
    count = maps.count
    memory = .allocate(byteCount: Self.byteCount * maps.count, alignment: Self.alignment)
    for (index, map) in maps.enumerated() {
      let purpose = "describe argument \(map.argument) of \(name) to the GPU's copy engine"
      guard Int(map.argument) < addresses.count else { throw TrainerError("cannot \(purpose): compile the model again") }
      let extents = [map.extents.0, map.extents.1, map.extents.2, map.extents.3]
      let strides = [map.strides.0, map.strides.1, map.strides.2]
      let box = [map.box.0, map.box.1, map.box.2, map.box.3]
      let target = pointer(index)
      let address = UnsafeMutableRawPointer(bitPattern: UInt(addresses[Int(map.argument)] + map.offset))
      try CUDAResult.check(
        wamim_cuTensorMapEncodeTiled(
          target, Int32(WAMIM_CUDA_TENSOR_BFLOAT16), map.axis_count, address, extents, strides, box, [1, 1, 1, 1],
          Int32(WAMIM_CUDA_TENSOR_NO_INTERLEAVE), Int32(WAMIM_CUDA_TENSOR_SWIZZLE_128_BYTES),
          Int32(WAMIM_CUDA_TENSOR_PROMOTE_256_BYTES), Int32(WAMIM_CUDA_TENSOR_ZEROS_BEYOND)), purpose)
    }
  }

  deinit { memory.deallocate() }

  /// Where the description of number `index` lies.
  func pointer(_ index: Int) -> UnsafeMutableRawPointer { memory + Self.byteCount * index }
}
