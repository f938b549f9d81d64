import WaMIMGraph
import WaMIMManifest

/// The index of a kernel in its program.
public struct KernelID: Hashable, Sendable {
  public var index: Int

  public init(_ index: Int) {
    self.index = index
  }
}

/// Everything a generated trainer computes: kernels, and static schedules of calls to them over one static arena.
public struct Program: Sendable {
  public var name: String
  /// The kernels, each once, however many calls it has.
  public var kernels: [Kernel]
  /// How the backend carries out each of the kernels.
  public var variants: [Variant]
  public var schedules: [Schedule]
  /// What the arena holds before the first step.
  public var constants: [ConstantData]
  /// Bytes of the arena, and of each thread's scratch memory: the most that any schedule needs.
  public var arenaBytes: Int
  public var scratchBytes: Int
  /// Bytes of the accumulators, for the schedules that have a use for them.
  public var accumulatorBytes: Int
  /// What the runtime needs to know; `manifest.processor` is filled in by the backend.
  public var manifest: Manifest

  public init(
    name: String, kernels: [Kernel], variants: [Variant], schedules: [Schedule], constants: [ConstantData], arenaBytes: Int,
    scratchBytes: Int,
    accumulatorBytes: Int, manifest: Manifest
  ) {
    self.name = name
    self.kernels = kernels
    self.variants = variants
    self.schedules = schedules
    self.constants = constants
    self.arenaBytes = arenaBytes
    self.scratchBytes = scratchBytes
    self.accumulatorBytes = accumulatorBytes
    self.manifest = manifest
  }
}

/// Numbers that stand in the arena from the start.
public struct ConstantData: Sendable {
  /// Bytes from the start of the arena.
  public var offset: Int
  public var elements: [Float]

  public init(offset: Int, elements: [Float]) {
    self.offset = offset
    self.elements = elements
  }
}

/// A static schedule, such as one training step: phases in order, all threads meeting after each.
public struct Schedule: Sendable {
  public var name: String
  public var phases: [Phase]
  /// Where each buffer lies and when it lives, for inspection.
  public var buffers: [PlannedBuffer]
  public var arenaBytes: Int
  public var scratchBytes: Int

  public init(name: String, phases: [Phase], buffers: [PlannedBuffer], arenaBytes: Int, scratchBytes: Int) {
    self.name = name
    self.phases = phases
    self.buffers = buffers
    self.arenaBytes = arenaBytes
    self.scratchBytes = scratchBytes
  }

  /// Whether a call needs the accumulators.
  public var usesAccumulators: Bool {
    phases.contains { phase in
      phase.groups.contains { group in group.calls.contains { call in call.arguments.contains { $0.storage == .accumulators } } }
    }
  }
}

/// Groups that do not depend on each other.
public struct Phase: Sendable {
  public var groups: [Group]

  public init(groups: [Group]) {
    self.groups = groups
  }
}

/// Calls that one thread makes in order for each chunk of the units.
///
/// Chunk `t` covers the units from `t * units / chunks` up to `(t + 1) * units / chunks`.
public struct Group: Sendable {
  public var calls: [Call]
  public var units: Int
  public var chunks: Int

  public init(calls: [Call], units: Int, chunks: Int) {
    self.calls = calls
    self.units = units
    self.chunks = chunks
  }
}

/// One call of a kernel on memory.
public struct Call: Sendable {
  public var kernel: KernelID
  public var arguments: [Placement]
  /// Where in the model it comes from, and what it costs; its index in `manifest.calls` is `description`.
  public var description: Int

  public init(kernel: KernelID, arguments: [Placement], description: Int) {
    self.kernel = kernel
    self.arguments = arguments
    self.description = description
  }
}

/// Where an argument of a call lies.
public struct Placement: Hashable, Sendable {
  /// A memory that offsets are within.
  public enum Storage: String, Hashable, Sendable {
    /// The arena that all threads share.
    case arena
    /// The scratch memory of the thread that makes the call; `unitStride` is 0.
    case scratch
    /// Where gradients add up over the rounds of a step.
    case accumulators
  }

  public var storage: Storage
  /// Bytes from the start of the storage.
  public var offset: Int
  /// Bytes from one unit to the next.
  public var unitStride: Int

  public init(storage: Storage, offset: Int, unitStride: Int) {
    self.storage = storage
    self.offset = offset
    self.unitStride = unitStride
  }
}

/// A buffer's offset and live range in a schedule.
public struct PlannedBuffer: Sendable {
  public var name: String
  public var type: TensorType
  public var storage: Placement.Storage
  /// Bytes from the start of the storage.
  public var offset: Int
  public var byteCount: Int
  /// The first and last phase (in scratch: call within its phase) that touches it.
  public var live: ClosedRange<Int>
}

extension Program {
  /// Bytes that a process takes that trains on one thread and reads images on another: all that the plan of memory lists.
  public var peakBytes: Int {
    manifest.memoryPlan(schedules: manifest.stepRuns().map(\.schedule), threads: 1, sources: 1, loaders: 1).total
  }
}
