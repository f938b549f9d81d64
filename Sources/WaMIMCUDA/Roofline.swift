/// What a GPU can do at most, by NVIDIA's data sheets.
struct GPULimits {
  let name: String
  /// Multiplications and additions a second: of float32 numbers, and of bf16 ones on tensor cores, dense.
  let float32: Double
  let bfloat16: Double
  /// Bytes a second to and from the device's memory.
  let bandwidth: Double

  static let all = [
    GPULimits(name: "A100-40G", float32: 19.5e12, bfloat16: 312e12, bandwidth: 1555e9),
    GPULimits(name: "A100-80G", float32: 19.5e12, bfloat16: 312e12, bandwidth: 2039e9),
    GPULimits(name: "H100", float32: 66.9e12, bfloat16: 989e12, bandwidth: 3350e9),
    GPULimits(name: "H200", float32: 66.9e12, bfloat16: 989e12, bandwidth: 4800e9),
  ]

  /// The shares of the limits that good kernels reach.
  static let (arithmeticShare, bandwidthShare) = (0.75, 0.85)

  /// The least that `launch` takes, in seconds: its arithmetic or its bytes, whichever takes longer.
  func seconds(_ launch: LaunchCost) -> Double {
    let arithmetic = (launch.tensorFlops / bfloat16 + launch.otherFlops / float32) / Self.arithmeticShare
    return max(arithmetic, launch.bytes / (bandwidth * Self.bandwidthShare))
  }
}

/// What the launches of a call cost.
struct LaunchCost {
  var launches = 0.0
  /// Bytes that are read and written.
  var bytes = 0.0
  /// Multiplications and additions on tensor cores, and others.
  var tensorFlops = 0.0
  var otherFlops = 0.0

  static func + (left: LaunchCost, right: LaunchCost) -> LaunchCost {
    LaunchCost(
      launches: left.launches + right.launches, bytes: left.bytes + right.bytes, tensorFlops: left.tensorFlops + right.tensorFlops,
      otherFlops: left.otherFlops + right.otherFlops)
  }

  static func * (count: Double, cost: LaunchCost) -> LaunchCost {
    LaunchCost(
      launches: count * cost.launches, bytes: count * cost.bytes, tensorFlops: count * cost.tensorFlops,
      otherFlops: count * cost.otherFlops)
  }
}
