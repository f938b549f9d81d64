/// The memory that a process has in use at most while it runs schedules, by what takes it.
public struct MemoryPlan: Codable, Sendable, Hashable {
  /// One use of memory, and its bytes.
  public struct Row: Codable, Sendable, Hashable {
    public var name: String
    public var bytes: Int

    public init(name: String, bytes: Int) {
      self.name = name
      self.bytes = bytes
    }
  }

  public var rows: [Row]

  public init(rows: [Row]) {
    self.rows = rows
  }

  /// Bytes of all rows together.
  public var total: Int { rows.reduce(0) { $0 + $1.bytes } }

  /// What each process takes that runs a trainer: code and tables of the executable and of the system's libraries, the Swift
  /// runtime, the manifest, and stacks.
  ///
  /// Measured; a test holds plans against processes.
  public static let processBytes = 14 << 20
  /// What each thread that computes takes besides its scratch memory: its stack, and what OpenBLAS copies.
  public static let threadBytes = 1 << 20
  /// What each thread that reads images takes: its stack, a file, and what is made of it on the way to a sample.
  public static let loaderBytes = 4 << 20
  /// What NVIDIA's driver takes of a process; an estimate.
  public static let driverBytes = 256 << 20
  /// What waits between this machine's memory and a GPU's, twice, so that one is filled while the other one is copied.
  public static let transferBytes = 8 << 20
}

extension Manifest {
  /// Batches of images that wait for their step or are being filled, of those to train on and of those to evaluate on.
  public static let waitingBatches = 2

  /// The schedules that a step on `batches` batches in each of `processes` processes runs, and how often: `step` once where one batch is
  /// taken whole, otherwise `gradients` for each micro-batch, and `update`.
  public func stepRuns(batches: Int = 1, processes: Int = 1) -> [(schedule: ScheduleRole, count: Int)] {
    let rounds = batches * batch / microBatch
    return rounds * processes == 1 ? [(.step, 1)] : [(.gradients, rounds), (.update, 1)]
  }

  /// Bytes of the memory in which gradients add up.
  private var accumulatorBytes: Int { accumulators.map { $0.offset + $0.byteCount }.max() ?? 0 }

  /// Bytes of the running means of parameters, or of all other states.
  private func byteCount(ofAverages averaged: Bool) -> Int {
    states.reduce(0) { $1.role.isAverage == averaged ? $0 + $1.tensor.byteCount : $0 }
  }

  /// What `loaders` threads and the batches take that they fill from `sources` sources of images.
  public func imageBytes(sources: Int, loaders: Int) -> Int {
    sources * (waitingPixels + loaders * MemoryPlan.loaderBytes)
  }

  /// The memory of a process that runs `schedules` on `threads` threads, takes `batches` batches a step, and reads images with `loaders`
  /// threads from `sources` sources, for which it has indices and orders of `indexBytes` bytes; those of a run that `erases` parts of
  /// images take noise along.
  ///
  /// Of a program for a GPU, what it takes of this machine's memory.
  public func memoryPlan(
    schedules roles: [ScheduleRole], batches: Int = 1, threads: Int, sources: Int = 0, loaders: Int = 0, indexBytes: Int = 0,
    erases: Bool = false
  ) -> MemoryPlan {
    let isOnGPU = processor.kind == .gpu
    var rows = isOnGPU ? [] : computedRows(roles, batches: batches, scratches: threads)
    if sources > 0 { rows.append(MemoryPlan.Row(name: "images", bytes: imageBytes(sources: sources, loaders: loaders))) }
    if indexBytes > 0 { rows.append(MemoryPlan.Row(name: "where images are, and their order", bytes: indexBytes)) }
    if isOnGPU {
      rows.append(MemoryPlan.Row(name: "the GPU's driver, and what is on the way to it", bytes: transferredBytes(erases)))
    }
    rows.append(
      MemoryPlan.Row(
        name: "code, runtime and stacks", bytes: MemoryPlan.processBytes + threads * MemoryPlan.threadBytes))
    return MemoryPlan(rows: rows)
  }

  /// The memory of a GPU that a process takes that runs `schedules` there, on `batches` batches a step of images
  /// of `sources` sources, of which a run may erase parts.
  public func deviceMemoryPlan(
    schedules roles: [ScheduleRole], batches: Int = 1, sources: Int = 0, erases: Bool = false
  ) -> MemoryPlan {
    var rows = computedRows(roles, batches: batches, scratches: 1)
    let waiting = sources * (waitingPixels + noiseBytes(erases))
    if waiting > 0 { rows.append(MemoryPlan.Row(name: "images", bytes: waiting)) }
    return MemoryPlan(rows: rows)
  }

  /// The largest share of a sample's area that is erased.
  public static let largestErasedShare = 1.0 / 3

  /// The most numbers that are erased of a round's samples and of their partners, which are others where a batch is cut.
  public var mostErasedNumbers: Int {
    guard let shape = inputs.first(where: { $0.binding == .images })?.tensor.shape, shape.count == 4 else { return 0 }
    let (height, width) = (shape[2], shape[3])
    // The sides of what is erased are rounded.
    let pixels = min(width * height, Int(Self.largestErasedShare * Double(width * height)) + (width + height) / 2 + 2)
    return (microBatch < batch ? 2 : 1) * shape[0] * shape[1] * pixels
  }

  /// Bytes of the noise on its way to a GPU, of runs that erase and of models whose images are erased as a rule.
  private func noiseBytes(_ erases: Bool) -> Int {
    erases || recipe.randomErasing > 0 || inputs.contains { $0.binding == .labels } ? 4 * mostErasedNumbers : 0
  }

  /// What the driver takes of this machine's memory, with targets and noise on their way to a GPU.
  private func transferredBytes(_ erases: Bool) -> Int {
    let targets = inputs.reduce(0) { $1.binding == .labels ? $0 + $1.tensor.byteCount : $0 }
    return MemoryPlan.driverBytes + 2 * (MemoryPlan.transferBytes + targets + noiseBytes(erases))
  }

  /// Bytes of the pixels of batches that wait.
  private var waitingPixels: Int {
    Manifest.waitingBatches * batch / microBatch * inputs.reduce(0) { $0 + ($1.binding == .images ? $1.tensor.count : 0) }
  }

  /// What schedules compute on and with.
  private func computedRows(_ roles: [ScheduleRole], batches: Int, scratches threads: Int) -> [MemoryPlan.Row] {
    let run = schedules.filter { roles.contains($0.role) }
    let states = byteCount(ofAverages: false)
    let averages = roles.contains(.average) ? byteCount(ofAverages: true) : 0
    let arena = run.map(\.arenaBytes).max() ?? 0
    let scratch = run.map(\.scratchBytes).max() ?? 0
    var rows = [
      MemoryPlan.Row(name: "parameters and the optimiser's moments", bytes: states),
      MemoryPlan.Row(name: "inputs, activations and gradients", bytes: max(0, arena - states - averages)),
      MemoryPlan.Row(name: "running means of the parameters", bytes: averages),
      MemoryPlan.Row(
        name: "gradients that add up",
        // Each batch is summed up by itself, so that sums have the same bits whichever process makes them.
        bytes: run.contains(where: \.usesAccumulators) ? (batches > 1 ? 2 : 1) * accumulatorBytes : 0),
      MemoryPlan.Row(
        name: processor.kind == .gpu ? "scratch" : "scratch of \(threads) thread\(threads == 1 ? "" : "s")",
        bytes: threads * scratch),
    ]
    rows.removeAll { $0.bytes == 0 }
    return rows
  }
}
