import WaMIMManifest

/// Reads and augments the images of coming batches on threads of its own, while the model works on the current ones.
///
/// Images wait as bytes where the device wants them, and it takes them in equal portions. What a batch holds depends on the seed and the
/// step alone, whatever the number of threads: each image's random numbers come from the seed, the epoch and its place, and an image that
/// cannot be read is replaced by the next one that can.
package final class BatchLoader: @unchecked Sendable {
  private let source: any ImageSource
  private let order: EpochOrder
  private let augmentation: Augmentation
  private let unreadable: UnreadableImages
  /// Where portions are filled and wait: each in the slot of its number, counted round and round.
  private let staging: any ImageStaging
  /// How many portions make a batch.
  private let portionsPerBatch: Int
  private let lastPortion: Int
  private let lock = ThreadLock()
  /// Held while a large image is decoded: one at a time, so that their memory does not grow with the number of threads.
  private let largeImages = ThreadLock()

  // What follows is protected by the lock.

  /// The next image to read: a portion, counted from the first step of all, and a place in it.
  private var nextPortion: Int
  private var nextPlace = 0
  /// The portion that is handed out next.
  private var currentPortion: Int
  /// How many images of each waiting portion are ready.
  private var ready: [Int]
  private var permutations: [Int: [Int32]] = [:]
  private var failure: TrainerError?
  private var isStopping = false

  private var threads: [WorkerThread] = []

  /// An image of more pixels is large.
  private static let largePixels = 1 << 24

  /// Starts `threads` threads that read the batches of `steps`.
  ///
  /// - Parameters:
  ///   - staging: Where images wait; a batch of `order` is a multiple of what a slot holds, and there are at least two.
  ///   - unreadable: Takes note of the images that cannot be read.
  package init(
    source: any ImageSource, order: EpochOrder, staging: any ImageStaging, augmentation: Augmentation, steps: Range<Int>,
    threads: Int, unreadable: UnreadableImages = UnreadableImages()
  ) throws(TrainerError) {
    self.source = source
    self.unreadable = unreadable
    self.order = order
    self.augmentation = augmentation
    self.staging = staging
    portionsPerBatch = order.batch / staging.samplesPerSlot
    lastPortion = steps.upperBound * portionsPerBatch
    nextPortion = steps.lowerBound * portionsPerBatch
    currentPortion = nextPortion
    ready = [Int](repeating: 0, count: staging.slotCount)
    for index in 0..<max(1, threads) {
      self.threads.append(try WorkerThread(name: "loader \(index)") { self.work() })
    }
  }

  /// Ends the threads; no batch can be taken afterwards.
  package func stop() {
    lock.withLock {
      isStopping = true
      lock.wakeAll()
    }
    for thread in threads { thread.join() }
    threads = []
  }

  /// Waits for the next portion, hands it to the device, normalised, and frees its place.
  ///
  /// - Returns: Seconds spent waiting.
  package func next() throws(TrainerError) -> Double {
    let start = Clock.seconds
    let slot = currentPortion % staging.slotCount
    let problem = lock.withLock {
      while ready[slot] < staging.samplesPerSlot && failure == nil { lock.sleep() }
      return failure
    }
    if let problem { throw problem }
    let waited = Clock.seconds - start
    try staging.upload(slot: slot)
    lock.withLock {
      ready[slot] = 0
      currentPortion += 1
      lock.wakeAll()
    }
    return waited
  }

  /// What a loader thread does until all is read.
  private func work() {
    while let item = take() {
      do throws(TrainerError) {
        let numbers = RandomNumbers(
          seed: order.seed, purpose: .augmentation, UInt64(item.epoch), UInt64(item.placeInEpoch))
        let sample = try readableSample(from: item.image, numbers: numbers)
        staging.write(sample, place: item.place, slot: item.portion % staging.slotCount)
      } catch {
        lock.withLock {
          failure = failure ?? error
          isStopping = true
          lock.wakeAll()
        }
        return
      }
      noteReady(slot: item.portion % staging.slotCount)
    }
  }

  /// Takes note of a sample that has been written to `slot`.
  private func noteReady(slot: Int) {
    lock.withLock {
      ready[slot] += 1
      guard ready[slot] == staging.samplesPerSlot else { return }
      staging.announce(slot: slot)
      lock.wakeAll()
    }
  }

  /// An image to be read, and where it belongs.
  private struct Item {
    var portion: Int
    var place: Int
    var epoch: Int
    var placeInEpoch: Int
    var image: Int
  }

  /// Waits until there is an image to read and a place for it; nil when there are none left.
  private func take() -> Item? {
    lock.withLock {
      while !isStopping && nextPortion < lastPortion && nextPortion >= currentPortion + staging.slotCount { lock.sleep() }
      guard !isStopping, nextPortion < lastPortion else { return nil }
      let portionsPerEpoch = order.stepsPerEpoch * portionsPerBatch
      let epoch = nextPortion / portionsPerEpoch
      let placeInEpoch = nextPortion % portionsPerEpoch * staging.samplesPerSlot + nextPlace
      let item = Item(
        portion: nextPortion, place: nextPlace, epoch: epoch, placeInEpoch: placeInEpoch,
        image: Int(permutation(epoch: epoch)[placeInEpoch]))
      nextPlace += 1
      if nextPlace == staging.samplesPerSlot {
        nextPlace = 0
        nextPortion += 1
      }
      return item
    }
  }

  /// The order of `epoch`, made once; older ones are forgotten. To be called with the lock held.
  private func permutation(epoch: Int) -> [Int32] {
    if let known = permutations[epoch] { return known }
    permutations = permutations.filter { $0.key >= epoch - 1 }
    let made = order.permutation(epoch: epoch)
    permutations[epoch] = made
    return made
  }

  /// A sample of the image of number `index`, or of the first one after it that can be read.
  private func readableSample(from index: Int, numbers: RandomNumbers) throws(TrainerError) -> Image {
    for offset in 0..<source.count {
      let candidate = (index + offset) % source.count
      if unreadable.contains(candidate) { continue }
      let problem: TrainerError
      do throws(TrainerError) {
        return try sample(of: candidate, numbers: numbers)
      } catch {
        // The machine's failures end the run: another image in the place of a sound one would change its bits.
        guard !error.isSystemFailure else { throw error }
        problem = error
      }
      try unreadable.insert(candidate, name: source.name(at: candidate), reason: problem.message)
    }
    throw TrainerError("none of the \(source.count) images can be read")
  }

  private func sample(of index: Int, numbers: RandomNumbers) throws(TrainerError) -> Image {
    let image = try source.load(at: index)
    guard image.width * image.height > Self.largePixels else { return try augmentation.sample(image, numbers: numbers) }
    return try largeImages.withLock { () throws(TrainerError) in try augmentation.sample(image, numbers: numbers) }
  }
}
