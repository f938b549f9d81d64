import Foundation

/// Makes a trainer of a generated object: links it with the runtime, the Swift libraries, BLAS and the image codecs, all static.
public struct Linker: Sendable {
  /// The folders that are searched for the runtime's archive, the first one first.
  public var libraryFolders: [URL]

  /// Creates a linker that finds the runtime beside the command, where it was built or installed, or where the environment's
  /// `WAMIMC_LIBRARY_PATH` says.
  ///
  /// - Parameter command: The running executable.
  public init(command: URL = Linker.runningCommand) {
    let folder = command.resolvingSymlinksInPath().deletingLastPathComponent()
    let installed = folder.deletingLastPathComponent().appendingPathComponent("lib/wamimc")
    let environment = ProcessInfo.processInfo.environment["WAMIMC_LIBRARY_PATH"] ?? ""
    libraryFolders = [folder, installed] + environment.split(separator: ":").map { URL(fileURLWithPath: String($0)) }
  }

  /// The executable that runs this.
  public static var runningCommand: URL {
    Bundle.main.executableURL ?? URL(fileURLWithPath: CommandLine.arguments.first ?? "wamimc")
  }

  /// Throws where this site has no MPI that executables can be linked with.
  public func requireMPI() throws { _ = try SiteMPI.find() }

  /// Links objects into an executable, whole or not at all, at the end of the symbolic links that `executable` may be one of.
  ///
  /// - Parameters:
  ///   - objects: The bytes of each object file, as the backend emits them.
  ///   - usesMPI: Whether the executable can be one of many processes under the MPI that this site has.
  /// - Throws: An error that names what is missing and the package that has it.
  public func link(_ objects: [[UInt8]], to executable: URL, usesMPI: Bool = false) throws {
    let file = OutputFile(executable.path)
    try file.requireReplaceable()
    let libraries = try LibrarySearch(folders: libraryFolders).all()
    let driver = try LinkDriver.find()
    let mpi = usesMPI ? try SiteMPI.find() : nil
    let folder = file.target.deletingLastPathComponent()
    let workFolder = folder.appendingPathComponent(
      ".\(file.target.lastPathComponent)-\(ProcessInfo.processInfo.processIdentifier)")
    defer { try? FileManager.default.removeItem(at: workFolder) }
    var files = objects.indices.map { workFolder.appendingPathComponent("program-\($0).o") }
    let output = workFolder.appendingPathComponent("program")
    do {
      try FileManager.default.createDirectory(at: workFolder, withIntermediateDirectories: false)
      for (object, file) in zip(objects, files) { try Data(object).write(to: file) }
    } catch {
      throw BackendError(writing: executable.path, failedWith: error)
    }
    if let mpi {
      let messages = workFolder.appendingPathComponent("mpi.o")
      try mpi.compile(from: libraryFolders, to: messages)
      files.append(messages)
    }
    try driver.link(files, libraries: libraries, words: try mpi?.linkWords() ?? [], to: output)
    // Replaces what stands there in one step.
    guard rename(output.path, file.target.path) == 0 else {
      throw BackendError("Cannot write \(executable.path): \(String(cString: strerror(errno)))")
    }
  }
}
