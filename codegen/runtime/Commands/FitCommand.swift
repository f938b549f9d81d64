import ArgumentParser
import CPlatform
import WaMIMManifest

/// `fit`: trains on a folder of images.
struct FitCommand: ParsableCommand {
  static var configuration: CommandConfiguration {
    CommandConfiguration(commandName: "fit", abstract: "Train on a folder of images.", discussion: discussion)
  }

  private static var discussion: String {
    let recipe = (try? Trainer.program().manifest.recipe) ?? Recipe()
    return """
      Writes to the folder RUN: checkpoint.safetensors, metrics.jsonl with a line for each step, events for `tensorboard --logdir RUN`, \
      and run.json with what made the run. Interrupted by Ctrl-C or SIGTERM, it finishes the step, saves, and prints the command \
      that continues with the same bits as if nothing had happened.

      Images that cannot be read are replaced by others and listed in RUN/unreadable.txt, those of --val in \
      RUN/unreadable-validation.txt. Where the images are is kept in RUN/images.index, and looked for again only after a folder \
      has changed.

      Example: train fit --data photos --epochs 100 --out run

      HYPERPARAMETERS, each the model's where nothing is said; a run of fewer epochs than the model's warms up for its share of them:
      \(HyperparameterOptions.help(recipe))
      """
  }

  /// The options that are no hyperparameters, read off the help.
  private static var optionNames: [String] {
    helpMessage(columns: 200).split { !($0.isLetter || $0 == "-") }.filter { $0.hasPrefix("--") }.map(String.init)
  }

  @OptionGroup var data: DataOptions

  @OptionGroup var labels: LabelOptions

  @Option(
    name: .shortAndLong, help: ArgumentHelp("The folder to write to (default: that of --resume, or `run`).", valueName: "run"))
  var out: String?

  @Option(help: ArgumentHelp("Continue from this run's folder or checkpoint.", valueName: "run"))
  var resume: String?

  @Option(
    name: .customLong("init"),
    help: ArgumentHelp(
      "Begin with the parameters of this safetensors file: a checkpoint, or a ViT of timm's or Hugging Face's.", valueName: "file"))
  var initial: String?

  @Flag(help: "Replace a run that the folder already holds.")
  var overwrite = false

  @Flag(help: "Continue a run although the images differ from those that it was trained on.")
  var allowChangedData = false

  @Flag(help: "Continue a run although it was trained with another model, or with another number of images a step.")
  var allowChangedModel = false

  @Option(help: ArgumentHelp("Seed of everything random (default: 0).", valueName: "n"))
  var seed: UInt64?

  @OptionGroup(title: "Checkpoints") var checkpoints: CheckpointOptions

  @OptionGroup(title: "Watching") var watching: WatchOptions

  @Option(help: ArgumentHelp("Stop and save after this step of the run, as if interrupted.", valueName: "n"))
  var limitSteps: Int?

  @Flag(
    help: "Run each step on one thread, and stop at the first kernel whose result is not finite: slow, and the same bits.")
  var checkValues = false

  @OptionGroup var loaders: LoaderOptions

  @OptionGroup var threads: ThreadOptions

  @OptionGroup var ranks: RankOptions

  @Argument(parsing: .allUnrecognized, help: .hidden)
  var hyperparameterWords: [String] = []

  /// What the words say of hyperparameters.
  var hyperparameters: HyperparameterOptions {
    get throws { try HyperparameterOptions(words: hyperparameterWords, others: FitCommand.optionNames) }
  }

  func validate() throws {
    _ = try hyperparameters
    if let limitSteps, limitSteps < 1 { throw ValidationError("--limit-steps has to be 1 or more") }
    if resume != nil && initial != nil {
      throw ValidationError("--resume continues a run and --init begins one with given parameters: give only one of them")
    }
  }

  func run() throws {
    let program = try Trainer.program()
    let group = try ranks.start(program)
    if !group.isFirst { Console.beQuiet() }
    // A rank that a signal ended while it prepares would take the others along.
    if !group.isAlone { wamim_catch_interruptions() }
    try group.run { try fit(program, group) }
  }

