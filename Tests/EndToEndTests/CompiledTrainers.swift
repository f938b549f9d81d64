import Foundation

/// The trainers that tests have compiled so far: several tests ask for the same.
final class CompiledTrainers: @unchecked Sendable {
  static let shared = CompiledTrainers()

  /// One trainer, compiled by the first who asks while others wait.
  private final class Entry: @unchecked Sendable {
    let lock = NSLock()
    var isCompiled = false
  }

  private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("wamimc-trainers-\(getpid())")
  private let lock = NSLock()
  private var entries: [[String]: (number: Int, entry: Entry)] = [:]

  private init() {
    try? FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    atexit { try? FileManager.default.removeItem(at: CompiledTrainers.shared.folder) }
  }

  /// The path of the trainer that the compiler makes of `words`; `compile` makes it at the path that it is given.
  func trainer(_ words: [String], _ compile: (String) throws -> Void) throws -> String {
    let (number, entry) = lock.withLock {
      let found = entries[words] ?? (entries.count, Entry())
      entries[words] = found
      return found
    }
    let path = folder.appendingPathComponent("\(number)").path
    try entry.lock.withLock {
      if !entry.isCompiled { try compile(path) }
      entry.isCompiled = true
    }
    return path
  }
}

/// How much of what can be tried is tried: all of it where `WAMIM_THOROUGH` is set, as `make test-thorough` does.
enum Thoroughness {
  static let isThorough = ProcessInfo.processInfo.environment["WAMIM_THOROUGH"] != nil
}

extension Array {
  /// Every element, or where tests are to be quick, one of `stride`, the first among them.
  func sampled(oneOf stride: Int) -> [Element] {
    Thoroughness.isThorough ? self : indices.filter { $0 % stride == 0 }.map { self[$0] }
  }
}
