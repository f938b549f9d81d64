import ArgumentParser

/// `reconstruct`: pictures of what the model predicts.
struct ReconstructCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reconstruct",
    abstract: "Draw images, what the model sees of them, and what it makes of that.",
    discussion: """
      Writes a PNG. Its caption says which parts of the reconstruction come from the input. For a model that predicts wavelets, each \
      level's target and prediction follow. Images that cannot be read are left out.
      """)

  @Option(help: ArgumentHelp("A run's folder or checkpoint.", valueName: "run"))
  var checkpoint: String

  @OptionGroup var average: AverageOption

  @OptionGroup var data: DataOptions

  @Option(help: ArgumentHelp("Images to draw.", valueName: "n"))
  var count = 4

  @Option(name: .shortAndLong, help: ArgumentHelp("The PNG to write.", valueName: "file"))
  var output: String

  @Option(help: ArgumentHelp("Seed of the choice of images and of their masks.", valueName: "n"))
  var seed: UInt64 = 0

  @Flag(inversion: .prefixedNo, help: "Draw targets and predictions of each level, too.")
  var levels = true

  @OptionGroup var threads: ThreadOptions

  func validate() throws {
    if !(1...64).contains(count) { throw ValidationError("--count has to be from 1 to 64") }
  }

  func run() throws {
    let program = try Trainer.program()
    try ProcessorCheck.check(program.manifest.processor)
    guard !data.data.isEmpty else {
      throw TrainerError("say where the images are: --data FOLDER, or --data synthetic for drawn ones")
    }
    let file = try RunFolder.checkpoint(from: checkpoint)
    // A run may have normalised its images in its own way.
    let options = (try? Checkpoint.position(file, model: program.manifest.model))?.options ?? [:]
    let batch = try ImageBatch(program, recipe: program.manifest.recipe.replaced(by: options))
    // The run knows where the images are that it was trained on.
    let source = try data.source(
      for: batch, seed: seed, data: data.data, isTurned: data.isTurned(recorded: options), runFolder: FileSystem.parent(of: file))
    var protected = ProtectedFiles()
    protected.protect(file, as: "the checkpoint")
    try protected.check(output, option: "-o", sources: [source])
    let model = try TrainedModel(program: program, schedules: [.forward], threads: threads.count, device: threads.device)
    try Checkpoint.loadParameters(file, into: model, averaged: average.isAveraged)
    let unreadable = UnreadableImages()
    let gallery = try Gallery(
      model, batch: batch, source: source, count: count, seed: seed, showsLevels: levels, unreadable: unreadable)
    unreadable.summarize(of: source.count)
    let png = try gallery.draw().encodedAsPNG()
    try FileSystem.replace(output) { (file) throws(TrainerError) in try file.write(png) }
    Console.print(gallery.explanation)
    Console.print("wrote \(output)")
  }
}
