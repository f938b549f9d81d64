import Foundation
import Testing
import WaMIMManifest
import WaMIMRuntime

@Suite("Safetensors") struct SafetensorsTests {
  @Test("What is written is read back")
  func roundTrip() throws {
    let folder = try TemporaryFolder()
    let a: [Float] = [1, -2, 3, .greatestFiniteMagnitude, 0, 5]
    try write([("a\"/é", [2, 3], a), ("b", [1], [7]), ("empty", [0, 4], [])], to: folder["x"])
    #expect(try tensors(folder["x"]) == ["a\"/é": a, "b": [7], "empty": []])
    #expect(try folder.contents() == ["x"])
  }

  @Test(
    "A header that contradicts itself or the file is an error that names the tensor",
    arguments: [
      (#"{"t":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, 4, "cut off"),
      (#"{"t":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, 4, "needs 8 bytes"),
      (#"{"t":{"dtype":"F33","shape":[1],"data_offsets":[0,4]}}"#, 4, "unknown type"),
      (#"{"t":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#, 4, "makes no sense"),
      (#"{"t":{"dtype":"F32","shape":[4611686018427387904,8],"data_offsets":[0,4]}}"#, 4, "makes no sense"),
      (#"{"t":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#, 4, "make no sense"),
      (#"{"t":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}"#, 4, "make no sense"),
      (
        #"{"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"u":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, 4,
        "overlap"
      ),
      (#"{"t":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#, 8, "gap"),
      (#"{"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, 9, "belong to no tensor"),
      (#"{"t":{"dtype":"F32","shape":[1]}}"#, 4, "not the JSON"),
      (#"{"t":{"a":"b"}}"#, 0, "lacks dtype"),
      (#"[1,2]"#, 0, "not the JSON"),
      ("", 0, "not the JSON"),
    ])
  func contradictions(header: String, dataBytes: Int, expected: String) throws {
    let folder = try TemporaryFolder()
    try folder.write(file(header: header, dataBytes: dataBytes), to: "x")
    let error = #expect(throws: TrainerError.self) { try SafetensorsReader(folder["x"]) }
    #expect(error?.message.contains(expected) == true, "\(String(describing: error))")
  }

  @Test("A header that is nested without end is an error")
  func nesting() throws {
    let folder = try TemporaryFolder()
    for opening in ["[", #"{"a":"#] {
      try folder.write(file(header: String(repeating: opening, count: 100_000), dataBytes: 0), to: "x")
      #expect(throws: TrainerError.self) { try SafetensorsReader(folder["x"]) }
    }
  }

  @Test("A length that the file does not have is an error")
  func lengths() throws {
    let folder = try TemporaryFolder()
    for bytes in [[], [1, 2, 3], [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], [100, 0, 0, 0, 0, 0, 0, 0, 1]] as [[UInt8]] {
      try folder.write(bytes, to: "x")
      #expect(throws: TrainerError.self) { try SafetensorsReader(folder["x"]) }
    }
  }

  @Test("Damaged bytes give an error or a consistent header, but never a crash")
  func damage() throws {
    let folder = try TemporaryFolder()
    try write([("weight", [2, 3], [1, 2, 3, 4, 5, 6]), ("bias", [2], [7, 8])], to: folder["x"])
    let bytes = Array(try folder.read("x"))
    var numbers = RandomNumbers(seed: 8, purpose: .synthetic)
    for _ in 0..<300 {
      var damaged = bytes
      for _ in 0...numbers.next(below: 3) { damaged[numbers.next(below: bytes.count)] = UInt8(numbers.next(below: 256)) }
      if numbers.next(below: 4) == 0 { damaged.removeLast(numbers.next(below: bytes.count)) }
      try folder.write(damaged, to: "y")
      if let reader = try? SafetensorsReader(folder["y"]) {
        #expect(reader.header.entries.values.allSatisfy { $0.range.upperBound <= damaged.count })
      }
    }
  }

  @Test("Missing, surplus and misshapen tensors are named with their shapes")
  func contents() throws {
    let folder = try TemporaryFolder()
    try write([("a", [2, 3], [1, 2, 3, 4, 5, 6]), ("scalar", [1], [1])], to: folder["x"])
    let reader = try SafetensorsReader(folder["x"])
    let a = Manifest.Tensor(name: "a", type: .float32, shape: [2, 3], offset: 0)
    let scalar = Manifest.Tensor(name: "scalar", type: .float32, shape: [], offset: 0)
    try reader.check(holds: [a, scalar])
    let missing = #expect(throws: TrainerError.self) {
      try reader.check(holds: [a, scalar, Manifest.Tensor(name: "b", type: .float32, shape: [4], offset: 0)])
    }
    #expect(missing?.message.contains("`b`") == true && missing?.message.contains("[4]") == true)
    let surplus = #expect(throws: TrainerError.self) { try reader.check(holds: [scalar]) }
    #expect(surplus?.message.contains("`a`") == true && surplus?.message.contains("[2, 3]") == true)
    let misshapen = #expect(throws: TrainerError.self) {
      try reader.check(holds: [Manifest.Tensor(name: "a", type: .float32, shape: [3, 2], offset: 0), scalar])
    }
    #expect(misshapen?.message.contains("[2, 3]") == true && misshapen?.message.contains("[3, 2]") == true)
  }

  @Test("A file that cannot be written leaves nothing behind, and the old one as it was")
  func failures() throws {
    let folder = try TemporaryFolder()
    try write([("a", [1], [1])], to: folder["x"])
    #expect(throws: TrainerError.self) {
      try FileSystem.replace(folder["x"]) { (file) throws(TrainerError) in
        try file.write("half")
        throw TrainerError("the disk is full")
      }
    }
    #expect(try folder.contents() == ["x"])
    #expect(try tensors(folder["x"]) == ["a": [1]])
    #expect(throws: TrainerError.self) { try write([("a", [1], [1])], to: folder["none/x"]) }
  }

  private func file(header: String, dataBytes: Int) -> [UInt8] {
    let json = Array(header.utf8)
    let length = (0..<8).map { UInt8(truncatingIfNeeded: json.count >> (8 * $0)) }
    return length + json + [UInt8](repeating: 0, count: dataBytes)
  }
}
