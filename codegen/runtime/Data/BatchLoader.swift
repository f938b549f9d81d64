import WaMIMManifest

/// Reads and augments the images of coming batches on threads of its own, while the model works on the current ones.
///
/// Batches are handed out in equal portions. What a batch holds depends on the seed and the step alone, whatever the number of threads: each image's random numbers come from
/// the seed, the epoch and its place, and an image that cannot be read is replaced by the next one that can.
package final class BatchLoader: @unchecked Sendable {
  private let source: any ImageSource
  private let order: EpochOrder
  private let augmentation: Augmentation
  private let unreadable: UnreadableImages
  /// Images that are handed out at a time, and how often that makes a batch.
  private let portion: Int
  private let portionsPerBatch: Int
  /// Portions that are being filled or wait.
  private let depth: Int
  private let lastPortion: Int
  private let sampleBytes: Int
  private let lock = ThreadLock()
  /// Held while a large image is decoded: one at a time, so that their memory does not grow with the number of threads.
  private let largeImages = ThreadLock()
  private let pixels: UnsafeMutableBufferPointer<UInt8>

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

  /// Images that a loader for a program that takes `batch` images a batch holds: one batch more than the model works on.
  package static func capacity(batch: Int) -> Int { Manifest.waitingBatches * batch }

  /// Starts `threads` threads that read the batches of `steps`.
  ///
  /// - Parameters:
  ///   - portion: Images to hand out at a time, of which a batch of `order` is a multiple.
  ///   - capacity: Images to hold, a multiple of `portion` and at least twice as many.
  ///   - unreadable: Takes note of the images that cannot be read.
  package init(
    source: any ImageSource, order: EpochOrder, portion: Int, capacity: Int, augmentation: Augmentation, steps: Range<Int>,
    threads: Int, unreadable: UnreadableImages = UnreadableImages()
  ) throws(TrainerError) {
    self.source = source
    self.unreadable = unreadable
    self.order = order
    self.augmentation = augmentation
    self.portion = portion
    depth = max(2, capacity / portion)
    portionsPerBatch = order.batch / portion
    lastPortion = steps.upperBound * portionsPerBatch
    nextPortion = steps.lowerBound * portionsPerBatch
    currentPortion = nextPortion
    ready = [Int](repeating: 0, count: depth)
    sampleBytes = augmentation.width * augmentation.height * augmentation.channels
    pixels = .allocate(capacity: depth * portion * sampleBytes)
    pixels.initialize(repeating: 0)
    for index in 0..<max(1, threads) {
      self.threads.append(try WorkerThread(name: "loader \(index)") { self.work() })
    }
  }

  deinit {
    pixels.deallocate()
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

  /// Waits for the next portion, writes it to `target` as [batch, channels, height, width], and frees its place.
  ///
  /// - Returns: Seconds spent waiting.
  package func next(
    into target: UnsafeMutableBufferPointer<Float>, normalization: Normalization
  ) throws(TrainerError) -> Double {
    let start = Clock.seconds
    let slot = currentPortion % depth
    let problem = lock.withLock {
      while ready[slot] < portion && failure == nil { lock.sleep() }
      return failure
    }
    if let problem { throw problem }
    let waited = Clock.seconds - start
    let portionBytes = portion * sampleBytes
    normalization.apply(
      UnsafeBufferPointer(rebasing: pixels[slot * portionBytes..<(slot + 1) * portionBytes]), to: target,
      channels: augmentation.channels, positions: augmentation.width * augmentation.height)
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
        let start = (item.portion % depth * portion + item.place) * sampleBytes
        _ = UnsafeMutableBufferPointer(rebasing: pixels[start..<start + sampleBytes]).update(from: sample.pixels)
      } catch {
        lock.withLock {
          failure = failure ?? error
          isStopping = true
          lock.wakeAll()
        }
        return
      }
      lock.withLock {
        ready[item.portion % depth] += 1
        if ready[item.portion % depth] == portion { lock.wakeAll() }
      }
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
      while !isStopping && nextPortion < lastPortion && nextPortion >= currentPortion + depth { lock.sleep() }
      guard !isStopping, nextPortion < lastPortion else { return nil }
      let portionsPerEpoch = order.stepsPerEpoch * portionsPerBatch
      let epoch = nextPortion / portionsPerEpoch
      let placeInEpoch = nextPortion % portionsPerEpoch * portion + nextPlace
      let item = Item(
        portion: nextPortion, place: nextPlace, epoch: epoch, placeInEpoch: placeInEpoch,
        image: Int(permutation(epoch: epoch)[placeInEpoch]))
      nextPlace += 1
      if nextPlace == portion {
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
