/// Whether the memory that a run needs is there, asked before anything is filled in.
package enum MemoryCheck {
  /// What one run takes.
  package struct Need: Sendable {
    package var arenaBytes: Int
    package var scratchBytesPerThread: Int
    package var threads: Int
    /// Everything else, such as images that wait for their step.
    package var otherBytes: Int

    package init(arenaBytes: Int, scratchBytesPerThread: Int, threads: Int, otherBytes: Int) {
      self.arenaBytes = arenaBytes
      self.scratchBytesPerThread = scratchBytesPerThread
      self.threads = threads
      self.otherBytes = otherBytes
    }

    package var total: Int { arenaBytes + threads * scratchBytesPerThread + otherBytes }
  }

  /// Throws an error with both numbers where `need` is more than this process can get.
  package static func check(_ need: Need) throws(TrainerError) {
    for available in [AvailableMemory.resident(), AvailableMemory.addressSpace()] {
      if let available { try check(need, available: available) }
    }
  }

  /// Throws where `need` is more than `available`.
  package static func check(_ need: Need, available: AvailableMemory) throws(TrainerError) {
    guard need.total > available.bytes else { return }
    throw TrainerError(
      "not enough memory: this run needs \(Format.bytes(need.total)) (\(Format.bytes(need.arenaBytes)) for the model and its step, "
        + "\(need.threads) x \(Format.bytes(need.scratchBytesPerThread)) for threads), and \(available.limitedBy) leaves "
        + "\(Format.bytes(available.bytes)); compile the model with --memory or a smaller batch, or use fewer --threads")
  }
}
