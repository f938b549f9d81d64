import ArgumentParser
import CPlatform
import WaMIMManifest

/// `info`: what this executable is.
struct InfoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "info", abstract: "Show the model, its parameters, and what a step costs in arithmetic and memory.")

  @Flag(help: "Print the expanded graph, as text that wamimc compiles to this executable again.")
  var graph = false

  @OptionGroup var threads: ThreadOptions

  func run() throws {
    let program = try Trainer.program()
    let manifest = program.manifest
    if graph {
      Console.write(manifest.graph.hasSuffix("\n") ? manifest.graph : manifest.graph + "\n")
      return
    }
    printParameters(program.parameters)
    Console.print("")
    Console.print("model         \(manifest.model), compiled by wamimc \(manifest.compiler)")
    Console.print("processor     \(processorText(manifest.processor))")
    if let code = program.deviceCode { Console.print("code          \(CUDAContext.text(of: code))") }
    Console.print("products      \(manifest.callsBLAS ? "OpenBLAS" : "generated")")
    Console.print("precision     \(manifest.precision.rawValue)")
    Console.print("batch         \(manifest.batchText)")
    for input in manifest.inputs where !input.tensor.shape.isEmpty {
      Console.print("input         \(input.tensor.name) \(Format.shape(input.tensor.shape))")
    }
    printTotals(program)
    Console.print("")
    printTraining(manifest)
  }

  private func processorText(_ processor: Manifest.Processor) -> String {
    if processor.kind == .gpu { return "NVIDIA's GPUs" }
    let fits = (try? ProcessorCheck.check(processor)) != nil
    return processor.name + (fits ? "" : " (which this machine's is not: it lacks instructions)")
  }

  private func printParameters(_ parameters: [Manifest.Tensor]) {
    let width = parameters.map(\.name.count).max() ?? 0
    for parameter in parameters {
      Console.print(
        "\(Format.left(parameter.name, width: width))  \(Format.left(Format.shape(parameter.shape), width: 20))"
          + Format.right("\(parameter.count)", width: 12))
    }
  }

  private func printTotals(_ program: Program) {
    let manifest = program.manifest
    let count = program.parameters.reduce(0) { $0 + $1.count }
    Console.print("parameters    \(count) (\(Format.count(Double(count))))")
    let states = program.states(withAverages: false).reduce(0) { $0 + $1.byteCount }
    Console.print("states        \(Format.bytes(states)) with the optimiser's moments")
    for schedule in manifest.schedules {
      let flops = program.flops(schedule: schedule.role).all
      let accumulators = schedule.usesAccumulators ? program.accumulatorBytes : 0
      Console.print(
        "\(Format.left(schedule.role.rawValue, width: 14))\(Format.count(Double(flops)))FLOP; arena \(Format.bytes(schedule.arenaBytes))"
          + (accumulators > 0 ? ", gradients \(Format.bytes(accumulators))" : "")
          + ", scratch \(Format.bytes(schedule.scratchBytes))" + (manifest.processor.kind == .gpu ? "" : " a thread"))
    }
    let schedules = OptimizerStep.schedules(program, batches: manifest.recipe.batchAccumulation)
    let plan = manifest.memoryPlan(
      schedules: schedules, batches: manifest.recipe.batchAccumulation, threads: threads.count, sources: 1,
      loaders: Int(wamim_available_processors()))
    if manifest.processor.kind == .gpu {
      let batches = manifest.recipe.batchAccumulation
      print(manifest.deviceMemoryPlan(schedules: schedules, batches: batches, sources: 1), titled: "GPU memory")
    }
    print(plan, titled: "memory")
  }

  private func print(_ plan: MemoryPlan, titled title: String) {
    Console.print("\(Format.left(title, width: 14))\(Format.bytes(plan.total)) at most while it trains:")
    for row in plan.rows { Console.print("              \(Format.left(Format.bytes(row.bytes), width: 12))\(row.name)") }
  }

  /// What a run does where nothing else is said, each line with the option of `fit` that changes it.
  private func printTraining(_ manifest: Manifest) {
    let recipe = manifest.recipe
    let images = recipe.batchAccumulation * manifest.batch
    Console.print(
      "images a step \(images), so a learning rate of \(recipe.baseLearningRate * Double(images) / 256) after the warm-up")
    let settings =
      manifest.meaningfulHyperparameters.map { ($0.option, "\(recipe[$0].text)  \($0.help)") }
      + [("--seed", "0  Seed of everything random"), ("--threads", "\(threads.count)  Threads that compute")]
    Console.print("Training with `fit`, where its options say nothing else:")
    let width = (settings.map(\.0.count).max() ?? 0) + 2
    for (option, text) in settings { Console.print("\(Format.left(option, width: width))\(text)") }
  }
}
