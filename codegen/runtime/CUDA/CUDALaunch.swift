import CCUDA

/// A function of a GPU with its parameters.
struct CUDALaunch {
  let function: wamim_cuda_function
  let blocks: Int
  let threads: Int
  /// Addresses and whole numbers.
  let parameters: [UInt64]
  /// What messages call it.
  let name: String

  /// Asks `stream` to run the function.
  func run(on stream: CUDAStream) throws(TrainerError) {
    var values = parameters
    let result = values.withUnsafeMutableBufferPointer { values in
      withUnsafeTemporaryAllocation(of: UnsafeMutableRawPointer?.self, capacity: max(values.count, 1)) { pointers in
        for index in values.indices {
          pointers.initializeElement(at: index, to: values.baseAddress.map { UnsafeMutableRawPointer($0 + index) })
        }
        return wamim_cuLaunchKernel(
          function, UInt32(blocks), 1, 1, UInt32(threads), 1, 1, 0, stream.handle, pointers.baseAddress, nil)
      }
    }
    try CUDAResult.check(result, "launch \(name)")
  }
}