  /// Makes the run as one of the ranks of `group`.
  private func fit(_ program: Program, _ group: RankGroup) throws {
    try group.requireSamePrograms()
    // Everything that may be refused comes before the first change to a folder.
    let outPath = out ?? resume.map { FileSystem.kind(of: $0) == .folder ? $0 : FileSystem.parent(of: $0) } ?? "run"
    let lock: RunLock? = try group.agree {
      try ProcessorCheck.check(program.manifest.processor)
      if !group.isAlone && program.deviceCode != nil {
        throw TrainerError(
          "programs for GPUs train in one process so far: start one, or compile the model for this machine's processor")
      }
      return group.isFirst && RunFolder.holdsRun(outPath) ? try RunLock(outPath) : nil
    }
    let prepared = try group.agree { try prepare(program, group, outPath: outPath) }
    let (position, origin) = (prepared.position, prepared.origin)
    if !group.isAlone {
      try group.requireSame(
        try prepared.run(in: RunFolder(writtenElsewhere: outPath, origin: origin)).fingerprint(),
        "was started with other options, or on other images or parameters: give all ranks the same")
    }
    let folder = try group.agree { try makeFolder(outPath, lock, origin, prepared.source, group) }
    let run = prepared.run(in: folder)
    announce(run, position: position)
    if group.isFirst {
      try RunRecord(run, initializedFrom: initial.map(FileSystem.absolute), command: Trainer.words, step: position?.step ?? 0)
        .write(to: run.folder.workPath, graph: program.manifest.graph, after: origin.map { FileSystem.parent(of: $0.checkpoint) })
    }
    let ending: TrainingRun.Ending
    do throws(TrainerError) {
      ending = try run.run(from: position?.step)
    } catch {
      throw error.isDeviceFailure ? failure(error, leaving: folder) : error
    }
    tellEnding(ending, plan: run.model.memoryPlan, folder: run.folder)
  }

  /// What a run needs before there is a folder for it.
  private struct Prepared {
    var model: TrainedModel
    var batch: ImageBatch
    var source: any ImageSource
    var validation: (any ImageSource)?
    var neighbours: (any ImageSource)?
    var group: RankGroup
    var options: TrainingRun.Options
    var recorded: [String: String]
    var profile: ReplacedFile?
    /// Where the run goes on, and from what.
    var position: TrainingPosition?
    var origin: RunFolder.Origin?

    func run(in folder: RunFolder) -> TrainingRun {
      TrainingRun(
        model: model, batch: batch, source: source, validation: validation, neighbours: neighbours, folder: folder, group: group,
        options: options, recordedOptions: recorded, profile: profile)
    }
  }

  /// The folder of the run, to which the first rank alone writes.
  private func makeFolder(
    _ path: String, _ lock: RunLock?, _ origin: RunFolder.Origin?, _ source: any ImageSource, _ group: RankGroup
  ) throws(TrainerError) -> RunFolder {
    guard group.isFirst else { return RunFolder(writtenElsewhere: path, origin: origin) }
    let folder = try RunFolder(path, lock: lock, origin: origin, overwriting: overwrite)
    try source.saveIndex(in: folder.workPath)
    return folder
  }

