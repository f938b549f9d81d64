import WaMIMManifest

/// What computes a program: it holds the program's tensors and runs its schedules.
///
/// One thread makes all calls, and they take effect in their order. A device may put work off until somebody asks for its result. A new
/// device holds the program's constants, and zeros everywhere else. No pointer into its memory leaves it: closures are lent spans.
package protocol Device: AnyObject {
  /// What computes, as a phrase of a sentence.
  var name: String { get }

  /// Threads of this machine that compute.
  var threadCount: Int { get }

  // MARK: Tensors

  /// Writes a tensor of the arena: `source` fills its bytes from `offset` on, piece by piece in order, as large as the device likes.
  func upload(
    _ tensor: Manifest.Tensor, from source: (_ offset: Int, _ piece: inout MutableRawSpan) throws(TrainerError) -> Void
  ) throws(TrainerError)

  /// Hands the bytes of a tensor to `sink`, piece by piece in order, as large as the device likes.
  func download(
    _ tensor: Manifest.Tensor, in memory: DeviceMemory, to sink: (_ piece: RawSpan) throws(TrainerError) -> Void
  ) throws(TrainerError)

  /// Writes tensors of the arena, several at a time where the device can; `values` fills the one of that index.
  func fill(
    _ tensors: [Manifest.Tensor], with values: @escaping @Sendable (_ index: Int, _ elements: inout MutableSpan<Float>) -> Void
  ) throws(TrainerError)

  /// Writes inputs that have one value throughout, all in one transfer.
  func upload(_ scalars: [ScalarInput]) throws(TrainerError)

  /// The first elements of tensors of the arena, all in one transfer.
  func downloadScalars(_ tensors: [Manifest.Tensor]) throws(TrainerError) -> [Float]

  /// Exchanges the elements of tensors of the arena with those of as many others, each pair of one shape.
  func exchange(_ tensors: [Manifest.Tensor], with others: [Manifest.Tensor]) throws(TrainerError)

  /// Zeroes the accumulators and the sums of batches, where there are any.
  func clearAccumulators() throws(TrainerError)

  // MARK: Gradients of many batches

  /// Adds the accumulators, which hold the gradients of a batch, to the sums of the batches before it, and zeroes them.
  func setAccumulatorsAside() throws(TrainerError)

  /// Adds the sums of earlier batches to the accumulators, and zeroes the sums.
  func gatherAccumulators() throws(TrainerError)

  /// Lends the memory of gradients to who sends it to other machines while the device computes: the exception from lending spans.
  func lendGradients() throws(TrainerError) -> LentGradients

  // MARK: Questions about tensors

  /// The sum over all elements of `tensors` of the arena, in double precision; its bits do not depend on the number of threads.
  func sum(_ term: SumTerm, over tensors: [Manifest.Tensor]) throws(TrainerError) -> Double

  /// The index of the first of `tensors` of the arena that holds a number that is not finite.
  func firstNonFinite(among tensors: [Manifest.Tensor]) throws(TrainerError) -> Int?

  // MARK: Images

  /// Memory for images that wait: `slots` slots, each with the samples that `batch` takes in a round.
  func makeImageStaging(slots: Int, for batch: ImageBatch) throws(TrainerError) -> any ImageStaging

  // MARK: Schedules

  /// Runs the schedule of index `schedule`, and says whether it came to its end.
  ///
  /// A schedule that changes states or accumulators is left where its loss is not finite, before it changes a state.
  ///
  /// - Parameter progress: Told of phases that have ended, by the device's numbers, and of the whole schedule in the end.
  func run(schedule: Int, telling progress: PhaseProgress?) throws(TrainerError) -> Bool

  /// Runs the schedule of index `schedule`, slowly, up to the first call that makes a number that is not finite where there was none.
  ///
  /// - Returns: That call, or nil where the schedule came to its end.
  func check(schedule: Int) throws(TrainerError) -> NonFiniteResult?

  // MARK: Measurements

  /// Measures from now on how long each kind of call takes, beginning at zero.
  func startMeasuring() throws(TrainerError)

  /// What has been measured since `startMeasuring`.
  func measuredTimes() throws(TrainerError) -> KernelTimes

  /// Notes from now on what computes when, with room for `runs`: how often schedules, each named by its index, are to run.
  func startTimeline(runs: [(schedule: Int, count: Int)]) throws(TrainerError) -> Timeline

  /// Notes no more.
  func stopTimeline()

  /// Measures what the device can do at most.
  func makeLimitMeter() throws(TrainerError) -> any LimitMeter
}

extension Device {
  /// Runs the schedule of index `schedule`, and says whether it came to its end.
  package func run(schedule: Int) throws(TrainerError) -> Bool { try run(schedule: schedule, telling: nil) }
}

/// Memory of gradients, which stays where it is as long as its device is referred to.
package struct LentGradients: @unchecked Sendable {
  package var accumulators: UnsafeMutableBufferPointer<Float>
  /// The sums of earlier batches, where there are some.
  package var sums: UnsafeMutableBufferPointer<Float>?

  package init(accumulators: UnsafeMutableBufferPointer<Float>, sums: UnsafeMutableBufferPointer<Float>?) {
    (self.accumulators, self.sums) = (accumulators, sums)
  }
}

/// The memory that a device has for gradients that add up.
package enum GradientMemory: Sendable {
  /// None: a step takes them as they are made.
  case none
  /// Those of one batch.
  case batch
  /// Those of one batch, and the sums of the batches before it.
  case batches
}

/// A memory of a device that tensors lie in.
package enum DeviceMemory: Sendable {
  /// States, inputs and what schedules compute.
  case arena
  /// Gradients that add up over the rounds of a step.
  case accumulators
}

/// An input of which every element has the same value: nearly always a scalar.
package struct ScalarInput: Sendable {
  package var tensor: Manifest.Tensor
  package var value: Float

  package init(tensor: Manifest.Tensor, value: Float) {
    self.tensor = tensor
    self.value = value
  }
}

/// What a sum adds up of each element.
package enum SumTerm: Sendable {
  case value, square
}

/// The first call of a schedule that left a number that is not finite.
package struct NonFiniteResult: Sendable, Equatable {
  /// The phase of the call, counted from 0.
  package var phase: Int
  /// The call's entry in the manifest's table.
  package var description: Int

  package init(phase: Int, description: Int) {
    self.phase = phase
    self.description = description
  }
}
