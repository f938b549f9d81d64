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
    _ name: String, blocks: Int, threads: Int, _ pointers: [UnsafeMutableRawPointer], memory: [UnsafeMutableRawBufferPointer],
    order: UInt64 = 0
  ) throws {
    var message = [CChar](repeating: 0, count: 1024)
    let parameters = pointers.map { UInt64(UInt(bitPattern: $0)) }
    let ranges = memory.map { ptx_memory(base: $0.baseAddress, bytes: $0.count) }
    let failed = ptx_launch(
      module, name, UInt32(blocks), UInt32(threads), parameters, parameters.count, ranges, ranges.count, order, &message,
      message.count)
    if failed != 0 { throw EmulationError(description: String(cString: message)) }
  }
}
