/// The features of images, and what the images show.
package struct FeatureTable: Sendable {
  /// Numbers of a feature.
  package let width: Int
  /// The features, one image after the other.
  package var values: [Float]
  /// The class of each image, or nothing where no classes are known.
  package var labels: [Int32]

  package init(width: Int, values: [Float] = [], labels: [Int32] = []) {
    (self.width, self.values, self.labels) = (width, values, labels)
  }

  /// How many images there are.
  package var count: Int { values.count / max(1, width) }
}

/// How often the right class is the first, and among the first, of those that a classifier ranks.
package struct RankedAccuracy: Sendable, Equatable {
  /// The numbers of classes that are looked at, such as 1 and 5.
  package let ranks: [Int]
  private var hits: [Int]
  private var total = 0

  package init(ranks: [Int]) {
    self.ranks = ranks
    hits = ranks.map { _ in 0 }
  }

  /// Takes in an image of class `label` whose classes have `scores`; of equal scores, the lower class comes first.
  package mutating func add(_ scores: some Collection<Float>, label: Int) {
    total += 1
    guard let own = scores.dropFirst(label).first, !own.isNaN else { return }
    var before = 0
    for (index, score) in scores.enumerated() where score > own || (score == own && index < label) { before += 1 }
    for (index, rank) in ranks.enumerated() where before < rank { hits[index] += 1 }
  }

  /// The shares of right answers, one for each of `ranks`.
  package var shares: [Double] { hits.map { total > 0 ? Double($0) / Double(total) : 0 } }
}
