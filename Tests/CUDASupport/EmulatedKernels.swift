import CPTXEmulator
import WaMIMCUDA
import WaMIMCompiler

/// Functions in PTX, which run on this machine's processor.
package final class EmulatedKernels: DeviceFunctions {
  private let module: OpaquePointer

  package init(ptx: String) throws {
    var message = [CChar](repeating: 0, count: 1024)
    guard let module = ptx_module_load(ptx, &message, message.count) else {
      throw DeviceError(description: String(cString: message))
    }
    self.module = module
  }

  deinit { ptx_module_free(module) }

  package func launch(
    _ name: String, blocks: Int, threads: Int, sharedBytes: Int, _ pointers: [UnsafeMutableRawPointer],
    tensorMaps: [DeviceCode.TensorMap], isTable: Bool, memory: [UnsafeMutableRawBufferPointer], order: UInt64
  ) throws {
    var message = [CChar](repeating: 0, count: 1024)
    let addresses = pointers.map { UInt64(UInt(bitPattern: $0)) }
    var parameters = try DeviceCode.TensorMap.parameters(addresses, tensorMaps, Self.words)
    // The emulator takes parameters of a function that has no table one behind the other.
    if !isTable {
      parameters.removeSubrange(addresses.count..<parameters.count - DeviceCode.TensorMap.wordCount * tensorMaps.count)
    }
    let ranges = memory.map { ptx_memory(base: $0.baseAddress, bytes: $0.count) }
    let failed = ptx_launch(
      module, name, UInt32(blocks), UInt32(threads), UInt32(sharedBytes), parameters, parameters.count, ranges, ranges.count, order,
      &message, message.count)
    if failed != 0 { throw DeviceError(description: String(cString: message)) }
  }

  /// What the driver would make of a description of an array in an argument at `address`.
  private static func words(of map: DeviceCode.TensorMap, at address: UInt64) throws -> [UInt64] {
    let bytes = UnsafeMutableRawBufferPointer.allocate(
      byteCount: Int(PTX_TENSOR_MAP_BYTES), alignment: Int(PTX_TENSOR_MAP_ALIGNMENT))
    defer { bytes.deallocate() }
    if let problem = ptx_encode_tensor_map(
      bytes.baseAddress, address + UInt64(map.offset), UInt32(map.extents.count), map.extents.map { UInt64($0) },
      map.strides.map { UInt64($0) }, map.box.map { UInt32($0) })
    {
      throw DeviceError(description: String(cString: problem))
    }
    return Array(bytes.bindMemory(to: UInt64.self))
  }
}
