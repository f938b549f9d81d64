import Foundation

/// The MPI of this site, by its compiler driver for C.
struct SiteMPI {
  private let compiler: URL

  /// The file that holds what trainers ask of an MPI, beside the runtime.
  private static let source = "mpi.c"

  /// The driver that the environment's `MPICC` names, or the first `mpicc` on the path.
  static func find() throws -> SiteMPI {
    let environment = ProcessInfo.processInfo.environment
    let name = environment["MPICC"] ?? "mpicc"
    let candidates =
      name.contains("/")
      ? [URL(fileURLWithPath: name)]
      : (environment["PATH"] ?? "").split(separator: ":").map { URL(fileURLWithPath: String($0)).appendingPathComponent(name) }
    guard let compiler = candidates.first(where: { FileManager.default.isExecutableFile(atPath: $0.path) }) else {
      throw BackendError(
        "--mpi needs the MPI that trainers will run under, and there is no \(name): install it with 'apt-get install libmpich-dev' or "
          + "'apt-get install libopenmpi-dev', load your site's module, or name its compiler in MPICC.")
    }
    return SiteMPI(compiler: compiler)
  }

  /// Compiles what trainers ask of an MPI, which is in one of `folders`, to the object `output`.
  func compile(from folders: [URL], to output: URL) throws {
    let candidates = folders.map { $0.appendingPathComponent(SiteMPI.source) }
    guard let source = candidates.first(where: { FileManager.default.fileExists(atPath: $0.path) }) else {
      throw BackendError(
        """
        \(SiteMPI.source), which --mpi compiles, is in none of \(folders.map(\.path).joined(separator: ", ")); \
        run 'make build', or set WAMIMC_LIBRARY_PATH to the folder that has it.
        """)
    }
    let folder = source.deletingLastPathComponent()
    let headers = [folder, folder.appendingPathComponent("include")].flatMap { ["-I", $0.path] }
    // Some distributions' drivers ask for code that only their own linker understands.
    _ = try run(
      ["-O2", "-fPIC", "-fno-lto"] + headers + ["-c", source.path, "-o", output.path], "could not compile \(source.path)")
  }

  /// What a linker has to be told, of what the driver would tell it.
  func linkWords() throws -> [String] {
    // MPICH, Open MPI and their descendants all know this.
    let words = try run(["-show", "mpi.o", "-o", "mpi"], "does not say how to link (-show)").split { $0 == " " || $0 == "\n" }
    let libraries = words.map(String.init).filter { word in
      ["-L", "-l", "-Wl,"].contains { word.hasPrefix($0) }
    }
    guard libraries.contains(where: { $0.hasPrefix("-l") }) else {
      throw BackendError("\(compiler.path) -show names no library to link: \(words.joined(separator: " "))")
    }
    // Libraries beside a wrapper of one's own are found by no one else.
    let folders = libraries.filter { $0.hasPrefix("-L") }.map { String($0.dropFirst(2)) }
    let own = folders.filter { !$0.hasPrefix("/usr/lib") && !$0.hasPrefix("/lib") }
    return libraries + own.map { "-Wl,-rpath,\($0)" }
  }

  /// What the driver prints; an error says that it `problem`.
  private func run(_ arguments: [String], _ problem: String) throws -> String {
    let process = Process()
    process.executableURL = compiler
    process.arguments = arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    do {
      try process.run()
    } catch {
      throw BackendError("\(compiler.path) could not be run: \(error.localizedDescription)")
    }
    let text = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw BackendError(
        "\(compiler.path) \(problem); it said:\n\(text)Its C compiler may be missing: 'apt-get install gcc libc6-dev'.")
    }
    return text
  }
}
