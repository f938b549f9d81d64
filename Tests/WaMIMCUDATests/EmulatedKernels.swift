import CPTXEmulator
import WaMIMCUDA
import WaMIMCompiler

/// What the emulator found wrong.
struct EmulationError: Error, CustomStringConvertible {
  var description: String
}

/// Functions in PTX, which run on this machine's processor.
final class EmulatedKernels {
  private let module: OpaquePointer

  init(ptx: String) throws {
    var message = [CChar](repeating: 0, count: 1024)
    guard let module = ptx_module_load(ptx, &message, message.count) else {
      throw EmulationError(description: String(cString: message))
    }
    self.module = module
  }

  deinit { ptx_module_free(module) }

  /// Runs a function, whose arguments are at `pointers`, with nothing but `memory` to touch.
  ///
  /// - Parameter order: Which order of threads; 0 is the quickest.
  func launch(
    _ name: String, blocks: Int, threads: Int, sharedBytes: Int = 0, _ pointers: [UnsafeMutableRawPointer],
    tensorMaps: [DeviceCode.TensorMap] = [], isTable: Bool = false, memory: [UnsafeMutableRawBufferPointer], order: UInt64 = 0
  ) throws {
    var message = [CChar](repeating: 0, count: 1024)
    var parameters = pointers.map { UInt64(UInt(bitPattern: $0)) }
    // In a table descriptions begin at multiples of 64 bytes.
    if isTable, !tensorMaps.isEmpty { while parameters.count % 8 != 0 { parameters.append(0) } }
    for map in tensorMaps { parameters += try Self.words(of: map, at: parameters[map.argument]) }
    let ranges = memory.map { ptx_memory(base: $0.baseAddress, bytes: $0.count) }
    let failed = ptx_launch(
      module, name, UInt32(blocks), UInt32(threads), UInt32(sharedBytes), parameters, parameters.count, ranges, ranges.count, order,
      &message, message.count)
    if failed != 0 { throw EmulationError(description: String(cString: message)) }
  }

  /// Runs the function called `name`.
  func launch(
    _ function: CUDAFunction, called name: String, _ pointers: [UnsafeMutableRawPointer], memory: [UnsafeMutableRawBufferPointer],
    order: UInt64 = 0
  ) throws {
    try launch(
      name, blocks: function.blocks, threads: function.threads, sharedBytes: function.sharedBytes, pointers,
      tensorMaps: function.tensorMaps, isTable: function.addressCount != nil, memory: memory, order: order)
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
      throw EmulationError(description: String(cString: problem))
    }
    return Array(bytes.bindMemory(to: UInt64.self))
  }
}
