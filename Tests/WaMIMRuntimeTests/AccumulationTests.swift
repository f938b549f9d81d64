import Foundation
import Testing
import WaMIMManifest
import WaMIMRuntime

/// Steps of the optimiser on several batches.
@Suite("Accumulation", .serialized) struct AccumulationTests {
  @Test("A step on batches that are all alike is a step on one of them", arguments: [2, 5])
  func equalBatches(batches: Int) throws {
    let one = try states(batches: 1) { _ in 7 }
    let several = try states(batches: batches) { _ in 7 }
    #expect(zip(one, several).allSatisfy { abs($0 - $1) <= 1e-6 * max(1, abs($0)) })
  }

  @Test("A step takes the mean of the gradients of its batches, and the mean of their losses")
  func meanGradient() throws {
    // The first moment is a tenth of the gradient after one step.
    let first = try ImageBatch(fakeProgram()).input.count
    #expect(first > 0)
    let apart = try (0..<3).map { image in try moments(batches: 1) { _ in image } }
    let together = try moments(batches: 3) { $0 }
    for element in together.values.indices {
      let mean = apart.reduce(0.0) { $0 + Double($1.values[element]) } / 3
      #expect(abs(mean - Double(together.values[element])) < 1e-6)
    }
    #expect(abs(apart.reduce(0.0) { $0 + $1.loss } / 3 - together.loss) < 1e-6)
  }

