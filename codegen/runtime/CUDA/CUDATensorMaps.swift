import CCUDA
import CProgram

/// What a GPU's tensor copy engine has to know of arrays, as the driver writes it.
enum CUDATensorMaps {
  /// Words of 8 bytes of a description, and what the number of its first word among a launch's parameters is a multiple of.
  private static let (wordCount, alignment) = (16, 8)

  /// The first word of each description in `parameters`, the first of which lies behind the addresses.
  static func starts(in parameters: [UInt64], behind addressCount: Int) -> [Int] {
    Array(stride(from: first(behind: addressCount), to: parameters.count, by: wordCount))
  }

  private static func first(behind addressCount: Int) -> Int { (addressCount + alignment - 1) / alignment * alignment }

  /// A launch's parameters: `addresses`, and behind them descriptions of arrays.
  ///
  /// - Parameter addresses: Where each of the call's arguments begins.
  static func parameters(
    _ addresses: [UInt64], _ maps: UnsafeBufferPointer<wamim_tensor_map>, for name: String
  ) throws(TrainerError) -> [UInt64] {
    guard !maps.isEmpty else { return addresses }
    var parameters = addresses + [UInt64](repeating: 0, count: first(behind: addresses.count) - addresses.count)
    for map in maps { parameters += try description(of: map, addresses, for: name) }
    return parameters
  }

  private static func description(
    of map: wamim_tensor_map, _ addresses: [UInt64], for name: String
  ) throws(TrainerError) -> [UInt64] {
    let purpose = "describe argument \(map.argument) of \(name) to the GPU's copy engine"
    guard Int(map.argument) < addresses.count else { throw TrainerError("cannot \(purpose): compile the model again") }
    let extents = [map.extents.0, map.extents.1, map.extents.2, map.extents.3]
    let strides = [map.strides.0, map.strides.1, map.strides.2]
    let box = [map.box.0, map.box.1, map.box.2, map.box.3]
    let address = UnsafeMutableRawPointer(bitPattern: UInt(addresses[Int(map.argument)] + map.offset))
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 8 * wordCount, alignment: 8 * alignment)
    defer { bytes.deallocate() }
    try CUDAResult.check(
      wamim_cuTensorMapEncodeTiled(
        bytes.baseAddress, Int32(WAMIM_CUDA_TENSOR_BFLOAT16), map.axis_count, address, extents, strides, box, [1, 1, 1, 1],
        Int32(WAMIM_CUDA_TENSOR_NO_INTERLEAVE), Int32(WAMIM_CUDA_TENSOR_SWIZZLE_128_BYTES),
        Int32(WAMIM_CUDA_TENSOR_PROMOTE_256_BYTES), Int32(WAMIM_CUDA_TENSOR_ZEROS_BEYOND)), purpose)
    return Array(bytes.bindMemory(to: UInt64.self))
  }
}
