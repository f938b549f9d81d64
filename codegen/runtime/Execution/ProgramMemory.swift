import CProgram
import Glibc
import WaMIMManifest

/// The memories that kernels of a program are given pointers into.
struct ProgramMemory: Sendable {
  /// What all threads share.
  let arena: MappedMemory
  /// Where gradients add up; empty where no schedule is run that uses it.
  let accumulators: MappedMemory
  /// Where accumulators of earlier batches add up; empty where a step takes one batch.
  private let sums: MappedMemory?
  /// Whether there is memory for the accumulators.
  let accumulates: Bool

  init(_ program: Program, gradients: GradientMemory) throws(TrainerError) {
    accumulates = gradients != .none
    arena = try MappedMemory(byteCount: program.arenaBytes, for: "the model")
    accumulators = try MappedMemory(byteCount: accumulates ? program.accumulatorBytes : 0, for: "the gradients")
    sums =
      gradients == .batches
      ? try MappedMemory(byteCount: program.accumulatorBytes, for: "the gradients of earlier batches") : nil
  }

  /// The bytes of `tensor`, which lies in the arena.
  func bytes(_ tensor: Manifest.Tensor) -> UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(start: arena.base + tensor.offset, count: tensor.byteCount)
  }

  /// The elements of `tensor`, which lies in the arena.
  func elements(_ tensor: Manifest.Tensor) -> UnsafeMutableBufferPointer<Float> {
    bytes(tensor).bindMemory(to: Float.self)
  }

  /// The bytes of `tensor`, one of the manifest's accumulators, or nil where those have no memory.
  func accumulatedBytes(_ tensor: Manifest.Tensor) -> UnsafeMutableRawBufferPointer? {
    accumulates ? UnsafeMutableRawBufferPointer(start: accumulators.base + tensor.offset, count: tensor.byteCount) : nil
  }

  /// Zeroes the accumulators, and the sums of earlier batches.
  func clearAccumulators() {
    for memory in [accumulators, sums].compactMap({ $0 }) { memset(memory.base, 0, memory.byteCount) }
  }

  /// The accumulators and the sums of earlier batches.
  var gradients: LentGradients {
    LentGradients(accumulators: Self.floats(accumulators), sums: sums.map(Self.floats))
  }

  private static func floats(_ memory: MappedMemory) -> UnsafeMutableBufferPointer<Float> {
    UnsafeMutableRawBufferPointer(start: memory.base, count: memory.byteCount).bindMemory(to: Float.self)
  }

  /// The first bytes of the memories, as a thread with `scratch` sees them.
  func bases(scratch: MappedMemory) -> Bases {
    Bases(arena: arena.base, scratch: scratch.base, accumulators: accumulators.base)
  }

  /// Where the memories begin for one thread.
  struct Bases {
    let arena: UnsafeMutableRawPointer
    let scratch: UnsafeMutableRawPointer
    let accumulators: UnsafeMutableRawPointer

    /// The first byte of the memory that `wamim_argument.storage` names.
    @inline(__always)
    subscript(storage: UInt32) -> UnsafeMutableRawPointer {
      switch storage {
      case UInt32(WAMIM_STORAGE_SCRATCH): scratch
      case UInt32(WAMIM_STORAGE_ACCUMULATORS): accumulators
      default: arena
      }
    }
  }
}
