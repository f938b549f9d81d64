import ArgumentParser
import WaMIMManifest

/// `bench`: how fast a step is, and how fast it could be.
struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Measure training steps on random images.",
    discussion: """
      Measures the machine, takes one step to warm up, and then the steps that count. Prints where their time goes, kernel by kernel, \
      with the share of the machine's limit that each one reaches; with --json one object.
      """)

  @Option(help: ArgumentHelp("Steps to measure.", valueName: "n"))
  var steps = 5

  @Flag(help: "Print one JSON object with everything that was measured.")
  var json = false

  @Flag(help: "Tell each call on its own, not those of the same kernel in all layers together.")
  var everyCall = false

  @Option(
    help: ArgumentHelp(
      "Write what each thread did when, for chrome://tracing and ui.perfetto.dev, to this file.", valueName: "file"))
  var profile: String?

  @OptionGroup var threads: ThreadOptions

  func validate() throws {
    if !(1...1_000_000).contains(steps) { throw ValidationError("--steps has to be 1 or more") }
  }

  func run() throws {
    let program = try Trainer.program()
    try ProcessorCheck.check(program.manifest.processor)
    var meter = try LimitMeter(program, threads: threads.count)
    try meter.measureArithmetic()
    let model = try TrainedModel(program: program, schedules: ["step"], threads: threads.count, measuring: true)
    try model.initializeStates(seed: 0)
    try takeStep(0, model)
    model.executor.times?.reset()
    if profile != nil {
      model.executor.timeline = model.executor.makeTimeline(schedule: try program.schedule("step"), steps: steps)
    }
    let before = ProcessorUse.now()
    var seconds: [Double] = []
    for step in 1...steps { seconds.append(try takeStep(step, model)) }
    let after = ProcessorUse.now()
    let peak = Machine.peakResidentBytes
    if let profile, let timeline = model.executor.timeline {
      try ChromeTrace(timeline, calls: program.manifest.calls).write(to: profile)
      model.executor.timeline = nil
    }
    try meter.measureArithmetic()
    try report(
      model, stepSeconds: seconds, peak: peak, limits: try meter.limits(),
      shareOfOthers: before.flatMap { before in after.flatMap { $0.shareOfOthers(since: before) } })
  }

  private func report(
    _ model: TrainedModel, stepSeconds: [Double], peak: Int, limits: MachineLimits, shareOfOthers: Double?
  ) throws {
    guard let times = model.executor.times else { return }
    let manifest = model.program.manifest
    let flops = model.program.flops(schedule: "step")
    let result = BenchResult(
      manifest: manifest, threads: threads.count, stepSeconds: stepSeconds, loss: Double(try model.scalar("loss", of: "step")),
      peakResidentBytes: peak, memoryPlan: model.memoryPlan, limits: limits,
      profile: KernelProfile(times, calls: manifest.calls, steps: steps), productFlops: flops.products, flops: flops.all,
      shareOfOthers: shareOfOthers)
    guard result.loss.isFinite else { throw TrainerError("the loss after \(steps + 1) steps is \(result.loss)") }
    if json {
      Console.print(try JSON.encode(result.summary(everyCall: everyCall)))
    } else {
      BenchReport(result: result, everyCall: everyCall).print()
    }
  }

  /// Takes the step of index `step`, and returns how long it took.
  @discardableResult
  private func takeStep(_ step: Int, _ model: TrainedModel) throws(TrainerError) -> Double {
    fillInputs(of: model, step: step)
    let start = Clock.nanoseconds
    try model.run("step")
    let end = Clock.nanoseconds
    model.executor.timeline?.note("step \(step)", from: start, to: end)
    return Double(end - start) * 1e-9
  }

  /// Writes random images and everything else that step `step` takes.
  private func fillInputs(of model: TrainedModel, step: Int) {
    if let images = model.program.input(.images) {
      let numbers = RandomNumbers(seed: 0, purpose: .benchmark, UInt64(step))
      let values = model.values(images)
      // Uniform numbers of mean 0 and variance 1.
      for index in values.indices { values[index] = (numbers.uniform(at: UInt64(index)) - 0.5) * 3.4641016 }
    }
    let training = model.program.manifest.training
    model.fillNoise(seed: 0, step: step)
    let schedule = ScheduleSettings(
      baseLearningRate: training.baseLearningRate, batch: model.program.manifest.batch, epochs: training.epochs, warmupEpochs: 0)
    model.setSchedule(schedule, progress: 0)
    model.setInput(.weightDecay, to: training.weightDecay)
    model.setMomentCorrections(step: step + 1)
  }
}
