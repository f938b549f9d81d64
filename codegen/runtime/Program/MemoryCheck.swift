import WaMIMManifest

/// Whether the memory that a run needs is there, asked before anything is filled in.
package enum MemoryCheck {
  /// Throws an error with both numbers where `plan` is more than this process can get.
  ///
  /// - Parameter held: Bytes of the plan that the process has in use already, which are not among those that it can still get.
  package static func check(_ plan: MemoryPlan, held: Int = 0) throws(TrainerError) {
    for available in [AvailableMemory.resident(), AvailableMemory.addressSpace()] {
      if let available { try check(plan, held: held, available: available) }
    }
  }

  /// Throws where `plan` is more than `available` and what is held.
  package static func check(_ plan: MemoryPlan, held: Int = 0, available: AvailableMemory) throws(TrainerError) {
    guard plan.total - held > available.bytes else { return }
    let uses = plan.rows.map { "\(Format.bytes($0.bytes)) for \($0.name)" }.joined(separator: ", ")
    throw TrainerError(
      "not enough memory: this run needs \(Format.bytes(plan.total)) (\(uses)), and \(available.limitedBy) leaves "
        + "\(Format.bytes(available.bytes + held)); compile the model with --memory or a smaller batch, or use fewer --threads")
  }
}
