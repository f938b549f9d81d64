import Foundation
import Testing
import WaMIMRuntime

@Suite("TensorBoard") struct TensorBoardTests {
  @Test("Checksums are those of RFC 3720 and FIPS 180-4")
  func checksums() {
    #expect(CyclicChecksum.crc32c(Array("123456789".utf8)) == 0xE306_9283)
    #expect(CyclicChecksum.crc32c([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
    #expect(CyclicChecksum.crc32c((0..<32).map { $0 }) == 0x46DD_794E)
    #expect(SecureHash.sha256([]) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    #expect(SecureHash.sha256(Array("abc".utf8)) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    #expect(
      SecureHash.sha256(Array("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq".utf8))
        == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1")
    #expect(
      SecureHash.sha256([UInt8](repeating: UInt8(ascii: "a"), count: 1_000_000))
        == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
  }

  @Test("What is written can be read: numbers, pictures, and where a run goes on")
  func events() throws {
    let folder = try TemporaryFolder()
    let picture = Image(width: 3, height: 2, channels: 3, filledWith: 7)
    var file: EventFile? = try EventFile(in: folder.path, step: 0)
    try file?.append([("loss/total", 2.5), ("learning_rate", -1e-3)], step: 300)
    try file?.append(picture, tag: "reconstruction", step: 1 << 40)
    file = try EventFile(in: folder.path, step: 150)
    file = nil
    let names = try folder.contents()
    try #require(names.count == 2 && names.allSatisfy { $0.hasPrefix("events.out.tfevents.") })

    let first = try records(try folder.read(names[0])).map { try Message($0) }
    try #require(first.count == 4)
    #expect(first[0].text(3) == "brain.Event:2")
    #expect(first.allSatisfy { $0.double(1).map { $0 > 1.7e9 } == true })
    #expect(first[1].messages(7).first?.integer(1) == 1 && first[1].integer(2) == 1)
    #expect(first[2].integer(2) == 300)
    let values = try #require(first[2].messages(5).first).messages(1)
    #expect(values.map { $0.text(1) } == ["loss/total", "learning_rate"])
    #expect(values.map { $0.float(2) } == [2.5, -1e-3])
    #expect(first[3].integer(2) == 1 << 40)
    let shown = try #require(first[3].messages(5).first?.messages(1).first)
    let image = try #require(shown.messages(4).first)
    #expect(shown.text(1) == "reconstruction" && image.integer(1) == 2 && image.integer(2) == 3 && image.integer(3) == 3)
    #expect(try Image(decoding: try #require(image.bytes(4))) == picture)

    let second = try records(try folder.read(names[1])).map { try Message($0) }
    #expect(second.count == 2 && second[1].integer(2) == 151 && second[1].messages(7).first?.integer(1) == 1)
  }

  @Test("A run tells the steps that are asked for, with their norms, and draws each epoch")
  func run() throws {
    let folder = try TemporaryFolder()
    #expect(
      train("fit", "--data", "synthetic:20", "--epochs", "3", "--log-every", "4", "--out", folder["run"], "--val", "synthetic:9")
        == 0)
    let name = try #require(try folder.contents("run").first { $0.hasPrefix("events.") })
    let events = try records(try folder.read("run/\(name)")).map { try Message($0) }
    func steps(_ tag: String) -> [Int] {
      events.filter { $0.messages(5).first?.messages(1).contains { $0.text(1) == tag } == true }.map { $0.integer(2) ?? 0 }
    }
    for tag in ["loss/total", "loss/target_0", "learning_rate", "images_per_second", "norm/gradients", "norm/parameters"] {
      #expect(steps(tag) == [1, 4, 8, 12, 15], "\(tag)")
    }
    #expect(steps("validation/total") == [5, 10, 15])
    #expect(steps("reconstruction") == [5, 10, 15])
  }

  /// The data of a TFRecord file, whose checksums have to be right.
  private func records(_ file: Data) throws -> [[UInt8]] {
    var rest = Array(file)[...]
    func take(_ count: Int) throws -> [UInt8] {
      try #require(rest.count >= count)
      defer { rest = rest.dropFirst(count) }
      return Array(rest.prefix(count))
    }
    func number(_ bytes: [UInt8]) -> UInt64 { bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) } }
    func unmasked(_ bytes: [UInt8]) -> UInt32 {
      let turned = UInt32(number(bytes)) &- 0xA282_EAD8
      return turned >> 17 | turned << 15
    }
    var result: [[UInt8]] = []
    while !rest.isEmpty {
      let length = try take(8)
      #expect(unmasked(try take(4)) == CyclicChecksum.crc32c(length))
      let data = try take(Int(number(length)))
      #expect(unmasked(try take(4)) == CyclicChecksum.crc32c(data))
      result.append(data)
    }
    return result
  }
}

/// A Protocol Buffers message, taken apart without knowing what its fields mean.
private struct Message {
  private var fields: [(number: Int, value: [UInt8])] = []

  init(_ bytes: [UInt8]) throws {
    var rest = bytes[...]
    func variable() throws -> UInt64 {
      var (value, shift): (UInt64, UInt64) = (0, 0)
      while true {
        let next = rest.popFirst()
        let byte = try #require(next)
        value |= UInt64(byte & 0x7F) << shift
        if byte < 0x80 { return value }
        shift += 7
      }
    }
    while !rest.isEmpty {
      let key = try variable()
      let count: Int
      switch key & 7 {
      case 0:
        let value = try variable()
        fields.append((Int(key >> 3), (0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }))
        continue
      case 1: count = 8
      case 2: count = Int(try variable())
      case 5: count = 4
      default: throw CocoaError(.fileReadCorruptFile)
      }
      try #require(rest.count >= count)
      fields.append((Int(key >> 3), Array(rest.prefix(count))))
      rest = rest.dropFirst(count)
    }
  }

  func bytes(_ number: Int) -> [UInt8]? { fields.first { $0.number == number }?.value }
  func text(_ number: Int) -> String? { bytes(number).map { String(decoding: $0, as: UTF8.self) } }
  func messages(_ number: Int) -> [Message] { fields.filter { $0.number == number }.compactMap { try? Message($0.value) } }
  func integer(_ number: Int) -> Int? { bits(number, 8).map { Int(truncatingIfNeeded: $0) } }
  func double(_ number: Int) -> Double? { bits(number, 8).map { Double(bitPattern: $0) } }
  func float(_ number: Int) -> Float? { bits(number, 4).map { Float(bitPattern: UInt32($0)) } }

  private func bits(_ number: Int, _ count: Int) -> UInt64? {
    guard let value = bytes(number), value.count == count else { return nil }
    return value.reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }
}
