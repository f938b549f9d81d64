import CCUDA

/// A function of a GPU with its parameters.
struct CUDALaunch {
  let function: wamim_cuda_function
  let blocks: Int
  let threads: Int
  /// Addresses and whole numbers, and then descriptions of arrays, one after the other in memory, so that a function can take all of
  /// them as one table.
  let parameters: [UInt64]
  /// How many stand before the descriptions; nil where there are none of those.
  var addressCount: Int?
  /// What messages call it.
  let name: String
  /// Bytes of shared memory that a block has beside what the function names.
  var sharedBytes = 0

  /// Asks `stream` to run the function.
  func run(on stream: CUDAStream) throws(TrainerError) {
    var values = parameters
    let count = addressCount ?? parameters.count
    let starts = Array(0..<count) + CUDATensorMaps.starts(in: parameters, behind: count)
    let result = values.withUnsafeMutableBufferPointer { values in
      withUnsafeTemporaryAllocation(of: UnsafeMutableRawPointer?.self, capacity: max(starts.count, 1)) { pointers in
        for (index, start) in starts.enumerated() {
          pointers.initializeElement(at: index, to: values.baseAddress.map { UnsafeMutableRawPointer($0 + start) })
        }
        return wamim_cuLaunchKernel(
          function, UInt32(blocks), 1, 1, UInt32(threads), 1, 1, UInt32(sharedBytes), stream.handle, pointers.baseAddress, nil)
      }
    }
    try CUDAResult.check(result, "launch \(name)")
  }
}
