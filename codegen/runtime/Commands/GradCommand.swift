import ArgumentParser
import WaMIMManifest

/// `grad`: gradients of given parameters on a given batch.
struct GradCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "grad",
    abstract: "Compute losses and gradients of given parameters on a given batch.",
    discussion: """
      The input holds every parameter under its name, and the model's inputs, such as `images`, `labels` and `noise`. The output gets \
      `loss`, `loss.K`, `logits`, `target.K` and `grad.NAME`, and `eval.NAME` for what a model gives that is evaluated otherwise than it \
      is trained; with --steps also `adamw.losses`, and `adamw.NAME` for each parameter and buffer after those steps, under the name of \
      the model's optimiser.
      """)

  @Option(help: ArgumentHelp("The safetensors file with parameters and inputs.", valueName: "file"))
  var input: String

  @Option(help: ArgumentHelp("The safetensors file to write.", valueName: "file"))
  var output: String

  @Option(
    name: [.customLong("steps"), .customLong("adamw-steps")],
    help: ArgumentHelp("Then take this many optimiser steps on the same batch.", valueName: "n"))
  var steps = 0

  @Option(name: .customLong("lr"), help: ArgumentHelp("The learning rate of those steps.", valueName: "rate"))
  var learningRate = 1e-3

  @OptionGroup var threads: ThreadOptions

  func validate() throws {
    if !(0...1_000_000).contains(steps) { throw ValidationError("--steps has to be from 0 to 1000000") }
    if !learningRate.isFinite { throw ValidationError("--lr has to be a finite number") }
  }

  func run() throws {
    let program = try Trainer.program()
    try ProcessorCheck.check(program.manifest.processor)
    let reader = try SafetensorsReader(input)
    var protected = ProtectedFiles()
    protected.protect(input, as: "the input")
    try protected.check(output, option: "--output")
    let inputs = program.manifest.inputs.filter { $0.binding.isGiven }
    let buffers = program.buffers.filter { reader.header.entries[$0.name] != nil }
    try reader.check(holds: program.parameters + buffers + inputs.map { $0.whole(program.microBatches) })
    let stepping = steps > 0 ? OptimizerStep.schedules(program, batches: 1) : []
    let model = try TrainedModel(
      program: program, schedules: [.gradients, .forward] + stepping, threads: threads.count, device: threads.device)
    let batch = GivenBatch(model: model, reader: reader, inputs: inputs, learningRate: learningRate)
    try batch.fillStates()
    batch.setScalars(step: 1)
    var results = TensorStore()
    for round in 0..<program.microBatches {
      try batch.fillInputs(round: round)
      try model.run(.forward)
      try results.addRound(of: .forward, in: model, prefix: program.manifest.evaluatesOtherwise ? "eval." : "")
      try model.run(.gradients)
      if program.manifest.evaluatesOtherwise { try results.addRound(of: .gradients, in: model) }
    }
    for tensor in program.manifest.accumulators {
      try results.add(tensor, of: model, in: .accumulators)
    }
    if steps > 0 { try takeSteps(on: batch, results: &results) }
    try results.write(to: output)
  }

  /// Takes the optimiser's steps, each on the same batch.
  private func takeSteps(on batch: GivenBatch, results: inout TensorStore) throws(TrainerError) {
    let model = batch.model
    try model.device.clearAccumulators()
    try batch.fillStates()
    var losses: [Float] = []
    for step in 1...steps {
      batch.setScalars(step: step)
      let result = try OptimizerStep(model, batches: 1).make { (round) throws(TrainerError) in
        try batch.fillInputs(round: round)
        return true
      }
      guard case .made(let made, _) = result else { throw TrainerError("the loss of step \(step) is not finite") }
      losses.append(Float(made.total))
    }
    let manifest = model.program.manifest
    let prefix = manifest.recipe.optimizer
    results.add("\(prefix).losses", shape: [losses.count], values: losses)
    for state in manifest.states where state.role == .parameter || state.role == .buffer {
      let tensor = state.tensor
      results.add("\(prefix).\(tensor.name)", shape: tensor.shape, values: try model.values(tensor))
    }
  }
}

/// A batch and parameters that a file gives.
private struct GivenBatch {
  let model: TrainedModel
  let reader: SafetensorsReader
  /// What the file gives of a round's inputs.
  let inputs: [Manifest.Input]
  let learningRate: Double

  /// Puts parameters and the optimiser's moments at their start.
  func fillStates() throws(TrainerError) {
    try model.initializeStates(seed: 0) { $0.role != .parameter }
    for tensor in model.program.parameters + model.program.buffers where reader.header.entries[tensor.name] != nil {
      try reader.read(tensor, of: model)
    }
  }

  /// Writes what a round takes of the batch.
  func fillInputs(round: Int) throws(TrainerError) {
    for input in inputs {
      let microBatches = model.program.microBatches
      if input.binding.sampleAxis == 0 {
        try reader.read(input.tensor, of: model, share: round, of: microBatches)
      } else {
        let whole = try reader.floats(input.tensor.name)
        let offsets = SampleOffsets(input, round: round, microBatches: microBatches)
        try model.upload((0..<input.tensor.count).map { whole[offsets[$0]] }, to: input.tensor)
      }
    }
  }

  /// Sets what is the same in all rounds of step `step`.
  func setScalars(step: Int) {
    model.setScalars(model.program.manifest.recipe.withConstantRate(learningRate), at: .alone(step: step))
  }
}

extension Binding {
  /// Whether a batch that is given has to give the input.
  fileprivate var isGiven: Bool {
    if case .hyperparameter = self { false } else { true }
  }
}

extension Manifest.Input {
  /// The tensor for `count` times as many samples.
  fileprivate func whole(_ count: Int) -> Manifest.Tensor {
    var tensor = tensor
    if let axis = binding.sampleAxis, axis < tensor.shape.count { tensor.shape[axis] *= count }
    return tensor
  }
}
