import CCUDA

/// A function of a GPU with its parameters.
struct CUDALaunch {
  let function: wamim_cuda_function
  let blocks: Int
  let threads: Int
  /// Addresses and whole numbers, one after the other in memory, so that a function can take all of them as one table.
  let parameters: [UInt64]
  /// What messages call it.
  let name: String
  /// Bytes of shared memory that a block has beside what the function names.
  var sharedBytes = 0
  /// Parameters behind the others.
  var tensorMaps: CUDATensorMaps?

  /// Asks `stream` to run the function.
  func run(on stream: CUDAStream) throws(TrainerError) {
    var values = parameters
    let result = values.withUnsafeMutableBufferPointer { values in
      let mapCount = tensorMaps?.count ?? 0
      return withUnsafeTemporaryAllocation(of: UnsafeMutableRawPointer?.self, capacity: max(values.count + mapCount, 1)) {
        pointers in
        for index in values.indices {
          pointers.initializeElement(at: index, to: values.baseAddress.map { UnsafeMutableRawPointer($0 + index) })
        }
        for index in 0..<mapCount { pointers.initializeElement(at: values.count + index, to: tensorMaps?.pointer(index)) }
        return wamim_cuLaunchKernel(
          function, UInt32(blocks), 1, 1, UInt32(threads), 1, 1, UInt32(sharedBytes), stream.handle, pointers.baseAddress, nil)
      }
    }
    try CUDAResult.check(result, "launch \(name)")
  }
}
