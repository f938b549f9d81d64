import Foundation

/// The Swift compiler, which knows where its static libraries are and how to link them.
struct LinkDriver {
  private let compiler: URL

  /// The Swift compiler that the environment's `SWIFTC` names, or the first one on the path.
  static func find() throws -> LinkDriver {
    let environment = ProcessInfo.processInfo.environment
    let candidates =
      environment["SWIFTC"].map { [URL(fileURLWithPath: $0)] }
      ?? (environment["PATH"] ?? "").split(separator: ":").map { URL(fileURLWithPath: String($0)).appendingPathComponent("swiftc") }
    guard let compiler = candidates.first(where: { FileManager.default.isExecutableFile(atPath: $0.path) }) else {
      throw BackendError(
        "No Swift compiler was found to link with; install the Swift toolchain, and put it on the PATH or name its swiftc in SWIFTC."
      )
    }
    let driver = LinkDriver(compiler: compiler)
    guard FileManager.default.fileExists(atPath: driver.staticLibraries.path) else {
      throw BackendError(
        "\(compiler.path) has no static libraries at \(driver.staticLibraries.path); install the whole Swift toolchain for Linux.")
    }
    return driver
  }

  /// The folder of the toolchain's static libraries.
  private var staticLibraries: URL {
    compiler.resolvingSymlinksInPath().deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("lib/swift_static/linux")
  }

  /// What the runtime's archive needs of the toolchain and the system, which nothing says in the archive.
  private static let runtimeLibraries = [
    "FoundationEssentials", "_FoundationCShims", "_FoundationCollections", "swiftSynchronization", "swift_Concurrency",
    "swift_StringProcessing", "swift_RegexParser", "dispatch", "BlocksRuntime", "swiftDispatch", "stdc++", "m", "pthread", "dl",
  ]

  /// Links objects and archives into a stripped executable, with `words` as a C compiler takes them for shared libraries.
  func link(_ objects: [URL], libraries: [URL], words: [String] = [], to output: URL) throws {
    let process = Process()
    process.executableURL = compiler
    let shared = LinkDriver.runtimeLibraries.map { "-l" + $0 } + words.flatMap { ["-Xclang-linker", $0] }
    let inputs = (objects + libraries).map(\.path)
    process.arguments =
      ["-static-stdlib", "-use-ld=lld", "-o", output.path] + inputs + shared + ["-Xlinker", "-s", "-Xlinker", "--gc-sections"]
    let messages = Pipe()
    process.standardError = messages
    process.standardOutput = messages
    do {
      try process.run()
    } catch {
      throw BackendError("\(compiler.path) could not be run to link: \(error.localizedDescription)")
    }
    let text = String(decoding: messages.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw BackendError("Linking failed. \(hint(text))\(compiler.lastPathComponent) said:\n\(text)")
    }
  }

  /// What to install, where the messages tell.
  private func hint(_ messages: String) -> String {
    if messages.contains("stdc++") { return "Install the C++ library with 'apt-get install libstdc++-12-dev'. " }
    if messages.contains("crt1.o") || messages.contains("unable to find library -lm") {
      return "Install the C library with 'apt-get install libc6-dev gcc'. "
    }
    return ""
  }
}
