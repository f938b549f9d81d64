import Foundation
import Testing
import WaMIMRuntime

/// Trainers under limits that shells, batch systems and containers set.
@Suite("Limits", .serialized) struct LimitTests {
  @Test("300 shards train under a limit on open files as without one, to the bit, and no image is left out")
  func openFiles() throws {
    let workshop = try Workshop()
    try workshop.compile("wamim_vit_demo", ["batch=4"])
    let pixels = (0..<300).map { UInt8($0 % 251) }
    for index in 0..<300 {
      let image = Image(width: 10, height: 10, channels: 3, pixels: pixels.map { $0 &+ UInt8(index % 256) })
      let png = try image.encodedAsPNG()
      try Data(Self.tar([("\(index).png", png)])).write(to: workshop.folder.appendingPathComponent("\(index).tar"))
    }
    var runs: [Data] = []
    for limit in [1024, 24] {
      let result = try workshop.limited(
        "-n \(limit)", ["fit", "--data", ".", "--limit-steps", "3", "--loader-threads", "32"], to: "run\(limit)")
      #expect(result.status == 0, "\(result.errors)")
      #expect(try workshop.contents("run\(limit)/unreadable.txt").isEmpty)
      runs.append(try workshop.contents("run\(limit)/checkpoint.safetensors"))
    }
    #expect(runs[0] == runs[1])
  }

  @Test("An image that does not fit into the memory that the system gives is named, and the others are trained on")
  func addressSpace() throws {
    let workshop = try Workshop()
    try workshop.compile("wamim_vit_demo", ["batch=4"])
    try FileManager.default.createDirectory(at: workshop.folder.appendingPathComponent("d"), withIntermediateDirectories: true)
    for (name, width, height) in [("small.png", 40, 30), ("large.png", 12_000, 9000)] {
      let png = try Image(width: width, height: height, channels: 3, filledWith: 90).encodedAsPNG()
      try Data(png).write(to: workshop.folder.appendingPathComponent("d/\(name)"))
    }
    // Where nothing is left for any image, the plan says so before the first step.
    var named = 0
    for mebibytes in stride(from: 400, through: 900, by: 50) {
      let result = try workshop.limited(
        "-v \(mebibytes << 10)", ["fit", "--data", "d", "--limit-steps", "1"], to: "run\(mebibytes)")
      guard result.status == 0 else {
        #expect(result.status == 1 && result.errors.contains("error: "), "\(mebibytes) MiB: \(result.status) \(result.errors)")
        continue
      }
      guard let list = try? workshop.contents("run\(mebibytes)/unreadable.txt"), !list.isEmpty else { break }
      let text = String(decoding: list, as: UTF8.self)
      #expect(text.contains("large.png\t12000 x 9000 pixels are too many for the memory there is") && !text.contains("small.png"))
      named += 1
      // With more memory it is read, which takes a while.
      if named == 2 { break }
    }
    #expect(named > 0)
  }

  /// An archive of `files`.
  private static func tar(_ files: [(name: String, bytes: [UInt8])]) -> [UInt8] {
    files.flatMap { file -> [UInt8] in
      var header = [UInt8](repeating: 0, count: 512)
      func put(_ text: String, at offset: Int) { header.replaceSubrange(offset..<offset + text.utf8.count, with: text.utf8) }
      put(file.name, at: 0)
      put(String(format: "%011o", file.bytes.count), at: 124)
      put(String(repeating: " ", count: 8), at: 148)
      header[156] = UInt8(ascii: "0")
      put(String(format: "%06o", header.reduce(0) { $0 + Int($1) }), at: 148)
      return header + file.bytes + [UInt8](repeating: 0, count: (512 - file.bytes.count % 512) % 512)
    } + [UInt8](repeating: 0, count: 1024)
  }
}

extension Workshop {
  /// Runs the trainer `train` within the limits that `limits`, words for the shell's `ulimit`, set.
  fileprivate func limited(_ limits: String, _ arguments: [String], to run: String) throws -> CommandResult {
    try self.run("/bin/bash", ["-c", "ulimit \(limits) && exec ./train \"$@\"", "train"] + arguments + ["--out", run])
  }

  fileprivate func contents(_ name: String) throws -> Data { try Data(contentsOf: folder.appendingPathComponent(name)) }
}
