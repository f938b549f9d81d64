import ArgumentParser
import WaMIMManifest

/// `evaluate`: how a trained classifier does on labelled images.
struct EvaluateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate",
    abstract: "Tell how well a trained classifier tells images apart.",
    discussion: """
      Every image counts once: its middle, after its shorter side is resized. Prints the mean loss and the shares of images whose class \
      is the first guess or among the first five, and writes to a folder: metrics.json, classes.csv with the accuracy of each class, and \
      the confusion matrix as confusion.csv, a row a class and a column what its images were taken for, and confusion.png. Where images \
      have weights, the loss is the weighted mean, and shares by weight are told as well. Images that cannot be read are left out.

      Example: train evaluate --checkpoint run --data photos/val
      """)

  @Option(help: ArgumentHelp("A run's folder or checkpoint.", valueName: "run"))
  var checkpoint: String

  @OptionGroup var average: AverageOption

  @OptionGroup var data: DataOptions

  @OptionGroup var labels: LabelOptions

  @Option(name: .shortAndLong, help: ArgumentHelp("The folder to write to.", valueName: "folder"))
  var output = "evaluation"

  @OptionGroup var loaders: LoaderOptions

  @OptionGroup var threads: ThreadOptions

  func run() throws {
    let classifier = try TrainedClassifier(
      checkpoint: checkpoint, averaged: average.isAveraged, data: data, labels: labels, loaders: loaders, threads: threads)
    let source = classifier.source
    guard let classes = source.classes else {
      throw TrainerError("this model takes no labels, so there is nothing to hold its guesses against; `predict` tells them")
    }
    for name in ScoreFiles.Name.allCases {
      try classifier.protected.check("\(output)/\(name.rawValue)", option: "-o", sources: [source])
    }
    let pass = try classifier.pass()
    let files = try ScoreFiles(classes, in: output, option: "-o")
    var score = ClassificationScore(classes, ranks: classifier.batch.augmentation.recipe.ranks)
    let isComplete = try pass.run { (index, logits) throws(TrainerError) in
      guard let label = source.label(at: index) else { return }
      score.add(label, logits: logits)
    }
    guard isComplete else { throw TrainerError("interrupted: nothing was written") }
    classifier.unreadable.summarize(of: source.count, areLeftOut: true)
    Console.print("\(Format.counted(score.count, "image")): loss \(Format.fixed(score.loss, decimals: 4)), \(score.summary)")
    if source.isWeighted {
      let shares = zip(score.ranks, score.weightedAccuracies).map { "top-\($0) \(Format.fixed(100 * $1, decimals: 2)) %" }
      Console.print("by weight: \(shares.joined(separator: ", "))")
    }
    Console.print("mean of the classes' accuracies: \(Format.fixed(100 * score.meanClassAccuracy, decimals: 2)) %")
    try files.write(score)
    Console.print("wrote \(output)")
  }
}
