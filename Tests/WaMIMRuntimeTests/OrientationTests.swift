import Foundation
import Testing
import WaMIMManifest
import WaMIMRuntime

/// Photographs that a camera has noted a turn for; the references are Pillow's `exif_transpose`.
@Suite("Orientation") struct OrientationTests {
  /// Each way to note an orientation; in the files it is 6.
  private static let files = ["exif.jpg", "exif-big-endian.jpg", "xmp.jpg", "exif.png", "xmp.png", "exif-profile.png", "exif.webp"]

  @Test("Each of the orientations is applied as Pillow does, wherever it is noted", arguments: files)
  func turns(name: String) throws {
    for orientation in 1...8 {
      let bytes = try file(name, orientation: orientation)
      let expected = orientation == 1 ? "upright.png" : "turned-\(orientation).png"
      let reference = try Image(decoding: try fixture(expected))
      let image = try Image(decoding: bytes)
      #expect((image.width, image.height) == (reference.width, reference.height))
      // The picture of a JPEG file differs by what compressing it lost.
      let tolerance = name.hasSuffix("jpg") ? 8 : 0
      #expect(largestDifference(image, reference) <= tolerance, "\(name) with orientation \(orientation)")
      let stored = try ImageFile(bytes, isTurned: false).decoded()
      #expect(try largestDifference(stored, Image(decoding: fixture("upright.png"))) <= tolerance)
    }
  }

