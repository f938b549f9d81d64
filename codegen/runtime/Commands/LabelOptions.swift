import ArgumentParser

/// Where the classes of images are told.
struct LabelOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      """
      For models that take labels: a file with a line for each image of --data, which is its path below --data, its class and, where \
      wanted, its weight, or whose first line names these columns. Images without a line are left out. Without it, the folders right \
      below --data are the classes, or the .cls and .json entries of shards name them.
      """, valueName: "file"))
  var labels: String?
}

extension DataOptions {
  /// What labelled images are to be.
  struct Labelling {
    /// The file that tells classes, or nil where the images' places do.
    var file: String?
    /// The classes that they have to have, or nil where they define them.
    var classes: ClassTable?
    var purpose: LabelSearch.Purpose
    /// The options of the images and of `file`, which messages name.
    var option = "--data"
    var fileOption = "--labels"
  }

  /// Opens the source of images as `source(for:)` does, labelled where the model takes labels.
  func labelledSource(
    for batch: ImageBatch, seed: UInt64, data: [String], isTurned: Bool, runFolder: String? = nil, labelling: Labelling
  ) throws(TrainerError) -> any ImageSource {
    let source = try source(
      for: batch, seed: seed, data: data, option: labelling.option, isTurned: isTurned, runFolder: runFolder)
    guard let count = batch.classes else {
      guard labelling.file == nil else { throw TrainerError("this model takes no labels; leave out \(labelling.fileOption)") }
      return source
    }
    if let drawn = source as? SyntheticImages { return try drawn.labelled(classes: count) }
    guard let dataset = source as? ImageDataset else { return source }
    return try LabelSearch(
      dataset, name: Self.name(data, option: labelling.option), file: labelling.file, fileOption: labelling.fileOption,
      classes: labelling.classes, count: count, purpose: labelling.purpose
    ).labelled()
  }
}
