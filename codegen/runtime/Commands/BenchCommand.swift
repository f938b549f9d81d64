import ArgumentParser
import WaMIMManifest

/// `bench`: how fast a step is, and how fast it could be.
struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Measure training steps on random images.",
    discussion: """
      Takes one step to warm up, and then the steps that count; measures the machine's arithmetic before and after them, its matrix \
      products and its memory only after them. Prints where the steps' time goes, kernel by kernel, with the share of the machine's \
      limit that each one reaches; with --json one object.

      --by layer and --by line show instead where the time of the forward pass, the backward pass and the update goes in the model. \
      A gradient counts for the layer and the line that it is the gradient of; an operation in a function of the model for the line \
      of the function. A kernel that several of them share is shared among them by estimated arithmetic.

      Under mpiexec all ranks make the steps together, and the first one tells its time, that of the reduction of gradients, and how \
      much of this passed while it computed.
      """)

  @Option(help: ArgumentHelp("Steps to measure.", valueName: "n"))
  var steps = 5

  @Flag(help: "Print one JSON object with everything that was measured.")
  var json = false

  @Flag(help: "Tell each call on its own, not those of the same kernel in all layers together.")
  var everyCall = false

  @Option(help: "What to tell the time by: kernel, layer or line of the model's text.")
  var by = BenchGrouping.kernel

  @Option(
    help: ArgumentHelp(
      "Write what each thread did when, for chrome://tracing and ui.perfetto.dev, to this file.", valueName: "file"))
  var profile: String?

  @Option(
    help: ArgumentHelp(
      "Measure the sgemm of this shared library (default: the program's own where its products come from OpenBLAS, else that of "
        + "libopenblas.so.0 where there is one).", valueName: "library"))
  var blas: String?

  @Flag(
    inversion: .prefixedNo,
    help: ArgumentHelp(
      "Under mpiexec: send gradients while others are computed, or afterwards (default: as fit does, afterwards on one machine)."))
  var overlap: Bool?

  @OptionGroup var threads: ThreadOptions

  @OptionGroup var ranks: RankOptions

  func validate() throws {
    if !(1...1_000_000).contains(steps) { throw ValidationError("--steps has to be 1 or more") }
    if profile == "" { throw ValidationError("--profile takes the name of a file, and this one is empty") }
  }

  func run() throws {
    let program = try Trainer.program()
    let group = try ranks.start(program)
    if !group.isFirst { Console.beQuiet() }
    try group.run { try measure(program, group) }
  }

  private func measure(_ program: Program, _ group: RankGroup) throws {
    try group.requireSamePrograms()
    try group.agree { try ProcessorCheck.check(program.manifest.processor) }
    var protected = ProtectedFiles()
    if let blas { protected.protect(blas, as: "the library to measure") }
    let output = try profile.map { (path) throws(TrainerError) in
      try protected.check(path, option: "--profile")
      return try ReplacedFile(path)
    }
    let model = try TrainedModel(
      program: program, schedules: OptimizerStep.schedules(program, batches: 1, processes: group.count),
      threads: threads.count(in: group), device: threads.device)
    var meter = try model.device.makeLimitMeter()
    if group.isFirst, !program.manifest.products.isEmpty { try meter.openLibrary() }
    // One rank measures the machine while the others wait.
    if group.isFirst { try meter.measureArithmetic() }
    try model.initializeStates(seed: 0)
    let reduction = group.isAlone ? nil : try StepReduction(group, model, overlaps: overlap)
    _ = try group.exchange([])
    try takeStep(0, model, reduction)
    reduction?.startMeasuring()
    // A GPU's calls are timed in steps of their own, as that takes its time.
    let profilesApart = program.manifest.processor.kind == .gpu
    func startProfile() throws(TrainerError) -> Timeline? {
      try model.device.startMeasuring()
      return output == nil ? nil : try model.startTimeline(batches: 1, processes: group.count, steps: steps)
    }
    var timeline = profilesApart ? nil : try startProfile()
    let before = ProcessorUse.now()
    var taken: [(seconds: Double, loss: Double)] = []
    for step in 1...steps { taken.append(try takeStep(step, model, reduction, timeline: timeline)) }
    let after = ProcessorUse.now()
    if profilesApart {
      timeline = try startProfile()
      for step in steps + 1...2 * steps { try takeStep(step, model, reduction, timeline: timeline) }
    }
    guard group.isFirst else { return }
    let peak = Machine.peakResidentBytes
    try meter.measureArithmetic()
    try report(
      model, reduction, taken: taken, peak: peak, limits: try meter.limits(blas: blas),
      librarySeconds: try meter.librarySeconds(of: program.manifest.products),
      shareOfOthers: before.flatMap { before in after.flatMap { $0.shareOfOthers(since: before) } })
    // Last, so that a full disk takes no measurement along.
    if let output, let timeline {
      try ChromeTrace(timeline, of: program.manifest).write(to: output)
    }
  }

  private func report(
    _ model: TrainedModel, _ reduction: StepReduction?, taken: [(seconds: Double, loss: Double)], peak: Int, limits: MachineLimits,
    librarySeconds: [Double?], shareOfOthers: Double?
  ) throws {
    let manifest = model.program.manifest
    let ranks = reduction?.group.count ?? 1
    let flops = model.program.flopsOfStep(processes: ranks)
    let profile = KernelProfile(try model.device.measuredTimes(), program: model.program, steps: steps)
    let result = BenchResult(
      manifest: manifest, device: model.device.name, threads: manifest.processor.kind == .gpu ? 1 : model.device.threadCount,
      ranks: ranks, reduction: reduction.map { BenchResult.Reduction($0.times, steps: steps) },
      stepSeconds: taken.map(\.seconds), loss: taken.last?.loss ?? .nan,
      peakResidentBytes: peak, memoryPlan: model.memoryPlan, limits: limits,
      profile: profile, products: ProductComparison.all(manifest.products, seconds: librarySeconds, in: profile),
      productFlops: flops.products,
      flops: flops.all,
      shareOfOthers: shareOfOthers)
    if json {
      Console.print(try JSON.encode(result.summary(everyCall: everyCall)))
    } else {
      BenchReport(result: result, everyCall: everyCall, grouping: by).print()
    }
  }

  /// Makes a step, and returns the seconds that kernels took, and the loss.
  @discardableResult
  private func takeStep(
    _ step: Int, _ model: TrainedModel, _ reduction: StepReduction?, timeline: Timeline? = nil
  ) throws(TrainerError) -> (seconds: Double, loss: Double) {
    let first = Clock.nanoseconds
    var start = first
    var busy: UInt64 = 0
    setScalars(of: model, step: step)
    let maker = OptimizerStep(model, batches: 1, processes: reduction?.group.count ?? 1, reduction: reduction)
    let result = try maker.make { (round) throws(TrainerError) in
      // Drawing images takes none of the step's time.
      if round > 0 { busy += Clock.nanoseconds - start }
      try fillInputs(of: model, step: step, round: round)
      start = Clock.nanoseconds
      return true
    }
    let end = Clock.nanoseconds
    busy += end - start
    timeline?.note("step \(step)", from: first, to: end)
    guard case .made(let losses, _) = result else { throw TrainerError("the loss of step \(step + 1) is not finite") }
    return (Double(busy) * 1e-9, losses.total)
  }

  /// Writes the random images and the noise of a round of step `step`.
  private func fillInputs(of model: TrainedModel, step: Int, round: Int) throws(TrainerError) {
    if let images = model.program.input(.images) {
      let numbers = RandomNumbers(seed: 0, purpose: .benchmark, UInt64(step))
      try model.device.fill([images]) { _, elements in
        for index in elements.indices {
          // Uniform numbers of mean 0 and variance 1.
          elements[index] = (numbers.uniform(at: UInt64(round * elements.count + index)) - 0.5) * 3.4641016
        }
      }
    }
    try model.fillNoise(seed: 0, step: step, round: round)
  }

  /// Sets what is the same in all rounds of step `step`.
  private func setScalars(of model: TrainedModel, step: Int) {
    let recipe = model.program.manifest.recipe
    let rate = recipe.baseLearningRate * Double(model.program.manifest.batch) / 256
    model.setScalars(recipe.withConstantRate(rate), at: .alone(step: step + 1))
  }
}

/// What the rows of a report are of.
enum BenchGrouping: String, ExpressibleByArgument, CaseIterable {
  case kernel, layer, line
}
