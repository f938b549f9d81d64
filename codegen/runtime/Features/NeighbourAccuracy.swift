import WaMIMManifest

/// How often nearest neighbours tell the right class, for several numbers of neighbours.
package struct NeighbourAccuracy: Sendable {
  /// The numbers of neighbours that are asked for: those that DINO tells.
  package static let usual = [10, 20, 100, 200]
  private static let ranks = [1, 5]

  /// For each number of neighbours, the shares of images whose class is first, and among the first five.
  package let rows: [(neighbours: Int, top1: Double, top5: Double)]

  /// Classifies `test` by `train`, both with labels below `classes`.
  package init(
    of test: FeatureTable, in train: FeatureTable, classes: Int, neighbours: [Int], threads: Int
  ) throws(TrainerError) {
    let votes = try NearestNeighbours(train, classes: classes, threads: threads).votes(test, neighbours: neighbours)
    rows = zip(neighbours, votes).map { neighbours, votes in
      var accuracy = RankedAccuracy(ranks: Self.ranks)
      for (index, label) in test.labels.enumerated() {
        accuracy.add(votes[index * classes..<(index + 1) * classes], label: Int(label))
      }
      return (neighbours, accuracy.shares[0], accuracy.shares[1])
    }
  }
}
