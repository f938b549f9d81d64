import CCUDA
import CProgram
import WaMIMManifest

/// An NVIDIA GPU: memory of its own, one stream of work, and each schedule as graphs of launches.
package final class CUDADevice: Device {
  let program: Program
  let context: CUDAContext
  let stream: CUDAStream
  let transfers: CUDATransfers
  let module: CUDAModule
  private let memories: CUDAMemories
  private let meter = CUDAMeter()
  /// Those that have run, by their index.
  private var schedules: [Int: CUDASchedule] = [:]
  /// Where single numbers arrive.
  private let numbers: PinnedMemory
  package let threadCount: Int

  /// The most single numbers that arrive together.
  private static let numberCount = 1024

  /// Opens the driver and the GPU, checks the memory, has the driver compile the kernels and copies the constants.
  package init(_ program: Program, _ request: DeviceRequest) throws(TrainerError) {
    guard let code = program.deviceCode else { throw TrainerError("this program has no code for GPUs; compile the model again") }
    self.program = program
    threadCount = request.threads
    context = try CUDAContext(number: request.number, for: code)
    // Once before the driver compiles, which takes time, and once beside what it made.
    try Self.check(request.memory, on: context)
    module = try CUDAModule(on: context)
    try Self.check(request.memory, on: context)
    stream = try CUDAStream(on: context)
    transfers = try CUDATransfers(stream: stream, on: context)
    numbers = try PinnedMemory(byteCount: 4 * Self.numberCount, on: context)
    memories = try CUDAMemories(program, request, on: context)
    try memories.clear(on: stream)
    for constant in program.constants where Int(constant.offset) + Int(constant.byte_count) <= request.arenaBytes {
      let bytes = UnsafeRawBufferPointer(start: constant.bytes, count: Int(constant.byte_count))
      try transfers.upload(bytes, to: memories.arena.address + constant.offset)
    }
  }

  deinit {
    // The memory goes now that work may be about.
    try? stream.wait(for: "end work on the GPU")
    // Graphs of functions go before the functions do.
    schedules = [:]
  }

  private static func check(_ plan: MemoryPlan, on context: CUDAContext) throws(TrainerError) {
    let memory = try context.memory()
    guard plan.total > memory.available else { return }
    let uses = plan.rows.map { "\(Format.bytes($0.bytes)) for \($0.name)" }.joined(separator: ", ")
    throw TrainerError(
      "not enough memory on the GPU: this run needs \(Format.bytes(plan.total)) (\(uses)), and \(context.name) has "
        + "\(Format.bytes(memory.available)) free of \(Format.bytes(memory.total)); end other processes that use it, or compile the "
        + "model with a smaller --micro-batch")
  }

  package var name: String { context.name }

  // MARK: Tensors

  package func upload(
    _ tensor: Manifest.Tensor, from source: (_ offset: Int, _ piece: inout MutableRawSpan) throws(TrainerError) -> Void
  ) throws(TrainerError) {
    try transfers.upload(tensor.byteCount, to: try memories.address(of: tensor), from: source)
  }

  package func download(
    _ tensor: Manifest.Tensor, in memory: DeviceMemory, to sink: (_ piece: RawSpan) throws(TrainerError) -> Void
  ) throws(TrainerError) {
    try transfers.download(tensor.byteCount, at: try memories.address(of: tensor, in: memory), to: sink)
  }

  package func upload(_ scalars: [ScalarInput]) throws(TrainerError) {
    for scalar in scalars {
      let address = try memories.address(of: scalar.tensor)
      try CUDAResult.check(
        wamim_cuMemsetD32Async(address, scalar.value.bitPattern, scalar.tensor.count, stream.handle), "set a number on the GPU")
    }
  }

  package func downloadScalars(_ tensors: [Manifest.Tensor]) throws(TrainerError) -> [Float] {
    var values: [Float] = []
    for start in stride(from: 0, to: tensors.count, by: Self.numberCount) {
      let some = tensors[start..<min(tensors.count, start + Self.numberCount)]
      values += try numbers(at: some.map { (tensor) throws(TrainerError) in try memories.address(of: tensor) })
    }
    return values
  }

  /// The numbers at some addresses, no more than arrive together.
  private func numbers(at addresses: [wamim_cuda_address]) throws(TrainerError) -> [Float] {
    for (index, address) in addresses.enumerated() {
      try CUDAResult.check(
        wamim_cuMemcpyDtoHAsync(numbers.base + 4 * index, address, 4, stream.handle), "copy a number from the GPU")
    }
    try stream.wait(for: "compute a step")
    return addresses.indices.map { numbers.base.load(fromByteOffset: 4 * $0, as: Float.self) }
  }

  package func exchange(_ tensors: [Manifest.Tensor], with others: [Manifest.Tensor]) throws(TrainerError) {
    for (tensor, other) in zip(tensors, others) {
      try transfers.exchange(
        min(tensor.byteCount, other.byteCount), at: try memories.address(of: tensor), with: try memories.address(of: other))
    }
  }

  package func clearAccumulators() throws(TrainerError) {
    for memory in [memories.accumulators, memories.sums].compactMap({ $0 }) {
      try CUDAResult.check(
        wamim_cuMemsetD8Async(memory.address, 0, memory.byteCount, stream.handle), "clear memory of the GPU")
    }
  }

  package func setAccumulatorsAside() throws(TrainerError) {
    try addGradients(memories.accumulators, to: memories.sums)
  }

  package func gatherAccumulators() throws(TrainerError) {
    try addGradients(memories.sums, to: memories.accumulators)
  }

  package func lendGradients() throws(TrainerError) -> LentGradients {
    throw TrainerError("gradients of a GPU cannot be sent to other processes yet")
  }

  // MARK: Images

  package func makeImageStaging(slots: Int, for batch: ImageBatch) throws(TrainerError) -> any ImageStaging {
    return try CUDAImageStaging(slots: slots, batch: batch, device: self)
  }

  /// Where a tensor of the arena lies.
  func address(of tensor: Manifest.Tensor) throws(TrainerError) -> wamim_cuda_address { try memories.address(of: tensor) }

  // MARK: Schedules

  /// The schedule of index `index`, with its kernels looked up once.
  private func schedule(_ index: Int) throws(TrainerError) -> CUDASchedule {
    if let known = schedules[index] { return known }
    let schedule = try CUDASchedule(
      program.schedules[index], program.manifest.schedules[index], calls: program.manifest.calls, image: context.image,
      module: module, addresses: memories.addresses)
    schedules[index] = schedule
    return schedule
  }

  package func run(schedule index: Int, telling progress: PhaseProgress?) throws(TrainerError) -> Bool {
    defer { progress?.noteAll() }
    let schedule = try schedule(index)
    for (number, part) in schedule.parts.enumerated() {
      if meter.isNeeded { try meter.run(part, on: stream) } else { try part.run(on: stream) }
      guard number == 0, let offset = schedule.lossOffset else { continue }
      guard try numbers(at: [memories.arena.address + UInt64(offset)])[0].isFinite else { return false }
    }
    return true
  }

  package func check(schedule index: Int) throws(TrainerError) -> NonFiniteResult? {
    let schedule = try schedule(index)
    try memories.clearTemporaries(of: program, schedule: index, on: stream)
    let manifest = program.manifest
    let known = manifest.states.map(\.tensor) + manifest.inputs.map(\.tensor) + manifest.schedules[index].outputs.map(\.tensor)
    let extents = ArgumentExtents(program.schedules[index], tensors: known, of: program)
    for call in schedule.parts.flatMap(\.calls) {
      let touched = extents.of(call.call, begin: 0, end: call.units, units: call.units)
      let before = try touched.map(isFinite)
      for launch in call.launches { try launch.run(on: stream) }
      let after = try touched.map(isFinite)
      if zip(before, after).contains(where: { $0 && !$1 }) {
        return NonFiniteResult(phase: call.phase, description: Int(call.call.description))
      }
    }
    return nil
  }

  private func isFinite(_ extent: ArgumentExtents.Extent) throws(TrainerError) -> Bool {
    guard let base = memories.addresses[extent.storage] else { return true }
    var isFinite = true
    try transfers.download(extent.byteCount, at: base + UInt64(extent.offset)) { piece in
      piece.withUnsafeBytes { bytes in
        if let start = bytes.baseAddress, !FiniteCheck.isFinite(start, byteCount: bytes.count) { isFinite = false }
      }
    }
    return isFinite
  }

  // MARK: Measurements

  package func startMeasuring() { meter.start(descriptions: program.manifest.calls.count) }

  package func measuredTimes() -> KernelTimes { meter.times ?? KernelTimes(calls: [], waiting: KernelTimes.Entry()) }

  package func startTimeline(runs: [(schedule: Int, count: Int)]) throws(TrainerError) -> Timeline {
    var capacity = 0
    for run in runs { capacity += run.count * (try schedule(run.schedule)).callCount }
    let timeline = try Timeline(threads: 1, capacity: capacity)
    meter.timeline = timeline
    return timeline
  }

  package func stopTimeline() { meter.timeline = nil }

  package func makeLimitMeter() throws(TrainerError) -> any LimitMeter { CUDALimitMeter(device: self) }
}
