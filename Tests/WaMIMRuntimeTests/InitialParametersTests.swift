import Foundation
import Testing
import WaMIMManifest
import WaMIMRuntime

@Suite("Initial parameters", .serialized) struct InitialParametersTests {
  private let values = (0..<48).map { Float($0) / 64 }

  @Test("A file's tensors are found under any prefix, and what it has besides is listed", arguments: ["", "module.", "model.a."])
  func prefixes(prefix: String) throws {
    let folder = try TemporaryFolder()
    try write([("\(prefix)patch", [3, 4, 4], values), ("\(prefix)head", [2], [1, 2])], to: folder["in"])
    let model = try TrainedModel(program: try fakeProgram(), schedules: [.step], threads: 1)
    let result = try InitialParameters.load(folder["in"], into: model)
    #expect(result.takenCount == 1 && result.untouched.isEmpty && result.surplus == ["\(prefix)head"])
    #expect(try model.values(model.program.parameters[0]) == values)
  }

  @Test("Half precision and double precision become float32", arguments: ["F16", "BF16", "F64"])
  func types(type: String) throws {
    let folder = try TemporaryFolder()
    let bytes = values.flatMap { value -> [UInt8] in
      switch type {
      case "F16": withUnsafeBytes(of: Float16(value).bitPattern) { Array($0) }
      case "BF16": withUnsafeBytes(of: UInt16(value.bitPattern >> 16)) { Array($0) }
      default: withUnsafeBytes(of: Double(value).bitPattern) { Array($0) }
      }
    }
    let layout = Safetensors.Layout(name: "patch", type: type, shape: [3, 4, 4], byteCount: bytes.count)
    try Safetensors.write([layout], to: folder["in"]) { (_, file) throws(TrainerError) in try file.write(bytes) }
    let model = try TrainedModel(program: try fakeProgram(), schedules: [.step], threads: 1)
    _ = try InitialParameters.load(folder["in"], into: model)
    // These are multiples of 1/64 below 1, which all three types hold.
    #expect(try model.values(model.program.parameters[0]) == values)
  }

  @Test("A tensor of another shape is named with both shapes, and a file of other names is refused")
  func misfits() throws {
    let folder = try TemporaryFolder()
    let model = try TrainedModel(program: try fakeProgram(), schedules: [.step], threads: 1)
    try write([("x.patch", [4, 12], values)], to: folder["shape"])
    try write([("y", [48], values)], to: folder["name"])
    let shape = #expect(throws: TrainerError.self) { try InitialParameters.load(folder["shape"], into: model) }
    #expect(shape?.message.contains("`x.patch` has the shape [4, 12], and this model needs [3, 4, 4]") == true)
    let name = #expect(throws: TrainerError.self) { try InitialParameters.load(folder["name"], into: model) }
    #expect(name?.message.contains("no tensor in common") == true)
  }

  @Test("A number that is not finite is blamed on the file and the tensor", arguments: [Float.nan, .infinity])
  func nonFinite(value: Float) throws {
    let folder = try TemporaryFolder()
    var values = values
    values[7] = value
    try write([("a.patch", [3, 4, 4], values)], to: folder["in"])
    let model = try TrainedModel(program: try fakeProgram(), schedules: [.step], threads: 1)
    let error = #expect(throws: TrainerError.self) { try InitialParameters.load(folder["in"], into: model) }
    #expect(error?.message.hasPrefix("\(folder["in"]): tensor `a.patch` holds \(value) at element 7") == true)
  }

  @Test("What is taken for a safetensors file and is none is called by its name")
  func foreignFormats() throws {
    let folder = try TemporaryFolder()
    let files: [(bytes: [UInt8], name: String)] = [
      (Array("PK\u{3}\u{4}archive/data.pkl".utf8), "a zip archive, as PyTorch writes"),
      ([0x80, 0x02] + Array("}q\u{0}X\u{5}\u{0}\u{0}\u{0}patch".utf8), "a pickle"),
      (Array("version https://git-lfs.github.com/spec/v1\noid sha256:0\n".utf8), "git lfs pull"),
      (Array("\n <!DOCTYPE html><html>".utf8), "a web page"), (Array("<HTML><body></body>".utf8), "a web page"),
      (Array("{\"weight_map\": {}}".utf8), "JSON"), ([], "is empty"),
    ]
    for file in files {
      try folder.write(file.bytes, to: "in")
      let error = #expect(throws: TrainerError.self) { try SafetensorsReader(folder["in"]) }
      #expect(error?.message.contains(file.name) == true, "\(error?.message ?? "")")
    }
  }

  @Test("A run begins with the parameters of another, and with moments of its own")
  func run() throws {
    let folder = try TemporaryFolder()
    #expect(train("fit", "--data", "synthetic:40", "--epochs", "2", "--out", folder["a"]) == 0)
    let words = ["--data", "synthetic:40", "--epochs", "1", "--base-lr", "0", "--weight-decay", "0"]
    #expect(train(["fit", "--init", folder["a"], "--out", folder["b"]] + words) == 0)
    let (a, b) = (try tensors(folder["a/checkpoint.safetensors"]), try tensors(folder["b/checkpoint.safetensors"]))
    #expect(a["patch"] == b["patch"] && a["first_moment.patch"] != b["first_moment.patch"])
    let record = try JSONDecoder().decode(RunRecord.self, from: try folder.read("b/run.json"))
    #expect(record.initializedFrom == folder["a"])
    #expect(train(["fit", "--init", folder["none"], "--out", folder["c"]] + words) == 1)
    #expect(train("export", "--timm", "--checkpoint", folder["a"], "-o", folder["x"]) == 1)
    #expect(train("export", "--checkpoint", folder["a"], "-o", folder["x"]) == 64)
    #expect(try folder.contents() == ["a", "b"])
  }
}
