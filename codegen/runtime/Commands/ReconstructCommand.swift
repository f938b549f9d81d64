import ArgumentParser

/// `reconstruct`: pictures of what the model predicts.
struct ReconstructCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reconstruct",
    abstract: "Draw images, what the model sees of them, and what it makes of that.",
    discussion: "Writes a PNG. Its caption says which parts of the reconstruction come from the input.")

  @Option(help: ArgumentHelp("A run's folder or checkpoint.", valueName: "run"))
  var checkpoint: String

  @OptionGroup var data: DataOptions

  @Option(help: ArgumentHelp("Images to draw.", valueName: "n"))
  var count = 4

  @Option(name: .shortAndLong, help: ArgumentHelp("The PNG to write.", valueName: "file"))
  var output: String

  @Option(help: ArgumentHelp("Seed of the choice of images and of their masks.", valueName: "n"))
  var seed: UInt64 = 0

  @OptionGroup var threads: ThreadOptions

  func validate() throws {
    if !(1...64).contains(count) { throw ValidationError("--count has to be from 1 to 64") }
  }

  func run() throws {
    let program = try Trainer.program()
    try ProcessorCheck.check(program.manifest.processor)
    guard let path = data.data else {
      throw TrainerError("say where the images are: --data FOLDER, or --data synthetic for drawn ones")
    }
    let batch = try ImageBatch(program)
    let source = try data.source(for: batch, seed: seed, data: path)
    let model = try TrainedModel(program: program, schedules: ["forward"], threads: threads.count)
    let reconstructor = try Reconstructor(model, batch: batch)
    try Checkpoint.loadParameters(try RunFolder.checkpoint(from: checkpoint), into: model)
    let images = try chooseImages(from: source, augmentation: batch.augmentation)
    var rows: [PictureGrid.Row] = []
    while rows.count < count {
      let remaining = Array(images[rows.count...])
      rows += try drawBatch(remaining, model: model, batch: batch, reconstructor: reconstructor, step: rows.count)
    }
    let png = try PictureGrid.draw(rows, footer: reconstructor.explanation).encodedAsPNG()
    try FileSystem.replace(output) { (file) throws(TrainerError) in try file.write(png) }
    Console.print(reconstructor.explanation)
    Console.print("wrote \(output)")
  }

  /// Draws as many of `images` as a batch takes; where there are fewer, they are repeated to fill it.
  private func drawBatch(
    _ images: [Image], model: TrainedModel, batch: ImageBatch, reconstructor: Reconstructor, step: Int
  ) throws(TrainerError) -> [PictureGrid.Row] {
    let samples = batch.input.shape[0]
    let pixels = (0..<samples).flatMap { images[$0 % images.count].pixels }
    let target = model.values(batch.input)
    pixels.withUnsafeBufferPointer {
      batch.normalization.apply(
        $0, to: target, channels: batch.augmentation.channels, positions: batch.augmentation.width * batch.augmentation.height)
    }
    let input = Array(target)
    model.fillNoise(seed: seed, step: step)
    try model.run("forward")
    return try reconstructor.rows(images: input, count: min(samples, images.count))
  }

  /// Picks `count` images that can be read, the same for the same seed.
  private func chooseImages(from source: any ImageSource, augmentation: Augmentation) throws(TrainerError) -> [Image] {
    var numbers = RandomNumbers(seed: seed, purpose: .selection)
    var order = Array(0..<source.count)
    var images: [Image] = []
    for position in order.indices where images.count < count {
      order.swapAt(position, position + numbers.next(below: order.count - position))
      do throws(TrainerError) {
        images.append(augmentation.centerCrop(try source.image(at: order[position])))
      } catch {
        Console.warn("skipping \(source.name(at: order[position])): \(error.message)")
      }
    }
    guard !images.isEmpty else { throw TrainerError("none of the \(source.count) images can be read") }
    // A small folder gives the same images several times, with other masks.
    let distinct = images.count
    while images.count < count { images.append(images[images.count % distinct]) }
    return images
  }
}
