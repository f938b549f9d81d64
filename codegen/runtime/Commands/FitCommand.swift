import ArgumentParser

/// `fit`: trains on a folder of images.
struct FitCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fit",
    abstract: "Train on a folder of images.",
    discussion: """
      Writes RUN/checkpoint.safetensors at the end of epochs, and RUN/metrics.jsonl with a line for each step. Interrupted by Ctrl-C \
      or SIGTERM, it finishes the step, saves, and prints the command that continues with the same bits as if nothing had happened.

      Example: train fit --data photos --epochs 100 --out run
      """)

  @OptionGroup var data: DataOptions

  @Option(help: ArgumentHelp("Epochs of the whole run (default: the model's).", valueName: "n"))
  var epochs: Double?

  @Option(
    name: .shortAndLong, help: ArgumentHelp("The folder to write to (default: that of --resume, or `run`).", valueName: "run"))
  var out: String?

  @Option(help: ArgumentHelp("Continue from this run's folder or checkpoint.", valueName: "run"))
  var resume: String?

  @Flag(help: "Replace a run that the folder already holds.")
  var overwrite = false

  @Option(help: ArgumentHelp("Seed of everything random (default: 0).", valueName: "n"))
  var seed: UInt64?

  @Option(
    name: .customLong("base-lr"), help: ArgumentHelp("Learning rate for a batch of 256 (default: the model's).", valueName: "rate"))
  var baseLearningRate: Double?

  @Option(
    help: ArgumentHelp("Epochs of linear warm-up (default: the model's, but no more than a tenth of --epochs).", valueName: "n"))
  var warmup: Double?

  @Option(help: ArgumentHelp("Weight decay (default: the model's).", valueName: "x"))
  var weightDecay: Double?

  @Option(help: ArgumentHelp("Epochs between checkpoints.", valueName: "n"))
  var every = 1

  @Option(help: ArgumentHelp("Stop and save after this step of the run, as if interrupted.", valueName: "n"))
  var limitSteps: Int?

  @Option(help: ArgumentHelp("Threads that read images ahead.", valueName: "n"))
  var loaders = 1

  @OptionGroup var threads: ThreadOptions

  func validate() throws {
    if let epochs, !(epochs > 0 && epochs <= 1e6) { throw ValidationError("--epochs has to be above 0, and at most a million") }
    if let warmup, !(warmup >= 0 && warmup.isFinite) { throw ValidationError("--warmup has to be 0 or more") }
    if let baseLearningRate, !(baseLearningRate >= 0 && baseLearningRate.isFinite) {
      throw ValidationError("--base-lr has to be 0 or more")
    }
    if let weightDecay, !(weightDecay >= 0 && weightDecay.isFinite) { throw ValidationError("--weight-decay has to be 0 or more") }
    if !(1...1_000_000).contains(every) { throw ValidationError("--every has to be 1 or more") }
    if let limitSteps, limitSteps < 1 { throw ValidationError("--limit-steps has to be 1 or more") }
    if !(1...256).contains(loaders) { throw ValidationError("--loaders has to be from 1 to 256") }
  }

  func run() throws {
    let program = try Trainer.program()
    try ProcessorCheck.check(program.manifest.processor)
    let checkpoint = try resume.map { (path) throws(TrainerError) in try RunFolder.checkpoint(from: path) }
    let position = try checkpoint.map { (path) throws(TrainerError) in
      try Checkpoint.position(path, model: program.manifest.model)
    }
    let settings = FitSettings(command: self, training: program.manifest.training, previous: position?.options ?? [:])
    let seed = seed ?? position?.seed ?? 0
    if let position, seed != position.seed {
      throw TrainerError("the run to continue has the seed \(position.seed), not \(seed); leave --seed out")
    }
    guard let dataPath = settings.data else {
      throw TrainerError("say where the images are: --data FOLDER, or --data synthetic for drawn ones")
    }
    let batch = try ImageBatch(program)
    let source = try data.source(for: batch, seed: seed, data: dataPath)
    let model = try TrainedModel(
      program: program, schedules: ["step"], threads: threads.count,
      otherBytes: BatchLoader.bytes(images: program.manifest.batch, sampleBytes: batch.sampleBytes))
    let firstStep: Int
    if let checkpoint {
      firstStep = try Checkpoint.load(checkpoint, into: model).step
    } else {
      try model.initializeStates(seed: seed)
      firstStep = 0
    }
    let outPath = out ?? resume.map { FileSystem.kind(of: $0) == .folder ? $0 : FileSystem.parent(of: $0) } ?? "run"
    let folder = try RunFolder(outPath, resumedStep: checkpoint == nil ? nil : firstStep, overwriting: overwrite)
    let run = TrainingRun(
      model: model, source: source, folder: folder, options: settings.options(seed: seed, command: self),
      recordedOptions: settings.recorded)
    try announce(run, position: position, firstStep: firstStep)
    let ending = try run.run(from: firstStep)
    tellEnding(ending, folder: outPath)
  }

  /// Says what is about to happen, and what differs from what one might expect.
  private func announce(_ run: TrainingRun, position: TrainingPosition?, firstStep: Int) throws(TrainerError) {
    let order = run.order
    if let position, position.stepsPerEpoch != order.stepsPerEpoch {
      throw TrainerError(
        "the run to continue had \(position.stepsPerEpoch) steps an epoch, and with these images it would have "
          + "\(order.stepsPerEpoch); give --data the images that the run began with")
    }
    if order.images < order.batch {
      Console.warn("there are \(order.images) images and a batch is \(order.batch): images are repeated to fill it")
    }
    let manifest = run.model.program.manifest
    let start = firstStep > 0 ? ", continuing after step \(firstStep)" : ""
    Console.print(
      "\(manifest.model): \(order.images) images, \(order.stepsPerEpoch) steps of \(order.batch) an epoch, \(run.totalSteps) steps, "
        + "\(run.model.executor.threadCount) threads\(start)")
  }

  /// Says where the result is, and how to go on.
  private func tellEnding(_ ending: TrainingRun.Ending, folder: String) {
    Console.print("saved \(RunFolder.checkpoint(in: folder))")
    guard ending == .interrupted else { return }
    Console.print("to continue: \(ShellWord.quoted(Trainer.executable)) fit --resume \(ShellWord.quoted(folder))")
  }
}

/// Words of a command line that can be pasted into a shell.
enum ShellWord {
  /// `word`, within quotation marks where the shell would otherwise take it apart.
  static func quoted(_ word: String) -> String {
    let plain = word.unicodeScalars.allSatisfy {
      $0.properties.isAlphabetic || ("0"..."9").contains($0) || "/._-:=+".unicodeScalars.contains($0)
    }
    return plain && !word.isEmpty
      ? word : "'" + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
  }
}
