import CPlatform
import WaMIMManifest

/// An encoder with the parameters of a run or of a file, and what it makes of the images that a command names.
struct FeatureExtractor {
  let program: Program
  let batch: ImageBatch
  /// The file of the parameters.
  let file: String
  private let options: [String: String]
  private let model: TrainedModel
  private let loaders: Int

  init(checkpoint: String, averaged: Bool, loaders: LoaderOptions, threads: ThreadOptions) throws(TrainerError) {
    program = try Trainer.program()
    try ProcessorCheck.check(program.manifest.processor)
    guard FeaturePass.givesFeatures(program) else {
      throw TrainerError("this program gives no features: its model has no statement `features`")
    }
    file = try RunFolder.checkpoint(from: checkpoint)
    let position = try? Checkpoint.position(file, model: program.manifest.model)
    options = position?.options ?? [:]
    batch = try ImageBatch(program, recipe: program.manifest.recipe.replaced(by: options))
    self.loaders = loaders.count
    model = try TrainedModel(
      program: program, schedules: [.features], threads: threads.count, device: threads.device, sources: 1, loaders: loaders.count)
    if position != nil {
      try Checkpoint.loadParameters(file, into: model, averaged: averaged)
    } else {
      guard !averaged else {
        throw TrainerError(
          "--ema: \(file) is no checkpoint of this program's runs, so it is not known which running means are whose; "
            + "`export --ema` of its own program writes them as parameters")
      }
      try model.initializeStates(seed: 0)
      try InitialParameters.load(file, into: model).report()
    }
    wamim_catch_interruptions()
  }

  /// The images that `data` names.
  ///
  /// - Parameters:
  ///   - labels: Where their classes are told, and by which option; nil where they are not asked for.
  ///   - classes: The classes that they have to have, or nil where they define them.
  func source(
    of data: [String], options dataOptions: DataOptions, labels: (file: String?, option: String)?, classes: ClassTable? = nil,
    option: String
  ) throws(TrainerError) -> any ImageSource {
    guard !data.isEmpty else { throw TrainerError("say where the images are: \(option) FOLDER") }
    let isTurned = dataOptions.isTurned(recorded: options)
    var source = try dataOptions.source(for: batch, seed: 0, data: data, option: option, isTurned: isTurned)
    if let labels, let dataset = source as? ImageDataset {
      source = try LabelSearch(
        dataset, name: DataOptions.name(data, option: option), file: labels.file, fileOption: labels.option, classes: classes,
        count: classes?.count, purpose: .evaluation
      ).labelled()
    }
    if labels != nil && source.classes == nil { throw TrainerError("\(option): drawn images have no classes; give a folder") }
    return source
  }

  /// The features of the images of `source` that can be read, and the images' numbers.
  func features(of source: any ImageSource) throws(TrainerError) -> (table: FeatureTable, images: [Int]) {
    let unreadable = UnreadableImages()
    let pass = try FeaturePass(model, source: source, batch: batch, loaders: loaders, unreadable: unreadable)
    guard let (table, images) = try pass.table() else { throw TrainerError("interrupted: nothing was written") }
    unreadable.summarize(of: source.count, areLeftOut: true)
    return (table, images)
  }
}
