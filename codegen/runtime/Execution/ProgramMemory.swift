import CProgram
import Glibc
import WaMIMManifest

/// The memories that kernels of a program are given pointers into.
struct ProgramMemory: Sendable {
  /// What all threads share.
  let arena: MappedMemory
  /// Where gradients add up; empty where no schedule is run that uses it.
  let accumulators: MappedMemory
  /// Whether there is memory for the accumulators.
  let accumulates: Bool

  /// - Parameter accumulates: Whether schedules are run that use the accumulators.
  init(_ program: Program, accumulates: Bool) throws(TrainerError) {
    self.accumulates = accumulates
    arena = try MappedMemory(byteCount: program.arenaBytes, for: "the model")
    accumulators = try MappedMemory(byteCount: accumulates ? program.accumulatorBytes : 0, for: "the gradients")
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

  /// Zeroes the accumulators.
  func clearAccumulators() {
    memset(accumulators.base, 0, accumulators.byteCount)
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
