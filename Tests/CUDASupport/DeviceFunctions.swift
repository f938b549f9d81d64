import WaMIMCUDA
import WaMIMCompiler

/// What a GPU, or what stands for one, says of a function that it cannot run.
package struct DeviceError: Error, CustomStringConvertible {
  package var description: String

  package init(description: String) { self.description = description }
}

/// Functions in PTX that can be run: emulated, or by a driver.
package protocol DeviceFunctions: AnyObject {
  /// Runs a function, whose arguments are at `pointers`, with nothing but `memory` to touch.
  ///
  /// - Parameters:
  ///   - isTable: Whether all parameters are one table.
  ///   - order: Which order of threads, where that can be chosen; 0 is the quickest.
  func launch(
    _ name: String, blocks: Int, threads: Int, sharedBytes: Int, _ pointers: [UnsafeMutableRawPointer],
    tensorMaps: [DeviceCode.TensorMap], isTable: Bool, memory: [UnsafeMutableRawBufferPointer], order: UInt64
  ) throws
}

extension DeviceFunctions {
  /// Runs the function called `name`.
  package func launch(
    _ function: CUDAFunction, called name: String, _ pointers: [UnsafeMutableRawPointer], memory: [UnsafeMutableRawBufferPointer],
    order: UInt64 = 0
  ) throws {
    try launch(
      name, blocks: function.blocks, threads: function.threads, sharedBytes: function.sharedBytes, pointers,
      tensorMaps: function.tensorMaps, isTable: function.addressCount != nil, memory: memory, order: order)
  }

  /// Runs a function of one block that names its own shared memory, and takes nothing but addresses.
  package func launch(
    _ name: String, threads: Int, _ pointers: [UnsafeMutableRawPointer], memory: [UnsafeMutableRawBufferPointer], order: UInt64 = 0
  ) throws {
    try launch(
      name, blocks: 1, threads: threads, sharedBytes: 0, pointers, tensorMaps: [], isTable: false, memory: memory, order: order)
  }
}

extension DeviceCode.TensorMap {
  /// Words of 8 bytes of a description, of which the first is at a multiple of `wordAlignment` among a launch's parameters.
  static let (wordCount, wordAlignment) = (16, 8)

  /// A launch's parameters: `addresses`, and behind them the descriptions that `words` makes of arrays.
  static func parameters(
    _ addresses: [UInt64], _ maps: [Self], _ words: (_ map: Self, _ address: UInt64) throws -> [UInt64]
  ) throws -> [UInt64] {
    guard !maps.isEmpty else { return addresses }
    let padding = (wordAlignment - addresses.count % wordAlignment) % wordAlignment
    return try maps.reduce(addresses + [UInt64](repeating: 0, count: padding)) { all, map in
      try all + words(map, addresses[map.argument])
    }
  }
}
