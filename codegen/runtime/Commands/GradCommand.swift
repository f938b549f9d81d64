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
    let inputs = program.manifest.inputs.filter { $0.role == .images || $0.role == .uniformNoise }.map(\.tensor)
    try reader.check(holds: program.parameters + inputs)
    let model = try TrainedModel(
      program: program, schedules: adamwSteps > 0 ? ["gradients", "step"] : ["gradients"], threads: threads.count)
    try fillStates(of: model, from: reader)
    try fillInputs(of: model, from: reader, inputs: inputs, step: 1)
    try model.run("gradients")
    var results = try TensorStore(outputsOf: "gradients", in: model)
    if adamwSteps > 0 { try takeSteps(model, from: reader, inputs: inputs, results: &results) }
    try results.write(to: output)
  }

  /// Puts parameters and the optimiser's moments at their start.
  private func fillStates(of model: TrainedModel, from reader: SafetensorsReader) throws(TrainerError) {
    try model.initializeStates(seed: 0) { !$0.isParameter }
    for tensor in model.program.parameters { try reader.read(tensor.name, into: model.bytes(tensor)) }
  }

  /// Writes the inputs of step `step`; all of them each time, as a schedule may reuse the memory of inputs that it has read.
  private func fillInputs(
    of model: TrainedModel, from reader: SafetensorsReader, inputs: [Manifest.Tensor], step: Int
  ) throws(TrainerError) {
    for tensor in inputs { try reader.read(tensor.name, into: model.bytes(tensor)) }
    model.setSchedule(ScheduleSettings(constant: learningRate), progress: 0)
    model.setInput(.weightDecay, to: model.program.manifest.training.weightDecay)
    model.setMomentCorrections(step: step)
  }

  /// Takes the optimiser's steps, each on the same batch.
  private func takeSteps(
    _ model: TrainedModel, from reader: SafetensorsReader, inputs: [Manifest.Tensor], results: inout TensorStore
  ) throws(TrainerError) {
    try fillStates(of: model, from: reader)
    var losses: [Float] = []
    for step in 1...adamwSteps {
      try fillInputs(of: model, from: reader, inputs: inputs, step: step)
      try model.run("step")
      losses.append(try model.scalar("loss", of: "step"))
    }
    results.add("adamw.losses", shape: [losses.count], values: losses)
    for parameter in model.program.parameters {
      results.add("adamw.\(parameter.name)", shape: parameter.shape, values: Array(model.values(parameter)))
    }
  }
}
