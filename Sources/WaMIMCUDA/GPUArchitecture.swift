/// An architecture of NVIDIA's GPUs: what its code is called, and what kernels can count on.
public struct GPUArchitecture: Hashable, Sendable {
  /// NVIDIA's name, such as `sm_90a`.
  public let name: String
  /// Ten times the major number and the minor one.
  let computeCapability: Int
  /// The first version of PTX that knows the architecture.
  let ptx: PTXVersion
  /// Processors of the GPU for which tiles are chosen.
  let processors: Int
  /// Bytes of shared memory that a block can have.
  let sharedBytes: Int

  /// Whether warp groups multiply tiles that a tensor copy engine brings to shared memory.
  var multipliesByWarpGroups: Bool { name == "sm_90a" }

  /// Whether the code runs on GPUs of this compute capability alone, and not on newer ones.
  var isExact: Bool { name.hasSuffix("a") }

  /// Those that code can be made for. Processors are those of an A100, an L40S, an H100, a B200 and an RTX PRO 6000.
  static let all = [
    GPUArchitecture(name: "sm_80", computeCapability: 80, ptx: PTXVersion(7, 0), processors: 108, sharedBytes: 163 << 10),
    GPUArchitecture(name: "sm_86", computeCapability: 86, ptx: PTXVersion(7, 1), processors: 84, sharedBytes: 99 << 10),
    GPUArchitecture(name: "sm_89", computeCapability: 89, ptx: PTXVersion(7, 8), processors: 142, sharedBytes: 99 << 10),
    GPUArchitecture(name: "sm_90", computeCapability: 90, ptx: PTXVersion(7, 8), processors: 132, sharedBytes: 227 << 10),
    GPUArchitecture(name: "sm_90a", computeCapability: 90, ptx: PTXVersion(8, 0), processors: 132, sharedBytes: 227 << 10),
    GPUArchitecture(name: "sm_100", computeCapability: 100, ptx: PTXVersion(8, 6), processors: 148, sharedBytes: 227 << 10),
    GPUArchitecture(name: "sm_100a", computeCapability: 100, ptx: PTXVersion(8, 6), processors: 148, sharedBytes: 227 << 10),
    GPUArchitecture(name: "sm_120", computeCapability: 120, ptx: PTXVersion(8, 7), processors: 188, sharedBytes: 99 << 10),
    GPUArchitecture(name: "sm_120a", computeCapability: 120, ptx: PTXVersion(8, 7), processors: 188, sharedBytes: 99 << 10),
  ]

  /// Ampere, whose code newer GPUs run too.
  package static let ampere = all[0]

  /// What is made code for where nothing else is asked for: of the others, that where kernels differ.
  static let usual = [ampere] + all.filter(\.multipliesByWarpGroups)

  /// The architecture of NVIDIA's name `name`.
  ///
  /// - Throws: An error that lists the known ones.
  public static func named(_ name: String) throws -> GPUArchitecture {
    guard let known = all.first(where: { $0.name == name }) else {
      throw CUDAError("there is no architecture '\(name)': choose among \(all.map(\.name).joined(separator: ", "))")
    }
    return known
  }
}
