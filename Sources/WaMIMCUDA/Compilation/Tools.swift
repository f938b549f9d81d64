import Foundation

/// Where programs of NVIDIA's and others' are: on the path, in CUDA's folder, and in what PyPI brings.
enum Tools {
  /// The program of a name; nil where there is none.
  static func find(_ name: String) -> String? {
    find(name, in: path + toolkits) ?? find(name, in: packages)
  }

  /// The program of a name on the path; nil where there is none.
  static func findOnPath(_ name: String) -> String? { find(name, in: path) }

  private static func find(_ name: String, in folders: [String]) -> String? {
    folders.map { "\($0)/\(name)" }.first(where: FileManager.default.isExecutableFile)
  }

  private static let environment = ProcessInfo.processInfo.environment
  private static let path = (environment["PATH"] ?? "").split(separator: ":").map(String.init)
  private static let toolkits =
    (["CUDA_HOME", "CUDA_PATH"].compactMap { environment[$0] } + ["/usr/local/cuda"]).map { $0 + "/bin" }

  /// The folders of programs in the packages of the Python on the path.
  private static let packages: [String] = {
    guard let python = findOnPath("python3") ?? findOnPath("python"),
      let output = try? run(python, ["-c", "import sysconfig; print(sysconfig.get_path('purelib'))"])
    else { return [] }
    let site = output.trimmingCharacters(in: .whitespacesAndNewlines)
    let releases = ((try? FileManager.default.contentsOfDirectory(atPath: site + "/nvidia")) ?? []).sorted()
    return releases.reversed().map { "\(site)/nvidia/\($0)/bin" } + ["\(site)/triton/backends/nvidia/bin"]
  }()

  /// What a command prints.
  ///
  /// - Throws: An error with what it says of its failure.
  static func run(_ path: String, _ arguments: [String]) throws -> String {
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
      throw CUDAError("\(path) failed:\n\(messages)")
    }
    return output
  }

  /// What `body` makes in a folder of its own, which is gone afterwards.
  static func inFolder<Result>(_ body: (URL) throws -> Result) throws -> Result {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("wamimc-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try body(folder)
  }
}
