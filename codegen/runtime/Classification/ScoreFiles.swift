import WaMIMManifest

/// The files that tell how a classifier does.
package enum ScoreFiles {
  /// A line of a CSV file.
  package static func line(_ fields: [String]) -> String { fields.map(quoted).joined(separator: ",") + "\n" }

  /// `text` as a field of a CSV file.
  private static func quoted(_ text: String) -> String {
    let needsQuotes = text.utf8.contains {
      [UInt8(ascii: ","), UInt8(ascii: "\""), UInt8(ascii: "\n"), UInt8(ascii: "\r")].contains($0)
    }
    return needsQuotes ? "\"\(text.replacing("\"", with: "\"\""))\"" : text
  }

  static let names = ["confusion.csv", "confusion.png", "classes.csv", "metrics.json"]

  /// What `metrics.json` holds.
  private struct Metrics: Encodable {
    var images: Int
    var loss: Double
    var accuracy: [String: Double]
    var weightedAccuracy: [String: Double]
    var meanClassAccuracy: Double

    private enum CodingKeys: String, CodingKey {
      case images, loss, accuracy
      case weightedAccuracy = "weighted_accuracy"
      case meanClassAccuracy = "mean_class_accuracy"
    }
  }

  /// Writes the confusion matrix as CSV and, where it is not too large, as PNG, the accuracy of each class, and all figures.
  package static func write(_ score: ClassificationScore, to folder: String) throws(TrainerError) {
    try FileSystem.createFolder(folder)
    let names = score.classes.names
    var matrix = line(["class"] + names)
    for (row, name) in names.enumerated() {
      matrix += line([name] + score.confusion[row * names.count..<(row + 1) * names.count].map { "\($0)" })
    }
    try write(matrix, to: "\(folder)/confusion.csv")
    var classes = line(["class", "images", "correct", "accuracy"])
    for (name, (images, correct)) in zip(names, score.perClass) {
      let accuracy = images > 0 ? Format.fixed(Double(correct) / Double(images), decimals: 6) : ""
      classes += line([name, "\(images)", "\(correct)", accuracy])
    }
    try write(classes, to: "\(folder)/classes.csv")
    if names.count <= ConfusionPicture.maximumClasses {
      let png = try ConfusionPicture.draw(score).encodedAsPNG()
      try FileSystem.replace("\(folder)/confusion.png") { (file) throws(TrainerError) in try file.write(png) }
    } else {
      Console.warn("no picture of the confusion matrix: \(names.count) classes are too many for one")
    }
    func byRank(_ values: [Double]) -> [String: Double] {
      Dictionary(uniqueKeysWithValues: zip(score.ranks.map { "top\($0)" }, values))
    }
    let metrics = Metrics(
      images: score.count, loss: score.loss, accuracy: byRank(score.accuracies), weightedAccuracy: byRank(score.weightedAccuracies),
      meanClassAccuracy: score.meanClassAccuracy)
    try write(try JSON.encode(metrics, indented: true) + "\n", to: "\(folder)/metrics.json")
  }

  private static func write(_ text: String, to path: String) throws(TrainerError) {
    try FileSystem.replace(path) { (file) throws(TrainerError) in try file.write(text) }
  }
}
