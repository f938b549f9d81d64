import Foundation
import Testing
import WaMIMRuntime

/// Files that get their names once they are whole.
@Suite("Replaced files") struct ReplacedFileTests {
  private func write(_ text: String, to path: String) throws {
    try FileSystem.replace(path) { (file) throws(TrainerError) in try file.write(text) }
  }

  @Test("Until it is whole, the old file is there")
  func commit() throws {
    let folder = try TemporaryFolder()
    try folder.write(Array("old".utf8), to: "x")
    do {
      let abandoned = try ReplacedFile(folder["x"])
      try abandoned.file.write("half")
    }
    #expect(try folder.contents() == ["x"])
    let replaced = try ReplacedFile(folder["x"])
    try replaced.file.write("new")
    #expect(try folder.read("x") == Data("old".utf8))
    try replaced.commit()
    #expect(try folder.read("x") == Data("new".utf8))
    #expect(try folder.contents() == ["x"])
  }

  @Test("Symbolic links stay, and what they lead to is replaced or made")
  func links() throws {
    let folder = try TemporaryFolder()
    try folder.write(Array("old".utf8), to: "files/x")
    for (link, target) in [("a", "b"), ("b", "files/x"), ("c", folder["files/y"])] {
      try FileManager.default.createSymbolicLink(atPath: folder[link], withDestinationPath: target)
    }
    try write("x", to: folder["a"])
    try write("y", to: folder["c"])
    #expect(try folder.read("files/x") == Data("x".utf8))
    #expect(try folder.read("files/y") == Data("y".utf8))
    #expect(try folder.contents() == ["a", "b", "c", "files"] && folder.contents("files") == ["x", "y"])
    #expect(try FileManager.default.destinationOfSymbolicLink(atPath: folder["a"]) == "b")
  }

  @Test("A pipe stays, and is written to")
  func pipe() throws {
    let folder = try TemporaryFolder()
    try #require(mkfifo(folder["pipe"], 0o600) == 0)
    // Open for both, so that nobody waits for the other end.
    let reader = open(folder["pipe"], O_RDWR | O_NONBLOCK)
    defer { close(reader) }
    try write("text", to: folder["pipe"])
    var bytes = [UInt8](repeating: 0, count: 16)
    #expect(read(reader, &bytes, bytes.count) == 4 && bytes.starts(with: Array("text".utf8)))
    #expect(try folder.contents() == ["pipe"])
  }

  @Test("Errors name the path that was given")
  func errors() throws {
    let folder = try TemporaryFolder()
    for (path, reason) in [("none/x", "none/x: No such file"), (".", ".: it is a folder")] {
      let error = #expect(throws: TrainerError.self) { try ReplacedFile(folder[path]) }
      #expect(error?.message.contains("cannot write \(folder.path)/\(reason)") == true, "\(error?.message ?? "")")
    }
    #expect(throws: TrainerError.self) { try ReplacedFile("") }
    #expect(try folder.contents().isEmpty)
  }
}
