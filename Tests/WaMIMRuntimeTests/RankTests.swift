import Foundation
import Testing
import WaMIMManifest
import WaMIMRuntime

/// Processes that make a run together, played by threads.
@Suite("Ranks", .serialized) struct RankTests {
  @Test("Every rank learns what all say, in their order", arguments: [1, 2, 5])
  func exchanging(count: Int) throws {
    let heard = try withRanks(count) { group in
      try (0..<3).map { round in try group.exchange(Array(repeating: UInt8(group.rank), count: round * 1000 * group.rank)) }
    }
    let expected = (0..<3).map { round in (0..<count).map { Array(repeating: UInt8($0), count: round * 1000 * $0) } }
    #expect(heard.allSatisfy { $0 == expected })
  }

  @Test("Where one rank fails none goes on, whatever the others wait for", arguments: 0..<4)
  func failing(rank: Int) throws {
    struct Problem: Error {}
    let agreed = try withRanks(4) { group in
      try group.agree { if group.rank == rank { throw Problem() } }
      return true
    }
    #expect(agreed.allSatisfy { $0 == nil })
    let alone = try withRanks(4) { group in
      if group.rank == rank { throw Problem() }
      while true { _ = try group.exchange([]) }
      return true
    }
    #expect(alone.allSatisfy { $0 == nil })
  }

  @Test("What differs among ranks is found by all of them")
  func differences() throws {
    let same = try withRanks(3) { group in
      try group.requireSame("a", "")
      return true
    }
    #expect(same == [true, true, true])
    let different = try withRanks(3) { group in
      try group.requireSame(group.rank == 2 ? "b" : "a", "differs")
      return true
    }
    #expect(different.allSatisfy { $0 == nil })
  }

  @Test("Processors of a machine are shared among its ranks")
  func processors() throws {
    #expect(try withRanks(3) { $0.processors } == [2, 2, 4])
  }

  @Test("Ranks know whether a network is between them")
  func machines() throws {
    #expect(try withRanks(2) { $0.isOnOneMachine } == [true, true])
    #expect(try withRanks(3) { $0.isOnOneMachine } == [false, false, false])
  }

  @Test("N ranks make the steps of one process on N batches, whatever the pieces that gradients travel in", arguments: [2, 3, 4])
  func bits(count: Int) throws {
    let alone = try Self.states(.alone, batches: count)
    for elements in [1, 3, 1 << 17] {
      for overlaps in [true, false] {
        let states = try withRanks(count) { try Self.states($0, batches: 1, elements: elements, overlaps: overlaps) }
        #expect(states.allSatisfy { $0 == alone }, "\(elements) elements")
      }
    }
  }

  @Test("Ranks with several batches each all have the same states")
  func severalBatches() throws {
    let states = try withRanks(2) { try Self.states($0, batches: 3) }
    #expect(try states[0] == states[1] && states == withRanks(2) { try Self.states($0, batches: 3) })
    let alone = try Self.states(.alone, batches: 6)
    let isClose = zip(states[0] ?? [], alone).allSatisfy { abs(Float(bitPattern: $0) - Float(bitPattern: $1)) < 1e-4 }
    #expect(isClose && states[0]?.count == alone.count)
  }

  @Test("A rank that is interrupted lets all leave the step, with the states before it")
  func interruption() throws {
    let endings = try withRanks(3) { group in
      let model = try Self.model(group, batches: 1)
      let reduction = try StepReduction(group, model)
      let before = try Self.values(model)
      let result = try OptimizerStep(model, batches: 1, processes: 3, reduction: reduction).make(
        isInterrupted: { group.rank == 1 }
      ) { (_) throws(TrainerError) in
        try Self.fill(model, image: 0)
        return true
      }
      guard case .interrupted = result else { return false }
      return try Self.values(model) == before
    }
    #expect(endings == [true, true, true])
  }

  @Test("Each rank takes its own batches of every step, and all together take each image once", arguments: [1, 2, 3, 6])
  func shares(ranks: Int) {
    let parts = (0..<ranks).map { StepShare(rank: $0, ranks: ranks).part(of: 12) }
    #expect(parts.flatMap { Array($0) } == Array(0..<12))
  }

  // MARK: Steps

  private static func model(_ group: RankGroup, batches: Int) throws -> TrainedModel {
    let program = try fakeProgram()
    let schedules = OptimizerStep.schedules(program, batches: batches, processes: group.count)
    let model = try TrainedModel(program: program, schedules: schedules, batches: batches, threads: 2)
    try model.initializeStates(seed: 4)
    return model
  }

  /// The bits of the states after three steps, in which each rank takes `batches` batches.
  private static func states(
    _ group: RankGroup, batches: Int, elements: Int = 1 << 17, overlaps: Bool = true
  ) throws -> [UInt32] {
    let model = try model(group, batches: batches)
    let reduction =
      group.count > 1 ? try StepReduction(group, model, overlaps: overlaps, elementsOfChunk: elements) : nil
    let maker = OptimizerStep(model, batches: batches, processes: group.count, reduction: reduction)
    for step in 0..<3 {
      model.setScalars(
        fakeRecipe,
        at: RunPosition(step: step + 1, progress: 0, imagesPerStep: 256, batchesPerStep: batches * group.count))
      _ = try maker.make { (round) throws(TrainerError) in
        try fill(model, image: (step * group.count + group.rank) * maker.rounds + round)
        return true
      }
    }
    return try values(model)
  }

  private static func fill(_ model: TrainedModel, image: Int) throws(TrainerError) {
    let input = try ImageBatch(model.program).input
    let numbers = RandomNumbers(seed: UInt64(image), purpose: .benchmark)
    try model.upload((0..<input.count).map { numbers.uniform(at: UInt64($0)) }, to: input)
    try model.fillNoise(seed: 1, step: 0, round: 0)
  }

  private static func values(_ model: TrainedModel) throws -> [UInt32] {
    try model.program.manifest.states.flatMap { try model.values($0.tensor) }.map(\.bitPattern)
  }
}
