import Foundation

/// Finds the static libraries that every trainer is made of.
struct LibrarySearch {
  /// The folders of the runtime's archive.
  let folders: [URL]

  /// A library of the system, and the package that has it.
  private struct SystemLibrary {
    let name: String
    let package: String
  }

  private static let systemLibraries = [
    SystemLibrary(name: "libopenblas.a", package: "libopenblas-dev"),
    SystemLibrary(name: "libjpeg.a", package: "libjpeg-dev"),
    SystemLibrary(name: "libpng.a", package: "libpng-dev"),
    SystemLibrary(name: "libwebpdemux.a", package: "libwebp-dev"),
    SystemLibrary(name: "libwebp.a", package: "libwebp-dev"),
    SystemLibrary(name: "libz.a", package: "zlib1g-dev"),
  ]

  private static let runtime = "libWaMIMRuntime.a"

  /// All libraries, those that need others before those they need; in that order they start, so that the runtime can prepare OpenBLAS.
  func all() throws -> [URL] {
    guard let runtime = folders.map({ $0.appendingPathComponent(LibrarySearch.runtime) }).first(where: isFile) else {
      throw BackendError(
        """
        The trainer runtime, \(LibrarySearch.runtime), is in none of \(folders.map(\.path).joined(separator: ", ")); \
        run 'make build', or set WAMIMC_LIBRARY_PATH to the folder that has it.
        """)
    }
    return [runtime] + (try LibrarySearch.systemLibraries.map(find))
  }

  private func find(_ library: SystemLibrary) throws -> URL {
    guard let found = systemFolders.map({ $0.appendingPathComponent(library.name) }).first(where: isFile) else {
      throw BackendError("\(library.name) was not found; install it with 'apt-get install \(library.package)'.")
    }
    return found
  }

  private func isFile(_ file: URL) -> Bool { FileManager.default.fileExists(atPath: file.path) }

  /// The folders of the system's libraries: those that were asked for, then the distribution's.
  private var systemFolders: [URL] {
    let environment = (ProcessInfo.processInfo.environment["LIBRARY_PATH"] ?? "").split(separator: ":").map(String.init)
    let multiarch = ["/usr/lib/\(Architecture.native.linuxName)-linux-gnu"]
    let openBLAS = ["openblas-pthread", "openblas-serial", "openblas-openmp"].map { multiarch[0] + "/" + $0 }
    let paths = environment + multiarch + openBLAS + ["/usr/local/lib", "/usr/lib64", "/usr/lib"]
    return paths.map { URL(fileURLWithPath: $0) }
  }
}
