import WaMIMManifest

/// Reads and augments the images of coming batches on threads of its own, while the model works on the current one.
///
/// What a batch holds depends on the seed and the step alone, whatever the number of threads: each image's random numbers come from
/// the seed, the epoch and its place, and an image that cannot be read is replaced by the next one that can.
package final class BatchLoader: @unchecked Sendable {
  private let source: any ImageSource
  private let order: EpochOrder
  private let augmentation: Augmentation
  private let unreadable: UnreadableImages
  private let lastStep: Int
  private let sampleBytes: Int
  private let lock = ThreadLock()
  /// Held while a large image is decoded: one at a time, so that their memory does not grow with the number of threads.
  private let largeImages = ThreadLock()
  private let pixels: UnsafeMutableBufferPointer<UInt8>

  // What follows is protected by the lock.

  /// The next image to read: a step, and a place in its batch.
  private var nextStep: Int
  private var nextPlace = 0
  /// The step whose batch is handed out next.
  private var currentStep: Int
  /// How many images of each waiting batch are ready.
  private var ready = [Int](repeating: 0, count: BatchLoader.depth)
  private var permutations: [Int: [Int32]] = [:]
  private var failure: TrainerError?
  private var isStopping = false

  private var threads: [WorkerThread] = []

  /// Batches that are being filled or wait; one more than the model takes at a time.
  private static let depth = Manifest.waitingBatches

  /// An image of more pixels is large.
  private static let largePixels = 1 << 24

  /// Starts `threads` threads that read the batches of `steps`.
  ///
  /// - Parameter unreadable: Takes note of the images that cannot be read.
  package init(
    source: any ImageSource, order: EpochOrder, augmentation: Augmentation, steps: Range<Int>, threads: Int,
    unreadable: UnreadableImages = UnreadableImages()
  ) throws(TrainerError) {
    self.source = source
    self.unreadable = unreadable
    self.order = order
    self.augmentation = augmentation
    lastStep = steps.upperBound
    nextStep = steps.lowerBound
    currentStep = steps.lowerBound
    sampleBytes = augmentation.width * augmentation.height * augmentation.channels
    pixels = .allocate(capacity: Self.depth * order.batch * sampleBytes)
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

  /// Waits for the next step's batch, writes it to `target` as [batch, channels, height, width], and frees its place.
  ///
  /// - Returns: Seconds spent waiting.
  package func next(
    into target: UnsafeMutableBufferPointer<Float>, normalization: Normalization
  ) throws(TrainerError) -> Double {
    let start = Clock.seconds
    let slot = currentStep % Self.depth
    let problem = lock.withLock {
      while ready[slot] < order.batch && failure == nil { lock.sleep() }
      return failure
    }
    if let problem { throw problem }
    let waited = Clock.seconds - start
    let batchBytes = order.batch * sampleBytes
    normalization.apply(
      UnsafeBufferPointer(rebasing: pixels[slot * batchBytes..<(slot + 1) * batchBytes]), to: target,
      channels: augmentation.channels, positions: augmentation.width * augmentation.height)
    lock.withLock {
      ready[slot] = 0
      currentStep += 1
      lock.wakeAll()
    }
    return waited
  }

  /// What a loader thread does until all is read.
  private func work() {
    while let item = take() {
      do throws(TrainerError) {
        let epoch = item.step / order.stepsPerEpoch
        let place = item.step % order.stepsPerEpoch * order.batch + item.place
        let numbers = RandomNumbers(seed: order.seed, purpose: .augmentation, UInt64(epoch), UInt64(place))
        let sample = try readableSample(from: item.image, numbers: numbers)
        let start = (item.step % Self.depth * order.batch + item.place) * sampleBytes
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
        ready[item.step % Self.depth] += 1
        if ready[item.step % Self.depth] == order.batch { lock.wakeAll() }
      }
    }
  }

  /// Waits until there is an image to read and a place for it; nil when there are none left.
  private func take() -> (step: Int, place: Int, image: Int)? {
    lock.withLock {
      while !isStopping && nextStep < lastStep && nextStep >= currentStep + Self.depth { lock.sleep() }
      guard !isStopping, nextStep < lastStep else { return nil }
      let (step, place) = (nextStep, nextPlace)
      nextPlace += 1
      if nextPlace == order.batch {
        nextPlace = 0
        nextStep += 1
      }
      let images = permutation(epoch: step / order.stepsPerEpoch)
      return (step, place, Int(images[step % order.stepsPerEpoch * order.batch + place]))
    }
  }

  /// The order of `epoch`, made once; older ones are forgotten. To be called with the lock held.
  private func permutation(epoch: Int) -> [Int32] {
    if let known = permutations[epoch] { return known }
    let made = order.permutation(epoch: epoch)
    permutations = permutations.filter { $0.key >= epoch - 1 }
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
