import Glibc

/// Keeps other processes from training in a folder, for as long as it is referred to.
package final class RunLock {
  private let file: OpenFile

  /// Locks the folder at `path`, and brings to its end what a killed process began to replace there.
  package init(_ path: String) throws(TrainerError) {
    // Nothing is emptied, whatever has this name.
    file = try OpenFile(appendingTo: "\(path)/lock")
    switch file.lock() {
    case .held: break
    case .taken:
      throw TrainerError("another process is training in \(path); give another --out")
    case .unsupported(let reason):
      Console.warn(
        "\(path) cannot be locked (\(reason)), as on some network file systems: see that no other process trains in the same folder"
      )
    }
    try RunReplacement.finish(in: path)
  }
}
