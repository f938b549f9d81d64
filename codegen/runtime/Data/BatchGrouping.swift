import WaMIMManifest

/// What the samples of a batch have to do with each other: they are mixed, and their weights are relative to each other.
final class BatchGrouping: @unchecked Sendable {
  private let augmentation: Augmentation
  private let staging: any ImageStaging
  /// Portions that make a batch.
  let portionsPerBatch: Int
  private let seed: UInt64
  private let mixes: Bool
  /// The weights of waiting samples, slot after slot, where samples have weights. Each element has one writer at a time.
  private let weights: UnsafeMutableBufferPointer<Float>

  /// - Parameter samples: Those of a batch.
  init(
    source: any ImageSource, augmentation: Augmentation, staging: any ImageStaging, samples: Int, seed: UInt64
  ) throws(TrainerError) {
    self.augmentation = augmentation
    self.staging = staging
    self.seed = seed
    portionsPerBatch = max(1, samples / staging.samplesPerSlot)
    mixes = augmentation.recipe.mixup > 0 || augmentation.recipe.cutmix > 0
    if mixes && samples % 2 == 1 {
      throw TrainerError(
        "mixup and cutmix pair the images of a batch, and \(samples) is odd: compile the model with an even batch, "
          + "or say --mixup 0 --cutmix 0")
    }
    let count = source.isWeighted ? staging.slotCount * staging.samplesPerSlot : 0
    weights = .allocate(capacity: count)
    weights.initialize(repeating: 1)
  }

  deinit {
    weights.deallocate()
  }

  /// Whether a portion can only be finished once all of its batch are there.
  var isNeeded: Bool { (mixes || !weights.isEmpty) && portionsPerBatch > 1 }

  /// The portions of the batch that `portion` belongs to.
  func portions(with portion: Int) -> Range<Int> {
    let first = portion - portion % portionsPerBatch
    return first..<first + portionsPerBatch
  }

  /// Takes note of a sample's weight.
  func note(_ label: Label, index: Int, slot: Int) {
    if !weights.isEmpty { weights[slot * staging.samplesPerSlot + index] = label.weight }
  }

  /// What is done to the samples of `portion`, all of whose batch are there; `number` is the batch's among all of the run.
  func finish(of portion: Int, batch number: Int) -> BatchFinish {
    let batch = portions(with: portion)
    var finish = BatchFinish()
    if mixes {
      let recipe = augmentation.recipe
      finish.mixture = Mixture(
        mixup: recipe.mixup, cutmix: recipe.cutmix, width: augmentation.width, height: augmentation.height,
        numbers: RandomNumbers(seed: seed, purpose: .mixing, UInt64(number)))
      finish.partnerSlot = (batch.upperBound - 1 - (portion - batch.lowerBound)) % staging.slotCount
    }
    guard !weights.isEmpty else { return finish }
    let samples = staging.samplesPerSlot
    let sum = batch.reduce(0.0) { sum, portion in
      let slot = portion % staging.slotCount
      return weights[slot * samples..<(slot + 1) * samples].reduce(sum) { $0 + Double($1) }
    }
    // A batch of no weight at all has no loss.
    finish.targetScale = sum > 0 ? Float(Double(samples * batch.count) / sum) : 0
    return finish
  }
}
