/// The batches of every step that one rank takes: as many as each of the others, after those of the ranks before it.
package struct StepShare: Sendable, Equatable {
  package let rank: Int
  package let ranks: Int

  package init(rank: Int, ranks: Int) {
    self.rank = rank
    self.ranks = ranks
  }

  /// Every batch.
  package static let whole = StepShare(rank: 0, ranks: 1)

  /// The share of `count` things of a step, a multiple of the number of ranks: how many they are, and how many come before.
  package func part(of count: Int) -> Range<Int> {
    let own = count / ranks
    return rank * own..<(rank + 1) * own
  }
}

extension RankGroup {
  /// What this rank takes of a step.
  package var share: StepShare { StepShare(rank: rank, ranks: count) }
}
