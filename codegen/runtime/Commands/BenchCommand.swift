import ArgumentParser
import Glibc
import WaMIMManifest

/// `bench`: how fast a step is.
struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Measure training steps on random images.",
    discussion:
      "Takes one step to warm up, and then the steps that are measured. Prints a table by kernel, or with --json one object.")

  @Option(help: ArgumentHelp("Steps to measure.", valueName: "n"))
  var steps = 5

  @Flag(help: "Print one JSON object: images_per_second, step_seconds, peak_rss_bytes, loss.")
  var json = false

  @OptionGroup var threads: ThreadOptions

  func validate() throws {
    if !(1...1_000_000).contains(steps) { throw ValidationError("--steps has to be 1 or more") }
  }

  func run() throws {
    let program = try Trainer.program()
    let model = try TrainedModel(
      program: program, schedules: OptimizerStep.schedules(program, batches: 1), threads: threads.count, measuring: !json)
    try model.initializeStates(seed: 0)
    var seconds: [Double] = []
    var loss = 0.0
    for step in 0...steps {
      if step == 1 { model.executor.times?.reset() }
      let (taken, stepLoss) = try takeStep(model, step)
      loss = stepLoss
      if step > 0 { seconds.append(taken) }
    }
    let result = BenchResult(
      imagesPerSecond: Double(program.manifest.batch * steps) / seconds.reduce(0, +), stepSeconds: seconds,
      peakResidentBytes: Self.peakResidentBytes(), loss: loss)
    if json {
      Console.print(try JSON.encode(result))
    } else {
      BenchReport(result: result, model: model).print()
    }
  }

  /// Makes a step, and returns the seconds that kernels took, and the loss.
  private func takeStep(_ model: TrainedModel, _ step: Int) throws(TrainerError) -> (seconds: Double, loss: Double) {
    var start = Clock.seconds
    var seconds = 0.0
    let result = try OptimizerStep(model, batches: 1).make { (round) throws(TrainerError) in
      // Drawing images takes none of the step's time.
      seconds += round == 0 ? 0 : Clock.seconds - start
      fillInputs(of: model, step: step, round: round)
      start = Clock.seconds
    }
    seconds += Clock.seconds - start
    guard case .made(let losses, _) = result else { throw TrainerError("the loss of step \(step + 1) is not finite") }
    return (seconds, losses.total)
  }

  /// Writes random images and everything else that a round of step `step` takes.
  private func fillInputs(of model: TrainedModel, step: Int, round: Int) {
    if let images = model.program.input(.images) {
      let numbers = RandomNumbers(seed: 0, purpose: .benchmark, UInt64(step))
      let values = model.values(images)
      // Uniform numbers of mean 0 and variance 1.
      for index in values.indices { values[index] = (numbers.uniform(at: UInt64(round * values.count + index)) - 0.5) * 3.4641016 }
    }
    let training = model.program.manifest.training
    model.fillNoise(seed: 0, step: step, round: round)
    let schedule = ScheduleSettings(
      baseLearningRate: training.baseLearningRate, batch: model.program.manifest.batch, epochs: training.epochs, warmupEpochs: 0)
    model.setSchedule(schedule, progress: 0)
    model.setInput(.weightDecay, to: training.weightDecay)
    model.setMomentCorrections(step: step + 1)
  }

  /// The most memory that the process has had in use.
  private static func peakResidentBytes() -> Int {
    var usage = rusage()
    getrusage(RUSAGE_SELF.rawValue, &usage)
    return usage.ru_maxrss * 1024
  }
}

/// What `bench --json` prints.
struct BenchResult: Encodable {
  var imagesPerSecond: Double
  var stepSeconds: [Double]
  var peakResidentBytes: Int
  var loss: Double

  private enum CodingKeys: String, CodingKey {
    case imagesPerSecond = "images_per_second"
    case stepSeconds = "step_seconds"
    case peakResidentBytes = "peak_rss_bytes"
    case loss
  }
}