  @Test("An orientation that is none, and metadata that are damaged, turn nothing and hinder nothing", arguments: files)
  func damage(name: String) throws {
    let upright = try Image(decoding: try file(name, orientation: 1))
    for orientation in [0, 9] { #expect(try Image(decoding: file(name, orientation: orientation)) == upright) }
    let bytes = try file(name, orientation: 1)
    let offset = try #require(Self.offset(in: bytes))
    // Around where it is noted: tags, their types and counts, offsets.
    for index in max(0, offset - 30)..<min(bytes.count, offset + 20) {
      for value in [0, 1, 0x7F, 0xFF] as [UInt8] {
        var damaged = bytes
        damaged[index] = value
        if let image = try? Image(decoding: damaged) { #expect(image.pixels.count == upright.pixels.count) }
      }
    }
  }

  /// Entries of a directory, and the orientation that Pillow finds in them.
  private static let directories: [(entries: [[UInt8]], orientation: Int)] = [
    ([short(6)], 6),
    // No values, an unknown type, values beyond the end: reading goes on.
    ([entry(type: 3, count: 0, 8), short(6)], 6),
    ([short(6), entry(type: 3, count: 0, 8)], 6),
    ([entry(type: 0, count: 1, 8), short(6)], 6),
    ([entry(type: 99, count: 1, 8), short(6)], 6),
    ([entry(type: 3, count: 3, 0xFF), short(6)], 6),
    // Of several that are sound, the first counts, also where it is no number that turns.
    ([short(6), short(3)], 6),
    ([entry(type: 1, count: 1, 3), short(6)], 1),
    ([entry(type: 4, count: 1, 8), short(6)], 8),
    ([entry(type: 3, count: 0, 8)], 1),
  ]

  private static func short(_ value: UInt8) -> [UInt8] { entry(type: 3, count: 1, value) }

  private static func entry(type: UInt8, count: UInt8, _ value: UInt8) -> [UInt8] {
    [0x12, 1, type, 0, count, 0, 0, 0, value, 0, 0, 0]
  }

  @Test("Entries that are malformed are skipped, as Pillow does", arguments: directories.indices)
  func malformedEntries(index: Int) throws {
    let (entries, orientation) = Self.directories[index]
    let exif = Array("Exif\0\0II*\0".utf8) + [8, 0, 0, 0, UInt8(entries.count), 0] + entries.joined() + [0, 0, 0, 0]
    let picture = try fixture("picture.jpg")
    func turned(_ segment: [UInt8]) throws -> Image { try Image(decoding: Array(picture[..<2] + segment + picture[2...])) }
    let image = try turned([0xFF, 0xE1, 0, UInt8(exif.count + 2)] + exif)
    #expect(try image == turned(Self.segment(orientation)), "\(entries)")
  }

  @Test(
    "A region of a turned photograph that is decoded at a fraction of its size is hardly another than that of the turned pixels")
  func fractions() throws {
    let picture = try fixture("picture.jpg")
    for orientation in 1...8 {
      let bytes = Array(picture[..<2] + Self.segment(orientation) + picture[2...])
      let file = try ImageFile(bytes)
      let turned = try LoadedImage.pixels(file.decoded())
      #expect(try ImageFile(picture).width == (orientation >= 5 ? file.height : file.width))
      for (x, y) in [(0, 0), (file.width / 5 + 1, file.height / 7 + 1)] {
        let box = Resampling.Box(x: x, y: y, width: file.width * 3 / 4, height: file.height * 3 / 4)
        let (width, height) = (box.width / 5, box.height / 5)
        #expect(file.sufficientEighths(for: box, width: width, height: height) < 8)
        let reduced = try LoadedImage.file(file).resized(box, width: width, height: height)
        #expect(try meanDifference(reduced, turned.resized(box, width: width, height: height)) < 1.2)
      }
    }
  }

  @Test("A new run turns photographs unless told not to; one that began before there was a choice goes on as it began")
  func runs() throws {
    let folder = try TemporaryFolder()
    for index in 0..<4 { try folder.write(try file("exif.jpg", orientation: 5 + index), to: "d/\(index).jpg") }
    func fit(_ words: String...) throws -> Data {
      #expect(train(["fit", "--out", folder["run"]] + words) == 0)
      return try folder.read("run/checkpoint.safetensors")
    }
    let (data, overwrite) = (["--data", folder["d"]], "--overwrite")
    let turned = try fit(data[0], data[1], "--epochs", "2")
    #expect(try fit(data[0], data[1], "--epochs", "2", overwrite, "--exif-rotation") == turned)
    let stored = try fit(data[0], data[1], "--epochs", "2", overwrite, "--no-exif-rotation")
    #expect(tensorBytes(stored) != tensorBytes(turned))

    // A run that goes on does as it did.
    _ = try fit(data[0], data[1], "--epochs", "2", overwrite, "--no-exif-rotation", "--limit-steps", "1")
    #expect(try fit("--resume", folder["run"]) == stored)
    // The same without a record of the choice, as earlier versions wrote it.
    _ = try fit(data[0], data[1], "--epochs", "2", overwrite, "--no-exif-rotation", "--limit-steps", "1")
    var old = Array(try folder.read("run/checkpoint.safetensors"))
    let name = Array("exif-rotation".utf8)
    let offset = try #require(old.indices.dropLast(name.count).first { old[$0..<$0 + name.count].elementsEqual(name) })
    old[offset] = UInt8(ascii: "-")
    try folder.write(old, to: "run/checkpoint.safetensors")
    #expect(try tensorBytes(fit("--resume", folder["run"])) == tensorBytes(stored))
  }

  /// What follows the header of a safetensors file.
  private func tensorBytes(_ file: Data) -> Data {
    let count = file.prefix(8).enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
    return Data(file.dropFirst(8 + count))
  }

  /// Where a file notes the orientation 6.
  private static func offset(in bytes: [UInt8]) -> Int? {
    for (pattern, index) in [
      ([0x12, 0x01, 3, 0, 1, 0, 0, 0, 6, 0], 8), ([0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, 6], 9),
      (Array("tiff:Orientation=\"6".utf8), 18),
      ([0x12, 0x01, 3, 0, 1, 0, 0, 0, 1, 0], 8), ([0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, 1], 9),
      (Array("tiff:Orientation=\"1".utf8), 18),
      (Array("Raw profile type exif".utf8), 30),
    ] as [([UInt8], Int)] {
      let found = bytes.indices.dropLast(pattern.count).first { bytes[$0..<$0 + pattern.count].elementsEqual(pattern) }
      if let found { return found + index }
    }
    return nil
  }

  /// The fixture `name` with another orientation.
  private func file(_ name: String, orientation: Int) throws -> [UInt8] {
    if name == "exif-profile.png" {
      // The text is compressed: one that isn't replaces it.
      let bytes = try fixture("upright.png")
      let digits = Self.segment(orientation)[4...].map { String(format: "%02x", $0) }.joined()
      let text = Array("Raw profile type exif\0\nexif\n      \(digits.count / 2)\n\(digits)\n".utf8)
      if orientation == 6 { return try fixture(name) }
      let size = withUnsafeBytes(of: UInt32(text.count).bigEndian, Array.init)
      return Array(bytes[..<33] + size + Array("tEXt".utf8) + text + [0, 0, 0, 0] + bytes[33...])
    }
    var bytes = try fixture(name)
    let offset = try #require(Self.offset(in: bytes))
    bytes[offset] = bytes[offset] - 6 + UInt8(orientation)
    return bytes
  }

  /// A segment of a JPEG file that notes `orientation`.
  private static func segment(_ orientation: Int) -> [UInt8] {
    [0xFF, 0xE1, 0, 34] + Array("Exif\0\0II*\0".utf8) + [8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, UInt8(orientation), 0, 0, 0]
      + [0, 0, 0, 0]
  }
}
