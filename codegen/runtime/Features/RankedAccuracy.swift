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

  /// Takes in an image of class `label` whose classes have `scores`; of equal scores, the lower class comes first, and a score that is no
  /// number is never right.
  package mutating func add(_ scores: ArraySlice<Float>, label: Int) {
    total += 1
    guard !scores[scores.startIndex + label].isNaN else { return }
    let before = Prediction.rank(of: label, in: scores)
    for (index, rank) in ranks.enumerated() where before < rank { hits[index] += 1 }
  }

  /// The shares of right answers, one for each of `ranks`.
  package var shares: [Double] { hits.map { total > 0 ? Double($0) / Double(total) : 0 } }
}
