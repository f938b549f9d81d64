import ArgumentParser
import WaMIMManifest

/// `grad`: gradients of given parameters on a given batch.
struct GradCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "grad",
    abstract: "Compute losses and gradients of given parameters on a given batch.",
    discussion: """
      The input holds every parameter under its name, and the model's inputs, such as `images` and `noise`. The output gets `loss`, \
      `loss.K`, `target.K` and `grad.NAME`; with --adamw-steps also `adamw.losses`, and `adamw.NAME` for each parameter after those steps.
      """)

  @Option(help: ArgumentHelp("The safetensors file with parameters and inputs.", valueName: "file"))
  var input: String

  @Option(help: ArgumentHelp("The safetensors file to write.", valueName: "file"))
  var output: String

  @Option(help: ArgumentHelp("Then take this many optimiser steps on the same batch.", valueName: "n"))
  var adamwSteps = 0

  @Option(name: .customLong("lr"), help: ArgumentHelp("The learning rate of those steps.", valueName: "rate"))
  var learningRate = 1e-3

  @OptionGroup var threads: ThreadOptions

  func validate() throws {
    if !(0...1_000_000).contains(adamwSteps) { throw ValidationError("--adamw-steps has to be 0 or more") }
    if !learningRate.isFinite { throw ValidationError("--lr has to be a finite number") }
  }

  func run() throws {
    let program = try Trainer.program()
    try ProcessorCheck.check(program.manifest.processor)
    let reader = try SafetensorsReader(input)
    var protected = ProtectedFiles()
    protected.protect(input, as: "the input")
    try protected.check(output, option: "--output")
    let inputs = program.manifest.inputs.filter { $0.binding.isOfSamples }.map(\.tensor)
    try reader.check(holds: program.parameters + inputs.map { $0.repeated(program.microBatches) })
    let steps = adamwSteps > 0 ? OptimizerStep.schedules(program, batches: 1) : []
    let model = try TrainedModel(program: program, schedules: [.gradients, .forward] + steps, threads: threads.count)
    let batch = GivenBatch(model: model, reader: reader, inputs: inputs, learningRate: learningRate)
    try batch.fillStates()
    batch.setScalars(step: 1)
    var results = TensorStore()
    for round in 0..<program.microBatches {
      try batch.fillInputs(round: round)
      try model.run(.forward)
      try results.addRound(of: .forward, in: model)
      try model.run(.gradients)
    }
    for tensor in program.manifest.accumulators {
      try results.add(tensor, of: model, in: .accumulators)
    }
    if adamwSteps > 0 { try takeSteps(on: batch, results: &results) }
    try results.write(to: output)
  }

  /// Takes the optimiser's steps, each on the same batch.
  private func takeSteps(on batch: GivenBatch, results: inout TensorStore) throws(TrainerError) {
    let model = batch.model
    try model.device.clearAccumulators()
    try batch.fillStates()
    var losses: [Float] = []
    for step in 1...adamwSteps {
      batch.setScalars(step: step)
      let result = try OptimizerStep(model, batches: 1).make { (round) throws(TrainerError) in
        try batch.fillInputs(round: round)
      }
      guard case .made(let made, _) = result else { throw TrainerError("the loss of step \(step) is not finite") }
      losses.append(Float(made.total))
    }
    results.add("adamw.losses", shape: [losses.count], values: losses)
    for parameter in model.program.parameters {
      results.add("adamw.\(parameter.name)", shape: parameter.shape, values: try model.values(parameter))
    }
  }
}

/// A batch and parameters that a file gives.
private struct GivenBatch {
  let model: TrainedModel
  let reader: SafetensorsReader
  /// What the file gives of a round's inputs.
  let inputs: [Manifest.Tensor]
  let learningRate: Double

  /// Puts parameters and the optimiser's moments at their start.
  func fillStates() throws(TrainerError) {
    try model.initializeStates(seed: 0) { $0.role != .parameter }
    for tensor in model.program.parameters { try reader.read(tensor, of: model) }
  }

  /// Writes what a round takes of the batch.
  func fillInputs(round: Int) throws(TrainerError) {
    for tensor in inputs { try reader.read(tensor, of: model, share: round, of: model.program.microBatches) }
  }

  /// Sets what is the same in all rounds of step `step`.
  func setScalars(step: Int) {
    model.setScalars(model.program.manifest.recipe.withConstantRate(learningRate), at: .alone(step: step))
  }
}

extension Manifest.Tensor {
  /// The tensor for `count` times as many samples.
  fileprivate func repeated(_ count: Int) -> Manifest.Tensor {
    var tensor = self
    if !tensor.shape.isEmpty { tensor.shape[0] *= count }
    return tensor
  }
}
