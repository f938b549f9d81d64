import WaMIMManifest

/// Reads and augments the images of coming batches on threads of its own, while the model works on the current ones.
///
/// Where samples are mixed or weighed, all of a batch are waited for before its first portion is handed out.
/// Images wait as bytes where the device wants them, and it takes them in equal portions. What a batch holds depends on the seed and the
/// step alone, whatever the number of threads: each image's random numbers come from the seed, the epoch and its index there, and an
/// image that cannot be read is replaced by the next one that can.
package final class BatchLoader: @unchecked Sendable {
  private let source: any ImageSource
  private let order: EpochOrder
  private let augmentation: Augmentation
  private let unreadable: UnreadableImages
  /// Where portions are filled and wait: each in the slot of its number, counted round and round.
  private let staging: any ImageStaging
  /// How many portions make a step, and which of them are this process's. Portions are counted over its own.
  private let portionsPerStep: Int
  private let ownPortions: Range<Int>
  private let lastPortion: Int
  /// What batches are mixed and weighed by.
  private let grouping: BatchGrouping
  private let lock = ThreadLock()
  /// Held while a large image is decoded: one at a time, so that their memory does not grow with the number of threads.
  private let largeImages = ThreadLock()

  // What follows is protected by the lock.

  /// The next image to read: a portion, counted from the first step of all, and an index in it.
  private var nextPortion: Int
  private var nextIndex = 0
  /// The portion that is handed out next.
  private var currentPortion: Int
  /// The first portion whose slot may not be filled anew.
  private var firstKeptPortion: Int
  /// How many images of each waiting portion are ready.
  private var ready: [Int]
  private var permutations: [Int: [Int32]] = [:]
  private var failure: TrainerError?
  private var isStopping = false
  /// Threads that have not ended.
  private var runningCount = 0

  private var threads: [WorkerThread] = []

  /// An image of more pixels is large.
  private static let largePixels = 1 << 24
  /// Seconds between two looks at whether waiting for images still makes sense.
  private static let patience = 0.1
  /// Seconds that threads are given to end; a file system that does not answer can hold one for hours.
  private static let grace = 5.0

  /// Starts `threads` threads that read the batches of `steps`.
  ///
  /// - Parameters:
  ///   - staging: Where images wait; a batch of `order` is a multiple of what a slot holds, and there are at least two.
  ///   - samplesPerBatch: Samples that are mixed and weighed together, where that is less than a batch of `order`.
  ///   - share: What this process takes of each batch of `order`.
  ///   - unreadable: Takes note of the images that cannot be read.
  package init(
    source: any ImageSource, order: EpochOrder, staging: any ImageStaging, augmentation: Augmentation, steps: Range<Int>,
    threads: Int, samplesPerBatch: Int? = nil, share: StepShare = .whole, unreadable: UnreadableImages = UnreadableImages()
  ) throws(TrainerError) {
    grouping = try BatchGrouping(
      source: source, augmentation: augmentation, staging: staging, samples: samplesPerBatch ?? order.batch, seed: order.seed)
    self.source = source
    self.unreadable = unreadable
    self.order = order
    self.augmentation = augmentation
    self.staging = staging
    portionsPerStep = order.batch / staging.samplesPerSlot
    ownPortions = share.part(of: portionsPerStep)
    lastPortion = steps.upperBound * ownPortions.count
    nextPortion = steps.lowerBound * ownPortions.count
    currentPortion = nextPortion
    firstKeptPortion = nextPortion
    ready = [Int](repeating: 0, count: staging.slotCount)
    for index in 0..<max(1, threads) {
      let thread = try WorkerThread(name: "loader \(index)") {
        self.work()
        self.lock.withLock {
          self.runningCount -= 1
          self.lock.wakeAll()
        }
      }
      lock.withLock { runningCount += 1 }
      self.threads.append(thread)
    }
  }

  /// Ends the threads; no batch can be taken afterwards. A thread that waits for a file all the time is left to itself.
  package func stop() {
    let start = Clock.seconds
    let haveEnded = lock.withLock {
      isStopping = true
      lock.wakeAll()
      while runningCount > 0 && Clock.seconds - start < Self.grace { lock.sleep(atMost: Self.patience) }
      return runningCount == 0
    }
    for thread in threads { haveEnded ? thread.join() : thread.abandon() }
    threads = []
  }

  /// Waits for the next portion, hands it to the device, finished, and frees its slot.
  ///
  /// - Parameter isInterrupted: Asked while images are waited for whether to give up.
  /// - Returns: Seconds spent waiting, or nil where it has given up.
  package func next(isInterrupted: () -> Bool = { false }) throws(TrainerError) -> Double? {
    let start = Clock.seconds
    let portion = currentPortion
    let needed = grouping.isNeeded ? grouping.portions(with: portion) : portion..<portion + 1
    let (isReady, problem) = lock.withLock {
      func isReady() -> Bool { needed.allSatisfy { ready[$0 % staging.slotCount] == staging.samplesPerSlot } }
      while !isReady(), failure == nil, !isInterrupted() { lock.sleep(atMost: Self.patience) }
      return (isReady(), failure)
    }
    if let problem { throw problem }
    guard isReady else { return nil }
    let waited = Clock.seconds - start
    try staging.upload(
      slot: portion % staging.slotCount,
      finish: grouping.finish(of: portion, batch: position(of: portion) / grouping.portionsPerBatch))
    lock.withLock {
      currentPortion += 1
      guard currentPortion == needed.upperBound else { return }
      for portion in needed { ready[portion % staging.slotCount] = 0 }
      firstKeptPortion = currentPortion
      lock.wakeAll()
    }
    return waited
  }

  /// What a loader thread does until all is read.
  private func work() {
    while let item = take() {
      do throws(TrainerError) {
        let sample = try readableSample(for: item)
        let slot = item.portion % staging.slotCount
        staging.write(sample, index: item.index, slot: slot)
        if let label = sample.label { grouping.note(label, index: item.index, slot: slot) }
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
    var index: Int
    var epoch: Int
    var indexInEpoch: Int
    var image: Int
  }

  /// Where one of this process's portions stands among all of the run.
  private func position(of portion: Int) -> Int {
    portion / ownPortions.count * portionsPerStep + ownPortions.lowerBound + portion % ownPortions.count
  }

  /// Waits until there is an image to read and a slot for it; nil when there are none left.
  private func take() -> Item? {
    lock.withLock {
      while !isStopping && nextPortion < lastPortion && nextPortion >= firstKeptPortion + staging.slotCount { lock.sleep() }
      guard !isStopping, nextPortion < lastPortion else { return nil }
      let portionsPerEpoch = order.stepsPerEpoch * portionsPerStep
      let position = position(of: nextPortion)
      let epoch = position / portionsPerEpoch
      let indexInEpoch = position % portionsPerEpoch * staging.samplesPerSlot + nextIndex
      let item = Item(
        portion: nextPortion, index: nextIndex, epoch: epoch, indexInEpoch: indexInEpoch,
        image: Int(permutation(epoch: epoch)[indexInEpoch]))
      nextIndex += 1
      if nextIndex == staging.samplesPerSlot {
        nextIndex = 0
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

  /// The sample of an item's image, or of the first one after it that can be read; where every image is to have its turn, a black one
  /// stands for what cannot be read.
  private func readableSample(for item: Item) throws(TrainerError) -> Sample {
    for offset in 0..<(order.isComplete ? 1 : source.count) {
      let candidate = (item.image + offset) % source.count
      if unreadable.contains(candidate) { continue }
      let problem: TrainerError
      do throws(TrainerError) {
        return try sample(of: candidate, item: item)
      } catch {
        // The machine's failures end the run: another image instead of a sound one would change its bits.
        guard !error.isSystemFailure else { throw error }
        problem = error
      }
      try unreadable.insert(candidate, name: source.name(at: candidate), reason: problem.message)
    }
    guard order.isComplete else { throw TrainerError("none of the \(source.count) images can be read") }
    return Sample(Image(width: augmentation.width, height: augmentation.height, channels: augmentation.channels))
  }

  private func sample(of index: Int, item: Item) throws(TrainerError) -> Sample {
    func numbers(_ purpose: RandomNumbers.Purpose) -> RandomNumbers {
      RandomNumbers(seed: order.seed, purpose: purpose, UInt64(item.epoch), UInt64(item.indexInEpoch))
    }
    let image = try source.load(at: index)
    let isLarge = image.width * image.height > Self.largePixels
    let pixels =
      isLarge
      ? try largeImages.withLock { () throws(TrainerError) in try augmentation.sample(image, numbers: numbers(.augmentation)) }
      : try augmentation.sample(image, numbers: numbers(.augmentation))
    return Sample(pixels, label: source.label(at: index), erasure: augmentation.erasure(numbers: numbers(.erasing)))
  }
}
