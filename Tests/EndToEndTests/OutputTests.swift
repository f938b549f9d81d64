import Foundation
import Testing

/// Where the compiler writes, and what it leaves as it was.
struct OutputTests {
  /// Compiles to `output`: an executable, or what `options` ask for.
  private func compile(_ workshop: borrowing Workshop, to output: String, _ options: [String] = []) throws -> CommandResult {
    try workshop.wamimc([Workshop.model("wamim_vit_demo"), "--set", "batch=2", "--set", "dim=48", "-o", output] + options)
  }

  /// The type of what is at `path`, symbolic links not followed.
  private func type(_ path: String) -> mode_t {
    var status = stat()
    return lstat(path, &status) == 0 ? status.st_mode & S_IFMT : 0
  }

  @Test("What cannot be written is named with the reason", arguments: [[], ["--emit", "plan"]])
  func refusals(options: [String]) throws {
    let workshop = try Workshop()
    try FileManager.default.createDirectory(atPath: workshop.path("folder"), withIntermediateDirectories: false)
    let missing = try compile(workshop, to: workshop.path("none/x"), options)
    #expect(missing.status == 1 && missing.errors.hasSuffix("/none/x: No such file or directory\n"), "\(missing.errors)")
    let folder = try compile(workshop, to: workshop.path("folder"), options)
    #expect(folder.status == 1 && folder.errors.contains("Cannot write \(workshop.path("folder")): "), "\(folder.errors)")
    #expect(!folder.errors.contains("Domain"))
    let nameless = try compile(workshop, to: "", options)
    #expect(nameless.status == 64 && nameless.errors.contains("-o takes the name of a file"), "\(nameless.errors)")
  }

  @Test("Symbolic links stay, and what they lead to is replaced", arguments: [[], ["--emit", "plan"]])
  func links(options: [String]) throws {
    let workshop = try Workshop()
    try Data("old".utf8).write(to: URL(fileURLWithPath: workshop.path("old")))
    for (link, target) in [("link", "old"), ("early", "new"), ("twice", "link")] {
      try FileManager.default.createSymbolicLink(atPath: workshop.path(link), withDestinationPath: target)
    }
    for (link, target) in [("twice", "old"), ("early", "new")] {
      let result = try compile(workshop, to: workshop.path(link), options)
      #expect(result.status == 0, "\(result.errors)")
      #expect(type(workshop.path(link)) == S_IFLNK && type(workshop.path(target)) == S_IFREG)
      #expect(try Data(contentsOf: URL(fileURLWithPath: workshop.path(target))).count > 100)
    }
  }

  @Test("The model and the compiler are not written over", arguments: [[], ["--emit", "graph"]])
  func inputs(options: [String]) throws {
    let workshop = try Workshop()
    let text = "model m\n"
    let model = workshop.path("m.wg")
    try Data(text.utf8).write(to: URL(fileURLWithPath: model))
    try FileManager.default.createSymbolicLink(atPath: workshop.path("link"), withDestinationPath: "m.wg")
    try FileManager.default.linkItem(atPath: model, toPath: workshop.path("name"))
    for output in ["m.wg", "./m.wg", "link", "name"] {
      let result = try workshop.wamimc(["m.wg", "-o", output] + options)
      #expect(result.status == 1 && result.errors.contains("Cannot write \(output): it is the model"), "\(result.errors)")
      #expect(try String(contentsOfFile: model, encoding: .utf8) == text)
    }
    let own = try workshop.wamimc([Workshop.model("wamim_vit_demo"), "-o", Workshop.compiler] + options)
    #expect(own.status == 1 && own.errors.contains("it is this compiler"), "\(own.errors)")
  }

  @Test("A pipe stays: texts go into it, and an executable does not")
  func pipe() throws {
    let workshop = try Workshop()
    let pipe = workshop.path("pipe")
    try #require(mkfifo(pipe, 0o600) == 0)
    let refused = try compile(workshop, to: pipe)
    #expect(refused.status == 1 && refused.errors.contains("cannot replace a device or a pipe"), "\(refused.errors)")
    // The shell reads what is longer than a pipe holds.
    let command = "cat pipe > text & \"$@\" && wait"
    let words = ["-c", command, "sh", Workshop.compiler, Workshop.model("wamim_vit_demo"), "--emit", "graph", "-o", "pipe"]
    #expect(try workshop.run("/bin/sh", words).status == 0)
    #expect(type(pipe) == S_IFIFO)
    let text = try workshop.wamimc([Workshop.model("wamim_vit_demo"), "--emit", "graph"]).output
    #expect(try String(decoding: Data(contentsOf: URL(fileURLWithPath: workshop.path("text"))), as: UTF8.self) == text)
  }
}
