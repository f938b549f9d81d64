import WaMIMManifest

/// What `bench` has measured.
struct BenchResult {
  let manifest: Manifest
  /// What has computed, as a phrase of a sentence.
  let device: String
  /// Threads that kernels' time is added over; of a GPU, which makes one call after the other, 1.
  let threads: Int
  /// Processes that make the steps together, each with as many threads; what follows but for rates of images is of the first one.
  let ranks: Int
  /// What their reductions of gradients take, where there are several.
  let reduction: Reduction?
  /// The steps after those to warm up.
  let stepSeconds: [Double]
  let loss: Double
  /// The most memory that the process had in use, and what was planned.
  let peakResidentBytes: Int
  let memoryPlan: MemoryPlan
  let limits: MachineLimits
  let profile: KernelProfile
  /// Products beside those of a library that the program is to be compared with.
  let products: [ProductComparison]
  /// Multiplications and additions of one step: in matrix products and attention, and all.
  let productFlops: Int
  let flops: Int
  /// The share of the machine that other processes used meanwhile, where it is known.
  let shareOfOthers: Double?

  var medianSeconds: Double {
    let sorted = stepSeconds.sorted()
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  }

  var meanSeconds: Double { stepSeconds.reduce(0, +) / Double(stepSeconds.count) }

  /// Images a second of all ranks, by the median.
  var imagesPerSecond: Double { Double(ranks * manifest.batch) / medianSeconds }

  /// Multiplications and additions a second in matrix products and attention, by the median.
  var flopsPerSecond: Double { Double(productFlops) / medianSeconds }

  /// The share of a kernel in the time of all threads.
  func share(_ seconds: Double) -> Double { seconds / (meanSeconds * Double(threads)) }

  /// Seconds in a step that threads neither computed nor waited at a barrier, added over threads.
  var otherSeconds: Double { max(0, meanSeconds * Double(threads) - profile.busy - profile.waiting) }
}

extension BenchResult {
  /// The reduction of gradients in a step.
  struct Reduction: Encodable {
    /// From the first gradients that are there until all are those of the step.
    var seconds: Double
    /// The share of them in which the rank still computed.
    var hiddenShare: Double
    /// Bytes that the rank has sent.
    var sentBytes: Int

    private enum CodingKeys: String, CodingKey {
      case seconds
      case hiddenShare = "hidden_share"
      case sentBytes = "sent_bytes"
    }

    init(_ times: StepReduction.Times, steps: Int) {
      seconds = times.seconds / Double(steps)
      hiddenShare = times.seconds > 0 ? max(0, 1 - times.waited / times.seconds) : 0
      sentBytes = times.sentBytes / steps
    }
  }

  /// What `bench --json` prints.
  struct Summary: Encodable {
    var model: String
    var batch: Int
    var threads: Int
    var ranks: Int
    var reduction: Reduction?
    var imagesPerSecond: Double
    var stepSeconds: [Double]
    var medianSeconds: Double
    var leastSeconds: Double
    var mostSeconds: Double
    var loss: Double
    var peakResidentBytes: Int
    var plannedBytes: Int
    var memoryPlan: [MemoryPlan.Row]
    var productFlops: Int
    var flops: Int
    var flopsPerSecond: Double
    var shareOfLimit: Double
    /// The share of what multiply-adds of vectors can do, which a program with AMX can go beyond.
    var shareOfMultiplyAdds: Double
    var waitingSeconds: Double
    var waitingShare: Double
    var otherSeconds: Double
    var shareOfOthers: Double?
    var limits: MachineLimits
    var kernels: [Kernel]
    var layers: [Origin]
    var lines: [Origin]
    var products: [ProductComparison]

    private enum CodingKeys: String, CodingKey {
      case model, batch, threads, ranks, reduction, loss, flops, limits, kernels, layers, lines, products
      case imagesPerSecond = "images_per_second"
      case stepSeconds = "step_seconds"
      case medianSeconds = "step_seconds_median"
      case leastSeconds = "step_seconds_least"
      case mostSeconds = "step_seconds_most"
      case peakResidentBytes = "peak_rss_bytes"
      case plannedBytes = "planned_bytes"
      case memoryPlan = "memory_plan"
      case productFlops = "multiply_add_flops"
      case flopsPerSecond = "flops_per_second"
      case shareOfLimit = "share_of_limit"
      case shareOfMultiplyAdds = "share_of_multiply_adds"
      case waitingSeconds = "waiting_seconds"
      case waitingShare = "waiting_share"
      case otherSeconds = "other_seconds"
      case shareOfOthers = "share_of_other_processes"
    }
  }

