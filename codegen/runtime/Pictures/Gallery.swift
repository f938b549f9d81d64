import WaMIMManifest

/// Images of which pictures are drawn, the same and with the same masks each time, so that pictures can be compared.
package struct Gallery {
  private let model: TrainedModel
  private let batch: ImageBatch
  private let reconstructor: Reconstructor
  private let images: [Image]
  /// The seed of the masks.
  private let seed: UInt64

  /// Picks `count` images that can be read, the same for the same seed.
  ///
  /// - Parameters:
  ///   - showsLevels: Whether targets and predictions of each level are drawn as well.
  ///   - unreadable: Takes note of the images that cannot be read.
  package init(
    _ model: TrainedModel, batch: ImageBatch, source: any ImageSource, count: Int, seed: UInt64, showsLevels: Bool,
    unreadable: UnreadableImages = UnreadableImages()
  ) throws(TrainerError) {
    self.model = model
    self.batch = batch
    self.seed = seed
    reconstructor = try Reconstructor(model, batch: batch, showsLevels: showsLevels)
    images = try Self.choose(count, from: source, augmentation: batch.augmentation, seed: seed, unreadable: unreadable)
  }

  /// What the pictures take from the input.
  package var explanation: String { reconstructor.explanation }

  /// Runs the model on the images, and draws what comes out.
  package func draw() throws(TrainerError) -> Image {
    var rows: [PictureGrid.Row] = []
    while rows.count < images.count { rows += try drawRound(Array(images[rows.count...]), drawn: rows.count) }
    return PictureGrid.draw(rows, titles: reconstructor.titles, footer: reconstructor.explanation)
  }

  /// Draws as many of `images` as a round takes, after others that are `drawn`; where there are fewer, they are repeated to fill it.
  private func drawRound(_ images: [Image], drawn: Int) throws(TrainerError) -> [PictureGrid.Row] {
    let samples = batch.input.shape[0]
    let staging = try model.device.makeImageStaging(slots: 1, for: batch)
    for sample in 0..<samples { staging.write(Sample(images[sample % images.count]), index: sample, slot: 0) }
    staging.announce(slot: 0)
    try staging.upload(slot: 0)
    let count = min(samples, images.count)
    // Before the run, as a schedule may reuse the input's memory.
    let input = try model.values(batch.input, samples: count)
    // Masks are those of whole batches, however they are cut.
    let (whole, rest) = drawn.quotientAndRemainder(dividingBy: model.program.manifest.batch)
    try model.fillNoise(seed: seed, step: whole * model.program.manifest.batch, round: rest / samples)
    try model.run(.forward)
    return try reconstructor.rows(images: input, count: count)
  }

  private static func choose(
    _ count: Int, from source: any ImageSource, augmentation: Augmentation, seed: UInt64, unreadable: UnreadableImages
  ) throws(TrainerError) -> [Image] {
    var numbers = RandomNumbers(seed: seed, purpose: .selection)
    var order = Array(0..<source.count)
    var images: [Image] = []
    for position in order.indices where images.count < count {
      order.swapAt(position, position + numbers.next(below: order.count - position))
      let index = order[position]
      if unreadable.contains(index) { continue }
      let problem: TrainerError
      do throws(TrainerError) {
        images.append(try augmentation.centerCrop(try source.load(at: index)))
        continue
      } catch {
        guard !error.isSystemFailure else { throw error }
        problem = error
      }
      try unreadable.insert(index, name: source.name(at: index), reason: problem.message)
    }
    guard !images.isEmpty else { throw TrainerError("none of the \(source.count) images can be read") }
    // A small folder gives the same images several times, with other masks.
    let distinct = images.count
    while images.count < count { images.append(images[images.count % distinct]) }
    return images
  }
}
