import ArgumentParser
import WaMIMManifest

/// Labelled images to learn from and to be tried on, as `knn` and `probe` ask for them: folders, or files that `features` wrote.
struct LabelledFeatureOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "A run's folder, its checkpoint, or a safetensors file that --init of `fit` takes; not needed where --train and --val are files "
        + "that `features` wrote.", valueName: "run"))
  var checkpoint: String?

  @OptionGroup var average: AverageOption

  @Option(help: ArgumentHelp("Labelled images to learn from: a folder, or a file that `features` wrote.", valueName: "images"))
  var train: [String]

  @Option(help: ArgumentHelp("Labelled images to be tried on: a folder, or a file that `features` wrote.", valueName: "images"))
  var val: [String]

  @Option(help: ArgumentHelp("The classes of --train, as --labels of `fit` takes them.", valueName: "file"))
  var trainLabels: String?

  @Option(help: ArgumentHelp("The classes of --val.", valueName: "file"))
  var valLabels: String?

  @OptionGroup var loaders: LoaderOptions

  /// The features of both, and the classes.
  func tables(
    _ data: DataOptions, threads: ThreadOptions
  ) throws(TrainerError) -> (train: FeatureTable, val: FeatureTable, classes: ClassTable) {
    let isKept = { (paths: [String]) in paths.count == 1 && paths[0].hasSuffix(".safetensors") }
    var extractor: FeatureExtractor?
    if !isKept(train) || !isKept(val) {
      guard let checkpoint else { throw TrainerError("say whose features to compare: --checkpoint RUN") }
      extractor = try FeatureExtractor(checkpoint: checkpoint, averaged: average.isAveraged, loaders: loaders, threads: threads)
    }
    func table(
      _ paths: [String], _ labels: String?, _ classes: ClassTable?, _ option: String
    ) throws(TrainerError) -> (FeatureTable, ClassTable) {
      if isKept(paths) {
        guard labels == nil else { throw TrainerError("\(paths[0]) tells its classes itself: leave out \(option)-labels") }
        let file = try FeatureFile(labelledAt: paths[0])
        guard let own = file.classes else { throw TrainerError("\(paths[0]) holds no classes") }
        if let classes, classes != own { throw TrainerError("\(paths[0]) has other classes than --train") }
        return (file.table, own)
      }
      if let file = paths.first(where: { $0.hasSuffix(".safetensors") }) {
        throw TrainerError("\(option) takes one file that `features` wrote, or images: leave out \(file) or all others")
      }
      guard let extractor else { throw TrainerError("say whose features to compare: --checkpoint RUN") }
      let source = try extractor.source(
        of: paths, options: data, labels: (labels, "\(option)-labels"), classes: classes, option: option)
      guard let own = source.classes else { throw TrainerError("the images of \(option) have no classes") }
      return (try extractor.features(of: source).table, own)
    }
    let (training, classes) = try table(train, trainLabels, nil, "--train")
    let (trial, _) = try table(val, valLabels, classes, "--val")
    guard training.width == trial.width else {
      throw TrainerError("the features of --train have \(training.width) numbers, and those of --val \(trial.width)")
    }
    return (training, trial, classes)
  }
}