  /// A row of the table, as JSON.
  struct Kernel: Encodable {
    var name: String
    var kind: String
    var kernel: Int?
    var calls: Int
    var seconds: Double
    var share: Double
    var flops: Int
    var bytes: Int
    var flopsPerSecond: Double
    var bytesPerSecond: Double
    var shareOfLimit: Double
    var bound: MachineLimits.Bound

    private enum CodingKeys: String, CodingKey {
      case name, kind, kernel, calls, seconds, share, flops, bytes, bound
      case flopsPerSecond = "flops_per_second"
      case bytesPerSecond = "bytes_per_second"
      case shareOfLimit = "share_of_limit"
    }
  }

  /// What a layer or a line takes, as JSON.
  struct Origin: Encodable {
    /// The layer's path or the file's name; empty for the model itself, and for what no line asks for.
    var name: String
    var line: Int?
    /// Seconds in a step by region, such as `forward`.
    var secondsByRegion: [String: Double]
    var seconds: Double
    var share: Double
    var flops: Double
    var bytes: Double
    var flopsPerSecond: Double

    private enum CodingKeys: String, CodingKey {
      case name, line, seconds, share, flops, bytes
      case secondsByRegion = "seconds_by_region"
      case flopsPerSecond = "flops_per_second"
    }
  }

  /// A layer or a line with its rate, that of one thread.
  func origin(_ row: OriginProfile.Row) -> Origin {
    let seconds = row.totalSeconds
    return Origin(
      name: row.name, line: row.line,
      secondsByRegion: Dictionary(zip(profile.origins.regions, row.seconds), uniquingKeysWith: +), seconds: seconds,
      share: share(seconds), flops: row.flops, bytes: row.bytes, flopsPerSecond: row.flops / max(seconds, 1e-9))
  }

  /// A row of the profile with its rates, those of one thread.
  func kernel(_ row: KernelProfile.Row) -> Kernel {
    let (share, bound) = limits.share(flops: row.flops, bytes: row.bytes, seconds: row.seconds)
    let seconds = max(row.seconds, 1e-9)
    return Kernel(
      name: row.name, kind: row.kind, kernel: row.kernel, calls: row.calls, seconds: row.seconds, share: self.share(row.seconds),
      flops: row.flops, bytes: row.bytes, flopsPerSecond: Double(row.flops) / seconds, bytesPerSecond: Double(row.bytes) / seconds,
      shareOfLimit: share, bound: bound)
  }

  func summary(everyCall: Bool) -> Summary {
    Summary(
      model: manifest.model, batch: manifest.batch, threads: threads, ranks: ranks, reduction: reduction,
      imagesPerSecond: imagesPerSecond, stepSeconds: stepSeconds,
      medianSeconds: medianSeconds, leastSeconds: stepSeconds.min() ?? 0, mostSeconds: stepSeconds.max() ?? 0, loss: loss,
      peakResidentBytes: peakResidentBytes, plannedBytes: memoryPlan.total, memoryPlan: memoryPlan.rows, productFlops: productFlops,
      flops: flops, flopsPerSecond: flopsPerSecond, shareOfLimit: flopsPerSecond / limits.arithmetic,
      shareOfMultiplyAdds: flopsPerSecond / limits.allThreadsFlops,
      waitingSeconds: profile.waiting, waitingShare: share(profile.waiting), otherSeconds: otherSeconds,
      shareOfOthers: shareOfOthers, limits: limits,
      kernels: (everyCall ? profile.calls : profile.kernels).map(kernel),
      layers: (everyCall ? profile.origins.layers : profile.origins.joinedLayers).map(origin),
      lines: profile.origins.lines.map(origin), products: products)
  }
}