  /// Makes all that a run needs; the first rank alone opens what is evaluated on.
  private func prepare(_ program: Program, _ group: RankGroup, outPath: String) throws -> Prepared {
    let checkpoint = try resume.map { (path) throws(TrainerError) in try RunFolder.checkpoint(from: path) }
    if group.isFirst { try RunFolder.check(outPath, resuming: checkpoint, overwriting: overwrite) }
    let position = try checkpoint.map { (path) throws(TrainerError) in
      try Checkpoint.position(path, model: program.manifest.model)
    }
    let channels = try ImageBatch(program).augmentation.channels
    let settings = try FitSettings(
      command: self, recipe: program.manifest.recipe, channels: channels, previous: position?.options ?? [:],
      ranks: group.count)
    let seed = seed ?? position?.seed ?? 0
    if let position, seed != position.seed {
      throw TrainerError("the run to continue has the seed \(position.seed), not \(seed); leave --seed out")
    }
    let batch = try ImageBatch(program, recipe: settings.recipe)
    try batch.checkMixing()
    let (source, validation) = try sources(
      settings, batch: batch, seed: seed, runFolder: outPath, classes: position?.classes, evaluates: group.isFirst)
    if let position, let checkpoint {
      let basis = RunBasis(
        program.manifest, batches: settings.recipe.batchAccumulation, source: source, validation: validation,
        ranks: group.count)
      let order = EpochOrder(images: source.count, batch: basis.batch, seed: seed)
      try ResumeCheck(
        checkpoint: checkpoint, position: position, basis: basis, order: order, epochs: settings.recipe.epochs,
        stepLimit: limitSteps, hasLabels: source.classes != nil, allowsChangedModel: allowChangedModel,
        allowsChangedData: allowChangedData
      ).run(graph: program.manifest.graph)
    }
    let neighbours = group.isFirst ? try neighbourSource(settings, program: program, batch: batch) : nil
    let all = [source, validation, neighbours].compactMap { $0 }
    let profile = !group.isFirst ? nil : try openProfile(reading: checkpoint, sources: all, folder: outPath)
    let model = try makeModel(program, settings: settings, sources: all, group)
    if let checkpoint {
      _ = try Checkpoint.load(checkpoint, into: model)
    } else {
      try model.initializeStates(seed: seed)
      if let initial { try InitialParameters.load(try RunFolder.checkpoint(from: initial), into: model).report() }
      if model.keepsAverages { try model.beginAverages() }
    }
    return Prepared(
      model: model, batch: batch, source: source, validation: validation, neighbours: neighbours, group: group,
      options: settings.options(seed: seed, command: self, group: group), recorded: settings.recorded, profile: profile,
      position: position, origin: checkpoint.map { RunFolder.Origin(checkpoint: $0, step: position?.step ?? 0) })
  }

  /// Opens the images to train on, and those to evaluate on.
  private func sources(
    _ settings: FitSettings, batch: ImageBatch, seed: UInt64, runFolder: String, classes: ClassTable?,
    evaluates: Bool
  ) throws(TrainerError) -> (training: any ImageSource, validation: (any ImageSource)?) {
    guard !settings.data.isEmpty else {
      throw TrainerError("say where the images are: --data FOLDER, or --data synthetic for drawn ones")
    }
    let training = try data.labelledSource(
      for: batch, seed: seed, data: settings.data, isTurned: settings.isTurned, runFolder: runFolder,
      labelling: DataOptions.Labelling(file: settings.labels, classes: classes, purpose: .training))
    guard evaluates, !settings.validation.isEmpty else { return (training, nil) }
    // Drawn images to evaluate on are others than those to train on.
    let labelling = DataOptions.Labelling(
      file: settings.validationLabels, classes: training.classes, purpose: .evaluation, option: "--val",
      fileOption: "--val-labels")
    return (
      training,
      try data.labelledSource(
        for: batch, seed: ~seed, data: settings.validation, isTurned: settings.isTurned, labelling: labelling)
    )
  }

  /// Opens the labelled images for nearest neighbours, where there are some.
  private func neighbourSource(
    _ settings: FitSettings, program: Program, batch: ImageBatch
  ) throws(TrainerError) -> (any ImageSource)? {
    guard !settings.neighbours.isEmpty else { return nil }
    guard FeaturePass.givesFeatures(program) else {
      throw TrainerError("--knn: this program gives no features: its model has no statement `features`")
    }
    let source = try data.source(
      for: batch, seed: 0, data: settings.neighbours, option: "--knn", isTurned: settings.isTurned)
    guard let dataset = source as? ImageDataset else { throw TrainerError("--knn: drawn images have no classes; give a folder") }
    let labelled = try LabelSearch(
      dataset, name: DataOptions.name(settings.neighbours, option: "--knn"), file: settings.neighbourLabels,
      fileOption: "--knn-labels", count: nil, purpose: .evaluation
    ).labelled()
    try NeighbourWatch.check(labelled)
    return labelled
  }

