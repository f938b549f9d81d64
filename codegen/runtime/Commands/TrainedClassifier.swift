import CPlatform
import WaMIMManifest

/// A classifier with the parameters of a run, and the images that a command asks about.
struct TrainedClassifier {
  let model: TrainedModel
  let batch: ImageBatch
  let source: any ImageSource
  let unreadable = UnreadableImages()
  /// The classes of the training, where the checkpoint tells them.
  let classes: ClassTable?
  /// The checkpoint's file.
  let file: String
  private let loaders: Int

  /// - Parameters:
  ///   - averaged: Whether the parameters are the run's running means.
  ///   - labels: Where the images' classes are told; nil where they are not asked for.
  init(
    checkpoint: String, averaged: Bool, data: DataOptions, labels: LabelOptions?, loaders: LoaderOptions, threads: ThreadOptions
  ) throws(TrainerError) {
    let program = try Trainer.program()
    try ProcessorCheck.check(program.manifest.processor)
    guard ClassifierPass.isClassifier(program) else {
      throw TrainerError("this program is no classifier: its evaluation has no output `logits`")
    }
    guard !data.data.isEmpty else { throw TrainerError("say where the images are: --data FOLDER") }
    file = try RunFolder.checkpoint(from: checkpoint)
    // A run may have normalised its images in its own way.
    let position = try? Checkpoint.position(file, model: program.manifest.model)
    let options = position?.options ?? [:]
    classes = position?.classes
    let batch = try ImageBatch(program, recipe: program.manifest.recipe.replaced(by: options))
    self.batch = batch
    let isTurned = data.isTurned(recorded: options)
    if let labels {
      let labelling = DataOptions.Labelling(file: labels.labels, classes: classes, purpose: .evaluation)
      source = try data.labelledSource(
        for: batch, seed: ~(position?.seed ?? 0), data: data.data, isTurned: isTurned, labelling: labelling)
    } else {
      source = try data.source(for: batch, seed: ~(position?.seed ?? 0), data: data.data, isTurned: isTurned)
    }
    self.loaders = loaders.count
    model = try TrainedModel(
      program: program, schedules: [.forward], threads: threads.count, device: threads.device, sources: 1, loaders: loaders.count,
      indexBytes: source.indexByteCount, orderBytes: EpochOrder.byteCount(images: source.count))
    try Checkpoint.loadParameters(file, into: model, averaged: averaged)
    wamim_catch_interruptions()
  }

  /// The model on every image once.
  func pass() throws(TrainerError) -> ClassifierPass {
    try ClassifierPass(model, source: source, batch: batch, loaders: loaders, unreadable: unreadable)
  }

  /// The files that outputs may not replace.
  var protected: ProtectedFiles {
    var files = ProtectedFiles()
    files.protect(file, as: "the checkpoint")
    return files
  }
}
