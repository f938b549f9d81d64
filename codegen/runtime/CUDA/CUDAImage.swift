import CProgram

/// A program's code for one architecture of GPUs.
struct CUDAImage {
  /// Its place among the program's images.
  let index: Int
  let code: wamim_device_image

  /// The architecture by NVIDIA's name.
  var architecture: String { code.architecture.map { String(cString: $0) } ?? "an unnamed architecture" }

  /// Whether its products of bf16 numbers are of warp groups, where they are large enough.
  var multipliesByWarpGroups: Bool { architecture == "sm_90a" }

  private var capability: Int { Int(code.compute_capability) }

  /// The compute capabilities of the GPUs that can run it.
  private var range: String { Self.text(capability) + (code.is_exact == 0 ? " or newer" : " exactly") }

  /// All images of a program.
  static func all(of code: wamim_device_code) -> [CUDAImage] {
    UnsafeBufferPointer(start: code.images, count: Int(code.image_count)).enumerated().map { CUDAImage(index: $0, code: $1) }
  }

  /// The image for a GPU of a compute capability, ten times the major number and the minor one, whose driver is of version `driver`: the
  /// one for the newest architecture, and of two of that the one that only such GPUs can run.
  ///
  /// - Parameter name: The GPU as messages name it.
  static func best(
    of code: wamim_device_code, capability: Int, driver: Int, called name: String
  ) throws(TrainerError) -> CUDAImage {
    let images = all(of: code)
    let fitting = images.filter { $0.code.is_exact == 0 ? $0.capability <= capability : $0.capability == capability }
    guard !fitting.isEmpty else {
      throw TrainerError(
        "\(name) has compute capability \(text(capability)), and this program needs \(images.map(\.range).joined(separator: ", or "))"
      )
    }
    let known = fitting.filter { $0.code.driver_version <= driver }
    guard let best = known.max(by: { ($0.capability, $0.code.is_exact) < ($1.capability, $1.code.is_exact) }) else {
      try CUDADriver.requireVersion(fitting.map { Int($0.code.driver_version) }.min() ?? 0)
      throw TrainerError("this program has no code for \(name); compile the model again")
    }
    return best
  }

  /// A compute capability as people write it.
  private static func text(_ capability: Int) -> String { "\(capability / 10).\(capability % 10)" }
}
