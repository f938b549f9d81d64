import Glibc

/// The images that could not be read, each named once: in a file of the run's folder, and the first few on standard error.
package final class UnreadableImages: @unchecked Sendable {
  /// Which images of a run are listed.
  package enum Purpose: Sendable, CaseIterable {
    case training, validation

    /// The file of a run's folder that lists them.
    var fileName: String { self == .training ? "unreadable.txt" : "unreadable-validation.txt" }
  }

  private let lock = ThreadLock()
  private let file: OpenFile?
  private var indices: Set<Int> = []
  /// Names that are listed already, by this process or by those that trained in the same folder before.
  private var listed: Set<String> = []

  /// Whether what is found waits for another process that lists it.
  private let isCollecting: Bool
  private var collected: [Entry] = []

  /// An image that could not be read.
  package struct Entry: Sendable, Equatable {
    var index: Int
    var name: String
    var reason: String
  }

  /// Named on standard error; the rest is in the file.
  private static let namedCount = 10

  /// Keeps no file; says nothing either where another process is to be told of what is found.
  package init(collecting: Bool = false) {
    file = nil
    isCollecting = collecting
  }

  /// What has been found since this was asked last.
  func takeNew() -> [Entry] {
    lock.withLock {
      defer { collected = [] }
      return collected
    }
  }

  /// Lists them in a file of the folder `path`, a line each with the reason.
  ///
  /// - Parameters:
  ///   - final: The folder that the file will be in, where that is another one.
  ///   - isResuming: Whether to go on with the list that is there.
  package init(
    _ purpose: Purpose, listedIn path: String, movingTo final: String? = nil, isResuming: Bool
  ) throws(TrainerError) {
    isCollecting = false
    let list = "\(path)/\(purpose.fileName)"
    let shown = "\(final ?? path)/\(purpose.fileName)"
    if isResuming, let text = try? FileSystem.readText(list) {
      listed = Set(text.split(separator: "\n").compactMap { $0.split(separator: "\t").first.map(String.init) })
      file = try OpenFile(appendingTo: list, for: shown)
    } else {
      file = try OpenFile(creating: list, for: shown)
    }
  }

  package var count: Int { lock.withLock { indices.count } }

  /// Whether the image of number `index` could not be read.
  package func contains(_ index: Int) -> Bool { lock.withLock { indices.contains(index) } }

  /// Takes note that the image of number `index`, which is called `name`, cannot be read.
  package func insert(_ index: Int, name: String, reason: String) throws(TrainerError) {
    try lock.withLock { () throws(TrainerError) in
      guard indices.insert(index).inserted else { return }
      if isCollecting { return collected.append(Entry(index: index, name: name, reason: reason)) }
      if indices.count <= Self.namedCount {
        Console.warn("skipping \(name): \(reason)")
      } else if indices.count == Self.namedCount + 1 {
        Console.warn("skipping more images" + (file.map { ", which \($0.path) lists" } ?? ""))
      }
      let name = Self.onOneLine(name)
      if let file, listed.insert(name).inserted { try file.write("\(name)\t\(Self.onOneLine(reason))\n") }
    }
  }

  /// Says how many of `total` images there were, and what became of them.
  package func summarize(of total: Int, areLeftOut: Bool = false) {
    let count = count
    guard count > 0, !isCollecting else { return }
    let list = file.map { "; \($0.path) lists them" } ?? ""
    guard count < total else { return Console.warn("none of the \(total) images could be read\(list)") }
    Console.warn("\(count) of \(total) images could not be read and were \(areLeftOut ? "left out" : "replaced by others")\(list)")
  }

  private static func onOneLine(_ text: String) -> String {
    String(text.map { $0.isNewline || $0 == "\t" ? " " : $0 })
  }
}
