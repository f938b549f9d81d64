import ArgumentParser
import WaMIMManifest

/// `features`: what the encoder makes of images.
struct FeaturesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "features",
    abstract: "Write the features that the encoder gives of images.",
    discussion: """
      Writes a safetensors file with `features`, [images, width], in the order of the images, whose paths below --data, or whole paths \
      where it is given several times, are a JSON list in the file's metadata under `files`. With --labelled, the classes are `labels`, and their names are in the metadata under \
      `classes`. Each image is seen as `evaluate` sees it. Images that cannot be read are left out.

      Example: train features --checkpoint run --data photos -o features.safetensors
      """)

  @Option(help: ArgumentHelp("A run's folder, its checkpoint, or a safetensors file that --init of `fit` takes.", valueName: "run"))
  var checkpoint: String

  @OptionGroup var average: AverageOption

  @OptionGroup var data: DataOptions

  @Flag(help: "Write the classes of the images, too.")
  var labelled = false

  @OptionGroup var labels: LabelOptions

  @Option(name: .shortAndLong, help: ArgumentHelp("The safetensors file to write.", valueName: "file"))
  var output: String

  @OptionGroup var loaders: LoaderOptions

  @OptionGroup var threads: ThreadOptions

  func run() throws {
    let extractor = try FeatureExtractor(checkpoint: checkpoint, averaged: average.isAveraged, loaders: loaders, threads: threads)
    var protected = ProtectedFiles()
    protected.protect(extractor.file, as: "the checkpoint")
    let asksForLabels = labelled || labels.labels != nil
    let source = try extractor.source(
      of: data.data, options: data, labels: asksForLabels ? (labels.labels, "--labels") : nil, option: "--data")
    try protected.check(output, option: "-o", sources: [source])
    let replaced = try ReplacedFile(output)
    let (table, images) = try extractor.features(of: source)
    let file = FeatureFile(table: table, files: images.map { data.fileName(of: $0, in: source) }, classes: source.classes)
    try file.write(to: replaced)
    Console.print("wrote \(Format.counted(table.count, "feature")) of \(table.width) numbers to \(output)")
  }
}