  @Test("Steps, epochs, learning rates and checkpoints count steps of the optimiser")
  func counting() throws {
    let folder = try TemporaryFolder()
    // 41 images are 3 steps of 3 batches of 4; 0.64 for 256 images is 0.03 for 12.
    #expect(
      train(
        "fit", "--data", "synthetic:41", "--epochs", "2", "--warmup", "1", "--base-lr", "0.64", "--min-lr", "0.01",
        "--batch-accumulation", "3", "--every", "2", "--keep", "9", "--out", folder["run"]) == 0)
    let text = String(decoding: try folder.read("run/metrics.jsonl"), as: UTF8.self)
    let lines = try text.split(separator: "\n").map { try JSONDecoder().decode(MetricsLine.self, from: Data($0.utf8)) }
    #expect(lines.map(\.step) == Array(1...6))
    #expect(zip(lines, 1...6).allSatisfy { abs($0.epoch - Double($1) / 3) < 1e-12 })
    let rates = (0..<6).map { step -> Double in
      let epoch = Double(step) / 3
      return epoch < 1 ? 0.03 * epoch : 0.01 + 0.01 * (1 + cos(.pi * (epoch - 1)))
    }
    #expect(zip(lines, rates).allSatisfy { abs(Double($0.learningRate) - $1) < 1e-7 })
    let kept = try folder.contents("run").filter { $0.hasPrefix("checkpoint-") }
    #expect(kept == ["checkpoint-00000002.safetensors", "checkpoint-00000004.safetensors"])
    let position = try Checkpoint.position(folder["run/checkpoint-00000004.safetensors"], model: "fake")
    #expect(position.step == 4 && position.stepsPerEpoch == 3 && position.options["batch-accumulation"] == "3")
    let record = try JSONDecoder().decode(RunRecord.self, from: try folder.read("run/run.json"))
    #expect(record.batch == 12 && record.stepsPerEpoch == 3 && record.totalSteps == 6)
  }

  @Test("Runs end with the same bits on any number of threads, and however often they are interrupted", arguments: [1, 4, 6])
  func bits(step: Int) throws {
    let folder = try TemporaryFolder()
    let words = ["fit", "--data", "synthetic:50", "--epochs", "2", "--batch-accumulation", "3"]
    #expect(train(words + ["--out", folder["whole"], "--threads", "1"]) == 0)
    #expect(train(words + ["--out", folder["cut"], "--threads", "3", "--limit-steps", "\(step)"]) == 0)
    #expect(train("fit", "--resume", folder["cut"], "--threads", "2") == 0)
    #expect(try folder.read("cut/checkpoint.safetensors") == folder.read("whole/checkpoint.safetensors"))
    #expect(train("fit", "--resume", folder["cut"], "--epochs", "3", "--batch-accumulation", "2") == 1)
    #expect(train("fit", "--resume", folder["cut"], "--epochs", "3", "--batch-accumulation", "3") == 0)
  }

  @Test("Looking at every value changes none, and a batch that overflows leaves the states before the step")
  func overflow() throws {
    let folder = try TemporaryFolder()
    let words = ["fit", "--data", "synthetic:40", "--epochs", "1", "--batch-accumulation", "2"]
    #expect(train(words + ["--out", folder["a"]]) == 0)
    #expect(train(words + ["--out", folder["b"], "--check-values"]) == 0)
    #expect(try folder.read("a/checkpoint.safetensors") == folder.read("b/checkpoint.safetensors"))
    #expect(train("fit", "--resume", folder["a"], "--epochs", "2", "--base-lr", "1e30", "--warmup", "0") == 1)
    #expect(try folder.read("a/checkpoint.safetensors") == folder.read("b/checkpoint.safetensors"))
  }

  @Test("Nonsense is refused", arguments: ["0", "-1", "1.5", "x", "99999999999999999999"])
  func nonsense(count: String) throws {
    let folder = try TemporaryFolder()
    #expect(train("fit", "--data", "synthetic:8", "--out", folder["run"], "--batch-accumulation=\(count)") == 64)
    #expect(try folder.contents().isEmpty)
  }

  @Test("Gradients have no memory where no schedule was announced that adds them up")
  func withoutAccumulators() throws {
    let model = try TrainedModel(program: try fakeProgram(), schedules: [.step], threads: 1)
    #expect(throws: TrainerError.self) { try model.run(.gradients) }
    #expect(throws: TrainerError.self) { try model.check(.update) }
    #expect(throws: TrainerError.self) { try model.values(model.program.manifest.accumulators[0], in: .accumulators) }
  }

  /// The states after two steps, whose rounds take the images that `image` says.
  private func states(batches: Int, image: (Int) -> Int) throws -> [Float] {
    let model = try prepared(batches: batches)
    for step in 0..<2 { _ = try makeStep(model, step, batches: batches, image: image) }
    return try model.program.manifest.states.flatMap { try model.values($0.tensor) }
  }

  /// The first moments after one step, and its loss.
  private func moments(batches: Int, image: (Int) -> Int) throws -> (values: [Float], loss: Double) {
    let model = try prepared(batches: batches)
    let loss = try makeStep(model, 0, batches: batches, image: image)
    return (try model.values(model.program.manifest.states[1].tensor), loss)
  }

  private func prepared(batches: Int) throws -> TrainedModel {
    let program = try fakeProgram()
    let model = try TrainedModel(
      program: program, schedules: OptimizerStep.schedules(program, batches: batches), threads: 2)
    try model.initializeStates(seed: 4)
    return model
  }

  private func makeStep(_ model: TrainedModel, _ step: Int, batches: Int, image: (Int) -> Int) throws -> Double {
    let input = try ImageBatch(model.program).input
    model.setScalars(
      fakeRecipe, at: RunPosition(step: step + 1, progress: 0, imagesPerStep: 256, batchesPerStep: batches))
    let result = try OptimizerStep(model, batches: batches).make { (round) throws(TrainerError) in
      let numbers = RandomNumbers(seed: UInt64(image(round)), purpose: .benchmark)
      try model.upload((0..<input.count).map { numbers.uniform(at: UInt64($0)) }, to: input)
      try model.fillNoise(seed: 1, step: 0, round: 0)
      return true
    }
    guard case .made(let losses, let rate) = result else { throw TrainerError("the step was not made") }
    #expect(rate == 0.01)
    return losses.total
  }
}
