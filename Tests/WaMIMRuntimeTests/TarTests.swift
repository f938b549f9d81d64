import Foundation
import Testing
import WaMIMRuntime

@Suite("Tar archives") struct TarTests {
  @Test("Archives of every format that the system's tar writes hold what went in", arguments: ["v7", "ustar", "gnu", "pax"])
  func formats(format: String) throws {
    let folder = try TemporaryFolder()
    var numbers = RandomNumbers(seed: 12, purpose: .synthetic)
    // Names that fit the old header, need the prefix of ustar, and need a table before the header.
    let lengths = format == "v7" ? [8, 60] : format == "ustar" ? [8, 60, 150] : [8, 60, 150, 230]
    var files: [String: [UInt8]] = [:]
    for (index, length) in lengths.enumerated() {
      for size in [0, 1, 511, 512, 513, 70_000] {
        let component = String(repeating: "d\(index)", count: length / 4)
        let name = length > 100 ? "\(component)/\(component.prefix(90))-\(size).bin" : "\(component)-\(size).bin"
        files[name] = (0..<size).map { _ in UInt8(numbers.next(below: 256)) }
      }
    }
    if format != "v7" { files["größe.bin"] = [1, 2, 3] }
    for (name, bytes) in files { try folder.write(bytes, to: "in/\(name)") }
    try FileManager.default.createSymbolicLink(atPath: folder["in/link"], withDestinationPath: "elsewhere")
    try tar(["--format=\(format)", "-cf", folder["x.tar"], "-C", folder["in"], "--transform=s,^\\./,,", "."])
    let (members, damage) = try read(folder["x.tar"])
    #expect(damage == nil)
    #expect(members == files)
  }

  @Test("Wherever an archive is cut off, the files before that offset are whole, and it says so", arguments: ["gnu", "pax"])
  func truncation(format: String) throws {
    let folder = try TemporaryFolder()
    let long = String(repeating: "n", count: 120)
    var files: [String: [UInt8]] = [:]
    for (index, name) in ["a", long, "c"].enumerated() {
      files[name] = [UInt8](repeating: UInt8(index + 1), count: 700 * index + 5)
    }
    for (name, bytes) in files { try folder.write(bytes, to: "in/\(name)") }
    try tar(["--format=\(format)", "-b1", "-cf", folder["x.tar"], "-C", folder["in"], "a", long, "c"])
    let archive = Array(try folder.read("x.tar"))
    for count in stride(from: 0, to: archive.count - 1024, by: 37) {
      try folder.write(Array(archive[..<count]), to: "cut.tar")
      let (members, damage) = try read(folder["cut.tar"])
      #expect(damage != nil)
      for (name, bytes) in members { #expect(files[name] == bytes) }
    }
    try folder.write(Array(archive[..<(archive.count - 1024)]), to: "cut.tar")
    #expect(try read(folder["cut.tar"]).members == files)
  }

  @Test("A damaged header ends an archive, and is named by its offset")
  func damage() throws {
    let folder = try TemporaryFolder()
    for name in ["a", "b"] { try folder.write(Array(repeating: 5, count: 100), to: "in/\(name)") }
    try tar(["-cf", folder["x.tar"], "-C", folder["in"], "a", "b"])
    let archive = Array(try folder.read("x.tar"))
    // The last byte of the sum is padding.
    for position in 1024..<1536 where position != 1024 + 155 {
      var damaged = archive
      damaged[position] ^= 1
      try folder.write(damaged, to: "bad.tar")
      let (members, damage) = try read(folder["bad.tar"])
      #expect(members.keys.sorted() == ["a"])
      #expect(damage?.contains("header at byte 1024") == true)
    }
  }

  @Test("Sparse files are passed over, with what follows them found")
  func sparse() throws {
    let folder = try TemporaryFolder()
    try folder.write([1], to: "in/a")
    try folder.write([2], to: "in/z")
    // Islands of bytes in a sea of holes: more of them than one header can tell of.
    let file = try #require(fopen(folder["in/m"], "w"))
    for island in 0..<40 {
      fseek(file, island << 17, SEEK_SET)
      fputc(7, file)
    }
    fclose(file)
    try tar(["--format=gnu", "-S", "-cf", folder["x.tar"], "-C", folder["in"], "a", "m", "z"])
    let (members, damage) = try read(folder["x.tar"])
    #expect(damage == nil)
    #expect(members["a"] == [1] && members["z"] == [2])
  }

  @Test("Archives one behind the other, and blocks of zeros between files, are read to the last file")
  func concatenation() throws {
    let folder = try TemporaryFolder()
    for name in ["a", "b", "c"] { try folder.write(Array(name.utf8), to: "in/\(name)") }
    var archives: [[UInt8]] = []
    for (name, format) in [("a", "gnu"), ("b", "pax"), ("c", "ustar")] {
      try tar(["--format=\(format)", "-cf", folder["x.tar"], "-C", folder["in"], name])
      archives.append(Array(try folder.read("x.tar")))
    }
    let all = ["a": Array("a".utf8), "b": Array("b".utf8), "c": Array("c".utf8)]
    let block = [UInt8](repeating: 0, count: 512)
    let (bare, zeros) = (Array(archives[0][..<1024]), [UInt8](repeating: 0, count: 391 * 512))
    for archive in [
      archives[0] + archives[1] + archives[2],  // as `cat` makes them
      bare + block + archives[1] + block + archives[2],  // a lone block of zeros
      bare + archives[1] + archives[2],  // without a mark of the end between them
      archives[0] + zeros + archives[1] + archives[2] + zeros,
    ] {
      try folder.write(archive, to: "all.tar")
      let (members, damage) = try read(folder["all.tar"])
      #expect(damage == nil)
      #expect(members == all)
    }
    try folder.write(archives[0] + Array(repeating: 7, count: 900), to: "all.tar")
    let (members, damage) = try read(folder["all.tar"])
    #expect(members == ["a": Array("a".utf8)] && damage?.contains("no archive") == true)
  }

  @Test("Links and sparse files are counted")
  func leftOut() throws {
    let folder = try TemporaryFolder()
    try folder.write([1, 2], to: "in/a.png")
    try FileManager.default.linkItem(atPath: folder["in/a.png"], toPath: folder["in/b.png"])
    try FileManager.default.createSymbolicLink(atPath: folder["in/c.png"], withDestinationPath: "a.png")
    try tar(["-cf", folder["x.tar"], "-C", folder["in"], "a.png", "b.png", "c.png"])
    let file = try OpenFile(reading: folder["x.tar"])
    var reader = TarReader(file)
    var count = 0
    while try reader.next() != nil { count += 1 }
    #expect(count == 1)
    #expect(reader.leftOut.count(.archiveLink) == 2)
  }

  /// The files of an archive, and what is wrong with it.
  private func read(_ path: String) throws -> (members: [String: [UInt8]], damage: String?) {
    let file = try OpenFile(reading: path)
    var reader = TarReader(file)
    var members: [String: [UInt8]] = [:]
    while let member = try reader.next() {
      members[String(decoding: member.name, as: UTF8.self)] = try file.bytes(at: member.offset, count: member.byteCount)
    }
    return (members, reader.damage)
  }
}
