import CProgram

/// The memories that kernels of a program are given pointers into.
package struct ProgramMemory: Sendable {
  /// What all threads share.
  let arena: MappedMemory
  /// Where gradients add up; empty where no schedule is run that uses it.
  let accumulators: MappedMemory

  /// - Parameter accumulates: Whether schedules are run that use the accumulators.
  package init(_ program: Program, accumulates: Bool) throws(TrainerError) {
    arena = try MappedMemory(byteCount: program.arenaBytes, for: "the model")
    accumulators = try MappedMemory(byteCount: accumulates ? program.accumulatorBytes : 0, for: "the gradients")
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
