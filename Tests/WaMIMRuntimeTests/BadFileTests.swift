import Foundation
import Testing
import WaMIMRuntime

/// A folder of images of which one in twenty is bad, in every way that there is.
///
/// `WAMIM_TEST_FILES` says how many files there are; `make stress` takes 10,000.
@Suite("Bad files", .serialized) struct BadFileTests {
  private let count = ProcessInfo.processInfo.environment["WAMIM_TEST_FILES"].flatMap { Int($0) } ?? 240

  @Test("A run trains on what can be read, names each of the other files once, and needs no more memory for them")
  func training() throws {
    let folder = try TemporaryFolder()
    let bad = try fill(folder, at: "data")
    let memory = try peakMemory()
    #expect(train("fit", "--data", folder["data"], "--epochs", "1", "--out", folder["run"], "--loader-threads", "4") == 0)
    #expect(try listed(folder, "run") == bad.sorted())
    // Far less than any of the bombs would take, though other tests run beside this one.
    #expect(try peakMemory() - memory < 700 << 20)

    #expect(train("fit", "--data", folder["data"], "--epochs", "1", "--out", folder["other"], "--loader-threads", "1") == 0)
    #expect(try folder.read("run/checkpoint.safetensors") == folder.read("other/checkpoint.safetensors"))
  }

  @Test("A run that goes on names only what was not named before")
  func resuming() throws {
    let folder = try TemporaryFolder()
    let bad = try fill(folder, at: "data")
    let limit = "\(count / 8 + 3)"
    #expect(train("fit", "--data", folder["data"], "--epochs", "2", "--out", folder["run"], "--limit-steps", limit) == 0)
    #expect(try Set(listed(folder, "run")).isSubset(of: bad))
    #expect(train("fit", "--resume", folder["run"]) == 0)
    #expect(try listed(folder, "run") == bad.sorted())
    #expect(train("fit", "--data", folder["data"], "--epochs", "2", "--out", folder["run"], "--overwrite") == 0)
    #expect(try listed(folder, "run") == bad.sorted())
  }

  @Test("The bad files of a validation are named once, in a list of their own that a new run without validation removes")
  func validation() throws {
    let folder = try TemporaryFolder()
    let bad = try fill(folder, at: "val")
    let words = ["fit", "--data", "synthetic:8", "--epochs", "3", "--out", folder["run"], "--val", folder["val"]]
    #expect(train(words + ["--limit-steps", "3"]) == 0)
    #expect(try listed(folder, "run", validation: true) == bad.sorted())
    #expect(train("fit", "--resume", folder["run"]) == 0)
    #expect(try listed(folder, "run", validation: true) == bad.sorted())
    #expect(try listed(folder, "run").isEmpty)
    #expect(train("fit", "--data", "synthetic:8", "--epochs", "1", "--out", folder["run"], "--overwrite") == 0)
    #expect(try !folder.contents("run").contains("unreadable-validation.txt"))
  }

  @Test("Pictures are drawn of what can be read; nothing that can be read is an error")
  func reconstruction() throws {
    let folder = try TemporaryFolder()
    #expect(train("fit", "--data", "synthetic:8", "--epochs", "1", "--out", folder["run"]) == 0)
    _ = try fill(folder, at: "data")
    let words = ["reconstruct", "--checkpoint", folder["run"], "--count", "64", "-o", folder["grid.png"], "--data"]
    #expect(train(words + [folder["data"]]) == 0)
    #expect(try Image(decoding: Array(try folder.read("grid.png"))).channels == 3)
    for index in 0..<30 { try folder.write([], to: "bad/\(index).png") }
    #expect(train(words + [folder["bad"]]) == 1)
  }

  /// Makes the files, and returns the paths of the bad ones.
  private func fill(_ folder: TemporaryFolder, at path: String) throws -> Set<String> {
    let makers = try badFiles()
    // Good files whatever their names say: each format under each extension.
    let good = try ["color.jpg", "grey.png", "lossy.webp", "palette.png", "ycck.jpg"].map(fixture)
    var numbers = RandomNumbers(seed: 13, purpose: .synthetic)
    var bad: Set<String> = []
    for index in 0..<count {
      let name = "\(path)/class\(index % 7)/\(index).\(["jpg", "png", "webp", "JPEG"][numbers.next(below: 4)])"
      if index % 20 == 7 {
        try makers[index / 20 % makers.count](folder, name, &numbers)
        bad.insert(URL(fileURLWithPath: folder.path).resolvingSymlinksInPath().path + "/" + name)
      } else {
        try folder.write(good[numbers.next(below: good.count)], to: name)
      }
    }
    return bad
  }

  private typealias Maker = (TemporaryFolder, String, inout RandomNumbers) throws -> Void

