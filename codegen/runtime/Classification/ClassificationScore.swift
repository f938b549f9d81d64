import Glibc

/// How a classifier does on labelled images.
package struct ClassificationScore: Sendable {
  package let classes: ClassTable
  /// For which numbers of guesses the share of images is told whose class is among them, in rising order.
  package let ranks: [Int]
  /// Images by their class and the class that they were taken for, a row a class.
  package private(set) var confusion: [Int]
  /// Images whose class is among so many guesses, and what they weigh, by the index in `ranks`.
  private var hits: [Int]
  private var hitWeights: [Double]
  private var weightedLoss = 0.0
  private var weight = 0.0
  package private(set) var count = 0

  /// - Parameter ranks: Those of the recipe; more guesses than there are classes tell nothing.
  package init(_ classes: ClassTable, ranks: [Int]) {
    self.classes = classes
    let told = Set(ranks).filter { $0 < classes.count }.sorted()
    self.ranks = told.isEmpty ? [1] : told
    confusion = Array(repeating: 0, count: classes.count * classes.count)
    hits = self.ranks.map { _ in 0 }
    hitWeights = self.ranks.map { _ in 0 }
  }

  /// Takes in what a model says of an image.
  package mutating func add(_ label: Label, logits: ArraySlice<Float>) {
    let prediction = Prediction(logits)
    let rank = Prediction.rank(of: label.category, in: logits)
    let labelWeight = Double(label.weight)
    for (index, limit) in ranks.enumerated() where rank < limit {
      hits[index] += 1
      hitWeights[index] += labelWeight
    }
    confusion[label.category * classes.count + prediction.category] += 1
    weightedLoss += labelWeight * prediction.loss(of: label.category, in: logits)
    weight += labelWeight
    count += 1
  }

  /// The mean loss over all images, by weight.
  package var loss: Double { weight > 0 ? weightedLoss / weight : 0 }

  /// The share of images whose class is among the first guesses, for each of `ranks`.
  package var accuracies: [Double] { hits.map { count > 0 ? Double($0) / Double(count) : 0 } }

  /// The share by weight.
  package var weightedAccuracies: [Double] { hitWeights.map { weight > 0 ? $0 / weight : 0 } }

  /// Images of each class, and those of them that were taken for what they are.
  package var perClass: [(images: Int, correct: Int)] {
    (0..<classes.count).map { row in
      (confusion[row * classes.count..<(row + 1) * classes.count].reduce(0, +), confusion[row * classes.count + row])
    }
  }

  /// The mean of the classes' accuracies, over those that have images.
  package var meanClassAccuracy: Double {
    let shares = perClass.filter { $0.images > 0 }.map { Double($0.correct) / Double($0.images) }
    return shares.isEmpty ? 0 : shares.reduce(0, +) / Double(shares.count)
  }

  /// The accuracies by names such as `top1`, and where images have weights those by weight too.
  package func accuracies(isWeighted: Bool) -> [String: Double] {
    var result: [String: Double] = [:]
    for (index, rank) in ranks.enumerated() {
      result["top\(rank)"] = accuracies[index]
      if isWeighted { result["weighted_top\(rank)"] = weightedAccuracies[index] }
    }
    return result
  }

  /// The accuracies in words, such as `top-1 91.25 %, top-5 99.00 %`.
  package var summary: String {
    zip(ranks, accuracies).map { "top-\($0) \(Format.fixed(100 * $1, decimals: 2)) %" }.joined(separator: ", ")
  }
}

/// What a classifier takes an image for.
package struct Prediction: Sendable, Equatable {
  package let category: Int
  package let probability: Double
  /// The logarithm of the sum of the exponentials of all that the model says.
  private let logSum: Double

  /// Of classes that are as likely, the first one is taken.
  package init(_ logits: ArraySlice<Float>) {
    var best = logits.startIndex
    for index in logits.indices where logits[index] > logits[best] { best = index }
    let largest = Double(logits[best])
    logSum = largest + log(logits.reduce(0.0) { $0 + exp(Double($1) - largest) })
    category = best - logits.startIndex
    probability = exp(largest - logSum)
  }

  /// The cross-entropy where the class is `category`.
  func loss(of category: Int, in logits: ArraySlice<Float>) -> Double { logSum - Double(logits[logits.startIndex + category]) }

  /// How many classes come before `category`: those that are more likely, and those as likely with lower numbers.
  package static func rank(of category: Int, in logits: ArraySlice<Float>) -> Int {
    let own = logits.startIndex + category
    return logits.indices.count { logits[$0] > logits[own] || (logits[$0] == logits[own] && $0 < own) }
  }
}
