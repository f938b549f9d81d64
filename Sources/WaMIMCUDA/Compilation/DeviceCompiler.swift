import Foundation

/// A compiler that makes PTX of CUDA C++: clang, or nvcc.
public struct DeviceCompiler: Sendable {
  private enum Kind {
    case clang
    case nvcc
  }

  private let kind: Kind
  private let path: String

  /// Clangs that Debian and others install, newest first; the plain name last, as it may be one without NVIDIA's targets.
  private static let clangs = (14...21).reversed().map { "clang-\($0)" } + ["clang"]

  /// The compiler of this machine.
  ///
  /// - Throws: An error that says what to install, where there is none.
  public init() throws {
    let environment = ProcessInfo.processInfo.environment
    let folders = (environment["PATH"] ?? "").split(separator: ":").map(String.init)
    func find(_ name: String, in folders: [String]) -> String? {
      folders.map { "\($0)/\(name)" }.first(where: FileManager.default.isExecutableFile)
    }
    for name in Self.clangs {
      if let path = find(name, in: folders), Self.hasDeviceTarget(path) {
        (kind, self.path) = (.clang, path)
        return
      }
    }
    let homes = ["CUDA_HOME", "CUDA_PATH"].compactMap { environment[$0] } + ["/usr/local/cuda"]
    if let path = find("nvcc", in: folders + homes.map { $0 + "/bin" }) {
      (kind, self.path) = (.nvcc, path)
      return
    }
    throw CUDAError(
      """
      Code for GPUs is compiled by clang, version 14 or newer, or by nvcc, and neither is on the path or in CUDA_HOME: \
      'apt-get install clang-14' installs the one, 'pip install nvidia-cuda-nvcc-cu12' the other.
      """)
  }

  /// Whether a clang was built with code generation for NVIDIA's GPUs.
  private static func hasDeviceTarget(_ path: String) -> Bool {
    (try? run(path, ["--print-targets"]))?.contains("nvptx64") ?? false
  }

  /// `text` as PTX for the architecture `sm_80` or another one by NVIDIA's name.
  ///
  /// - Throws: An error with the compiler's messages.
  public func ptx(of text: String, architecture: String = "sm_80") throws -> String {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("wamimc-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let (source, result) = (folder.appendingPathComponent("kernels.cu"), folder.appendingPathComponent("kernels.ptx"))
    try Data(text.utf8).write(to: source)
    let arguments =
      switch kind {
      case .clang:
        [
          "-x", "cuda", "--cuda-device-only", "--cuda-gpu-arch=\(architecture)", "-nocudainc", "-nocudalib", "-O3", "-S",
          "-Xclang", "-target-feature", "-Xclang", "+ptx70", "-Wno-unknown-cuda-version", source.path, "-o", result.path,
        ]
      case .nvcc: ["-arch=\(architecture)", "-O3", "-ptx", source.path, "-o", result.path]
      }
    _ = try Self.run(path, arguments)
    return try String(contentsOf: result, encoding: .utf8)
  }

  /// What a command prints.
  ///
  /// - Throws: An error with what it says of its failure.
  private static func run(_ path: String, _ arguments: [String]) throws -> String {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = arguments
    let pipe = Pipe()
    (process.standardOutput, process.standardError) = (pipe, pipe)
    try process.run()
    let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      let messages = output.split(separator: "\n").prefix(20).joined(separator: "\n")
      throw CUDAError("\(path) could not compile the kernels:\n\(messages)")
    }
    return output
  }
}
