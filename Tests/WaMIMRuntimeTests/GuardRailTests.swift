import Foundation
import Testing
import WaMIMManifest
import WaMIMRuntime

/// What keeps a run from going wrong unnoticed.
@Suite("Guard rails", .serialized) struct GuardRailTests {
  @Test("A step whose loss is not finite leaves the states alone, and the kernel that began it is found", arguments: [1, 3])
  func kernel(threads: Int) throws {
    let model = try preparedModel(threads: threads)
    let patch = model.program.parameters[0]
    var values = try model.values(patch)
    values[17] = 1e30
    try model.upload(values, to: patch)
    let before = try states(model)
    #expect(try model.run(.step) == false)
    #expect(try states(model) == before)
    // Threads go on together afterwards.
    for _ in 0..<5 { #expect(try model.run(.step) == false) }
    let found = try #require(try model.check(.step))
    #expect(found.call.name == "samples" && found.phase == 0)
    values[17] = 0.5
    try model.upload(values, to: patch)
    #expect(try model.run(.step))
    #expect(try model.scalar("loss", of: .step).isFinite)
  }

  @Test("Looking at every value changes none")
  func checking() throws {
    let (first, second) = (try preparedModel(threads: 3), try preparedModel(threads: 2))
    for _ in 0..<4 {
      #expect(try first.run(.step))
      #expect(try second.check(.step) == nil)
    }
    #expect(try states(first) == states(second))
    let folder = try TemporaryFolder()
    let words = ["fit", "--data", "synthetic:40", "--epochs", "1"]
    #expect(train(words + ["--out", folder["a"]]) == 0)
    #expect(train(words + ["--out", folder["b"], "--check-values"]) == 0)
    #expect(try folder.read("a/checkpoint.safetensors") == folder.read("b/checkpoint.safetensors"))
  }

  @Test("A run that overflows stops, and keeps the checkpoint before", arguments: [[], ["--check-values"]])
  func overflow(more: [String]) throws {
    let folder = try TemporaryFolder()
    #expect(train("fit", "--data", "synthetic:40", "--out", folder["run"], "--limit-steps", "5") == 0)
    let before = try folder.read("run/checkpoint.safetensors")
    #expect(train(["fit", "--resume", folder["run"], "--base-lr", "1e30", "--warmup", "0"] + more) == 1)
    #expect(try folder.read("run/checkpoint.safetensors") == before)
    let lines = try folder.read("run/metrics.jsonl").split(separator: UInt8(ascii: "\n"))
    #expect(lines.count == 6)
  }

  @Test("The norm of gradients that the second moments tell is that of the gradients", arguments: [0, 1, 30])
  func gradientNorm(steps: Int) throws {
    let model = try preparedModel(threads: 2)
    for _ in 0..<steps { try model.run(.step) }
    try model.run(.gradients)
    let gradient = try model.values(model.program.manifest.accumulators[0], in: .accumulators)
    let expected = gradient.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
    let meter = NormMeter(model, recipe: fakeRecipe)
    let before = try meter.sumOfSecondMoments()
    try model.run(.step)
    let norm = try #require(try meter.gradientNorm(since: before))
    #expect(abs(norm - expected) < 1e-5 * expected)
    let patch = try model.values(model.program.parameters[0])
    let size = patch.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
    #expect(abs(try #require(try meter.parameterNorm()) - size) < 1e-9 * size)
  }

  @Test("Evaluation and pictures leave training alone")
  func watching() throws {
    let folder = try TemporaryFolder()
    let words = ["fit", "--data", "synthetic:40", "--epochs", "2"]
    #expect(train(words + ["--out", folder["a"], "--pictures", "0"]) == 0)
    #expect(train(words + ["--out", folder["b"], "--val", "synthetic:10", "--log-every", "1"]) == 0)
    #expect(try tensors(folder["a/checkpoint.safetensors"]) == tensors(folder["b/checkpoint.safetensors"]))
  }

  @Test("The same parameters get the same validation loss, whatever the run")
  func validation() throws {
    let folder = try TemporaryFolder()
    let numbers = RandomNumbers(seed: 5, purpose: .synthetic)
    try write([("patch", [3, 4, 4], (0..<48).map { numbers.uniform(at: UInt64($0)) })], to: folder["in"])
    for name in ["grey.png", "color.jpg", "palette.png"] { try folder.write(try fixture(name), to: "val/\(name)") }
    var found: Set<Double> = []
    for (seed, threads) in [("1", "1"), ("2", "3")] {
      #expect(
        train(
          "fit", "--init", folder["in"], "--base-lr", "0", "--weight-decay", "0", "--epochs", "2", "--data", "synthetic:12",
          "--seed",
          seed, "--val", folder["val"], "--out", folder["run"], "--overwrite", "--threads", threads, "--loaders", threads) == 0)
      let lines = try folder.read("run/metrics.jsonl").split(separator: UInt8(ascii: "\n"))
      let validated = lines.compactMap { try? JSONDecoder().decode(ValidationLine.self, from: $0) }.filter {
        $0.figures.loss != nil
      }
      #expect(validated.map(\.step) == [3, 6])
      found.formUnion(validated.compactMap(\.figures.loss))
    }
    #expect(found.count == 1 && found.allSatisfy { $0 > 0 })
  }

  @Test("An evaluation that an interrupted run had no time for is made up for")
  func missingValidation() throws {
    let folder = try TemporaryFolder()
    let words = ["fit", "--data", "synthetic:12", "--epochs", "2", "--val", "synthetic:8"]
    #expect(train(words + ["--out", folder["run"], "--limit-steps", "3"]) == 0)
    #expect(train("fit", "--resume", folder["run"]) == 0)
    #expect(train(words + ["--out", folder["whole"]]) == 0)
    func validated(_ name: String) throws -> [ValidationLine] {
      try folder.read("\(name)/metrics.jsonl").split(separator: UInt8(ascii: "\n")).compactMap {
        try? JSONDecoder().decode(ValidationLine.self, from: $0)
      }.filter { $0.figures.loss != nil }
    }
    #expect(try validated("run") == validated("whole") && validated("run").count == 2)
  }

  /// The fake program with random states and a batch in place.
  private func preparedModel(threads: Int) throws -> TrainedModel {
    let model = try TrainedModel(program: try fakeProgram(), schedules: [.step, .gradients], threads: threads)
    try model.initializeStates(seed: 4)
    let numbers = RandomNumbers(seed: 9, purpose: .benchmark)
    let images = try ImageBatch(model.program).input
    try model.upload((0..<images.count).map { numbers.uniform(at: UInt64($0)) }, to: images)
    try model.fillNoise(seed: 1, step: 0, round: 0)
    model.setScalars(fakeRecipe, at: .alone(step: 1))
    return model
  }

  private func states(_ model: TrainedModel) throws -> [Float] {
    try model.program.manifest.states.flatMap { try model.values($0.tensor) }
  }
}
