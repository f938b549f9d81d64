import WaMIMManifest

/// The files that tell how a classifier does, which are opened before the work and get their names together after it.
package final class ScoreFiles {
  /// A file by its name in the folder.
  enum Name: String, CaseIterable {
    case confusion = "confusion.csv"
    case picture = "confusion.png"
    case classes = "classes.csv"
    case metrics = "metrics.json"
  }

  private let classes: ClassTable
  private var files: [Name: ReplacedFile] = [:]
  /// The folder where this has made it and nothing is in it yet.
  private var newFolder: String?

  /// Opens the files for scores by `classes` in `folder`, made where it is missing.
  ///
  /// - Parameter option: The option that names the folder.
  package init(_ classes: ClassTable, in folder: String, option: String) throws(TrainerError) {
    self.classes = classes
    let isNew = FileSystem.kind(of: folder) == .missing
    try FileSystem.createFolder(folder, option: option)
    newFolder = isNew ? folder : nil
    for name in Name.allCases where name != .picture || classes.count <= ConfusionPicture.maximumClasses {
      files[name] = try ReplacedFile("\(folder)/\(name.rawValue)")
    }
  }

  deinit {
    // What was not finished leaves nothing behind.
    files = [:]
    if let newFolder { FileSystem.removeEmptyFolder(newFolder) }
  }

  /// A line of a CSV file.
  package static func line(_ fields: [String]) -> String { fields.map(quoted).joined(separator: ",") + "\n" }

  /// `text` as a field of a CSV file.
  private static func quoted(_ text: String) -> String {
    let needsQuotes = text.utf8.contains {
      [UInt8(ascii: ","), UInt8(ascii: "\""), UInt8(ascii: "\n"), UInt8(ascii: "\r")].contains($0)
    }
    return needsQuotes ? "\"\(text.replacing("\"", with: "\"\""))\"" : text
  }

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

    init(_ score: ClassificationScore) {
      func byRank(_ values: [Double]) -> [String: Double] {
        Dictionary(uniqueKeysWithValues: zip(score.ranks.map { "top\($0)" }, values))
      }
      images = score.count
      loss = score.loss
      accuracy = byRank(score.accuracies)
      weightedAccuracy = byRank(score.weightedAccuracies)
      meanClassAccuracy = score.meanClassAccuracy
    }
  }

  /// Writes the confusion matrix as CSV and, where it is not too large, as PNG, the accuracy of each class, and all figures.
  package func write(_ score: ClassificationScore) throws(TrainerError) {
    try write(Self.confusion(score), to: .confusion)
    try write(Self.accuracies(score), to: .classes)
    try write(try JSON.encode(Metrics(score), indented: true) + "\n", to: .metrics)
    if let picture = files[.picture] {
      try picture.file.write(try ConfusionPicture.draw(score).encodedAsPNG())
    } else {
      Console.warn("no picture of the confusion matrix: \(classes.count) classes are too many for one")
    }
    // Only when all are safe does the first take the place of an earlier one.
    for file in files.values { try file.file.synchronize() }
    for name in Name.allCases { try files[name]?.commit() }
    newFolder = nil
  }

  private func write(_ text: String, to name: Name) throws(TrainerError) { try files[name]?.file.write(text) }

  private static func confusion(_ score: ClassificationScore) -> String {
    let names = score.classes.names
    return names.enumerated().reduce(into: line(["class"] + names)) { text, row in
      let counts = score.confusion[row.offset * names.count..<(row.offset + 1) * names.count]
      text += line([row.element] + counts.map { "\($0)" })
    }
  }

  private static func accuracies(_ score: ClassificationScore) -> String {
    zip(score.classes.names, score.perClass).reduce(into: line(["class", "images", "correct", "accuracy"])) { text, row in
      let (name, (images, correct)) = row
      let accuracy = images > 0 ? Format.fixed(Double(correct) / Double(images), decimals: 6) : ""
      text += line([name, "\(images)", "\(correct)", accuracy])
    }
  }
}