  private func makeModel(
    _ program: Program, settings: FitSettings, sources: [any ImageSource], _ group: RankGroup
  ) throws(TrainerError) -> TrainedModel {
    let batches = group.share.part(of: settings.recipe.batchAccumulation).count
    var schedules = OptimizerStep.schedules(program, batches: batches, processes: group.count)
    if group.isFirst {
      if !settings.validation.isEmpty || settings.drawsPictures(program.manifest) { schedules.append(.forward) }
      if !settings.neighbours.isEmpty { schedules.append(.features) }
    }
    if settings.recipe.ema > 0 { schedules.append(.average) }
    return try TrainedModel(
      program: program, schedules: schedules, batches: batches,
      threads: threads.count(in: group), device: threads.device, sources: sources.count, loaders: loaders.count(in: group),
      indexBytes: sources.reduce(0) { $0 + $1.indexByteCount },
      orderBytes: sources.reduce(0) { $0 + EpochOrder.byteCount(images: $1.count) }, erases: settings.recipe.randomErasing > 0)
  }

  /// Opens the file for the timeline, which may not be one that the run reads or keeps in `folder`.
  private func openProfile(
    reading checkpoint: String?, sources: [any ImageSource], folder: String
  ) throws(TrainerError) -> ReplacedFile? {
    guard let path = watching.profile else { return nil }
    var protected = ProtectedFiles()
    if let checkpoint { protected.protect(checkpoint, as: "the checkpoint to continue from") }
    if let initial, let file = try? RunFolder.checkpoint(from: initial) { protected.protect(file, as: "the file of --init") }
    try protected.check(path, option: "--profile", sources: sources)
    try RunFiles.check(path, option: "--profile", in: folder)
    return try ReplacedFile(path)
  }

  /// Says what is about to happen, and what differs from what one might expect.
  private func announce(_ run: TrainingRun, position: TrainingPosition?) {
    let order = run.order
    if order.images < order.batch {
      Console.warn("there are \(order.images) images and a step takes \(order.batch): images are repeated to fill it")
    }
    let manifest = run.model.program.manifest
    let images =
      run.options.recipe.batchAccumulation > 1
      ? "\(run.options.recipe.batchAccumulation) x \(manifest.batch) images" : "\(order.batch)"
    let processes =
      run.group.isAlone ? "" : ", \(run.group.count) ranks on \(Format.counted(Set(run.group.members.map(\.host)).count, "host"))"
    let start = position.map { ", continuing after step \($0.step)" } ?? ""
    Console.print(
      "\(manifest.model): \(order.images) images, \(order.stepsPerEpoch) steps of \(images) an epoch, \(run.totalSteps) steps, "
        + "\(run.model.device.name)\(processes)\(start)")
  }

  /// The failure of a GPU, with how to go on from what it leaves.
  private func failure(_ error: TrainerError, leaving folder: RunFolder) -> TrainerError {
    guard let saved = folder.resumable else { return TrainerError(deviceFailure: "\(error.message)\nThere is no checkpoint yet") }
    return TrainerError(
      deviceFailure: "\(error.message)\nThe last checkpoint, of step \(saved.step), is kept. To continue: "
        + "\(ShellWord.quoted(Trainer.executable)) fit --resume \(ShellWord.quoted(saved.checkpoint))")
  }

  /// Says where the result is, and how to go on.
  private func tellEnding(_ ending: TrainingRun.Ending, plan: MemoryPlan, folder: RunFolder) {
    guard !folder.isUntouched else {
      return Console.print("interrupted before anything was saved: \(folder.path) is as it was")
    }
    Console.print(
      "saved \(RunFolder.checkpoint(in: folder.path)); memory \(Format.bytes(Machine.peakResidentBytes)) at most, "
        + "\(Format.bytes(plan.total)) planned")
    guard ending == .interrupted else { return }
    Console.print("to continue: \(ShellWord.quoted(Trainer.executable)) fit --resume \(ShellWord.quoted(folder.path))")
  }
}