  /// What makes a bad file, kind by kind.
  private func badFiles() throws -> [Maker] {
    let files = try ["color.jpg", "palette.png", "lossy.webp", "progressive.jpg", "lossless.webp"].map(fixture)
    let bombs = [
      try bomb(png: fixture("color.png")), try bomb(jpeg: fixture("color.jpg")), try bomb(webp: fixture("extended.webp")),
      try bomb(losslessWebP: fixture("lossless.webp")),
    ]
    var makers: [Maker] = [
      { folder, name, numbers in
        let file = files[numbers.next(below: files.count)]
        try folder.write(Array(file.prefix(1 + numbers.next(below: file.count - 30))), to: name)
      },
      { folder, name, _ in try folder.write([], to: name) },
      { folder, name, _ in try folder.write([UInt8](repeating: 0, count: 5000), to: name) },
      { folder, name, numbers in try folder.write((0..<3000).map { _ in UInt8(numbers.next(below: 256)) }, to: name) },
      { folder, name, numbers in
        // Random bytes after the beginning of a real file.
        let head = files[numbers.next(below: files.count)].prefix(40)
        try folder.write(head + (0..<3000).map { _ in UInt8(numbers.next(below: 256)) }, to: name)
      },
      { folder, name, _ in try folder.write(Array("<html>404 Not Found</html>".utf8), to: name) },
      { folder, name, _ in try folder.write(Array("GIF89a.......".utf8), to: name) },
      { folder, name, _ in try FileManager.default.createSymbolicLink(atPath: folder[name], withDestinationPath: folder["nowhere"])
      },
    ]
    makers += bombs.map { bytes in { folder, name, _ in try folder.write(bytes, to: name) } }
    // The superuser may read everything.
    if geteuid() != 0 {
      makers.append { folder, name, _ in
        try folder.write(files[0], to: name)
        chmod(folder[name], 0)
      }
    }
    return makers
  }

  /// A PNG file that says that it is 30,000 pixels wide and high.
  private func bomb(png: [UInt8]) -> [UInt8] {
    var bytes = png
    bytes.replaceSubrange(16..<24, with: [0, 0, 0x75, 0x30, 0, 0, 0x75, 0x30])
    var sum: UInt32 = .max
    for byte in bytes[12..<29] {
      sum ^= UInt32(byte)
      for _ in 0..<8 { sum = sum & 1 == 1 ? sum >> 1 ^ 0xEDB8_8320 : sum >> 1 }
    }
    bytes.replaceSubrange(29..<33, with: withUnsafeBytes(of: (~sum).bigEndian, Array.init))
    return bytes
  }

  /// A JPEG file that says that it is 30,000 pixels wide and high.
  private func bomb(jpeg: [UInt8]) throws -> [UInt8] {
    var bytes = jpeg
    let frame = try #require(bytes.indices.dropLast(9).first { bytes[$0] == 0xFF && bytes[$0 + 1] == 0xC0 })
    bytes.replaceSubrange(frame + 5..<frame + 9, with: [0x75, 0x30, 0x75, 0x30])
    return bytes
  }

  /// A WebP file whose canvas says that it is 30,000 pixels wide and high.
  private func bomb(webp: [UInt8]) throws -> [UInt8] {
    var bytes = webp
    try #require(bytes[12..<16].elementsEqual("VP8X".utf8))
    bytes.replaceSubrange(24..<30, with: [0x2F, 0x75, 0, 0x2F, 0x75, 0])
    return bytes
  }

  /// A lossless WebP file that says that it is as wide and high as the format allows, 16,384 pixels.
  private func bomb(losslessWebP webp: [UInt8]) throws -> [UInt8] {
    var bytes = webp
    try #require(bytes[12..<16].elementsEqual("VP8L".utf8))
    bytes.replaceSubrange(21..<24, with: [0xFF, 0xFF, 0xFF])
    bytes[24] |= 0x0F
    return bytes
  }

  @Test("Files that claim to be of too many pixels are refused by their headers")
  func bombs() throws {
    for (bytes, message) in [
      (try bomb(png: fixture("color.png")), "30000 x 30000 pixels are too many"),
      (try bomb(jpeg: fixture("color.jpg")), "30000 x 30000 pixels are too many"),
      // libwebp compares the canvas with the frame, which cannot be as large.
      (try bomb(webp: fixture("extended.webp")), "damaged"),
      (try bomb(losslessWebP: fixture("lossless.webp")), "16384 x 16384 pixels are too many"),
    ] {
      let error = #expect(throws: TrainerError.self) { try ImageFile(bytes) }
      #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
    }
  }

  /// The files that a run lists as unreadable, sorted.
  private func listed(_ folder: TemporaryFolder, _ run: String, validation: Bool = false) throws -> [String] {
    let name = validation ? "unreadable-validation.txt" : "unreadable.txt"
    let lines = String(decoding: try folder.read("\(run)/\(name)"), as: UTF8.self).split(separator: "\n")
    return lines.map { String($0.split(separator: "\t")[0]) }.sorted()
  }

  /// The most memory that this process has had, in bytes.
  private func peakMemory() throws -> Int {
    let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
    let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") })
    return try #require(Int(line.split(separator: " ")[1])) << 10
  }
}
