import ArgumentParser
import WaMIMManifest

/// `predict`: what a trained classifier takes images for.
struct PredictCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "predict",
    abstract: "Write what a trained classifier takes images for.",
    discussion: """
      Writes a CSV file with a line for each image: its path below --data, or its whole path where that is given several times, \
      its most likely class, and the probability of that class. The images need no labels. Images that cannot be read are left out.

      Example: train predict --checkpoint run --data photos -o predictions.csv
      """)

  @Option(help: ArgumentHelp("A run's folder or checkpoint.", valueName: "run"))
  var checkpoint: String

  @OptionGroup var average: AverageOption

  @OptionGroup var data: DataOptions

  @Option(name: .shortAndLong, help: ArgumentHelp("The CSV file to write.", valueName: "file"))
  var output: String

  @OptionGroup var loaders: LoaderOptions

  @OptionGroup var threads: ThreadOptions

  func run() throws {
    let classifier = try TrainedClassifier(
      checkpoint: checkpoint, averaged: average.isAveraged, data: data, labels: nil, loaders: loaders, threads: threads)
    let source = classifier.source
    try classifier.protected.check(output, option: "-o", sources: [source])
    let pass = try classifier.pass()
    let classes = classifier.classes
    if let classes, classes.count != pass.classes {
      throw TrainerError("the training had \(classes.count) classes, and the program has \(pass.classes)")
    }
    if classes == nil {
      Console.warn("\(classifier.file) does not tell the names of its classes: they are written as numbers, from 0")
    }
    var count = 0
    let replaced = try ReplacedFile(output)
    try replaced.file.write(ScoreFiles.line(["file", "class", "probability"]))
    let isComplete = try pass.run { (index, logits) throws(TrainerError) in
      let prediction = Prediction(logits)
      let name = classes?.names[prediction.category] ?? "\(prediction.category)"
      try replaced.file.write(
        ScoreFiles.line([data.fileName(of: index, in: source), name, Format.fixed(prediction.probability, decimals: 6)]))
      count += 1
    }
    guard isComplete else { throw TrainerError("interrupted: nothing was written") }
    try replaced.commit()
    classifier.unreadable.summarize(of: source.count, areLeftOut: true)
    Console.print("wrote \(Format.counted(count, "line")) to \(output)")
  }
}
