import CProgram
import FoundationEssentials
import WaMIMManifest

/// A generated program: its schedules, its constants, and the manifest that explains them.
package struct Program: @unchecked Sendable {
  package let manifest: Manifest
  /// Bytes of the arena.
  package let arenaBytes: Int
  /// Bytes of each thread's scratch memory.
  package let scratchBytes: Int
  /// Bytes of the accumulators.
  package let accumulatorBytes: Int
  let schedules: [wamim_schedule]
  let constants: [wamim_constant]
  /// Code that measures the machine.
  let probes: wamim_probes?
  /// The kernels for a GPU; nil where they are for this machine's processor.
  let deviceCode: wamim_device_code?

  /// Reads the manifest of `program`, and checks that the program is one that this runtime can run.
  package init(_ program: UnsafePointer<wamim_program>) throws(TrainerError) {
    let root = program.pointee
    guard root.abi_version == UInt32(WAMIM_ABI_VERSION) else {
      throw TrainerError(
        "this program was generated for version \(root.abi_version) of the runtime's interface, and is linked with a runtime of "
          + "version \(WAMIM_ABI_VERSION); compile the model again with the wamimc that the runtime belongs to")
    }
    let bytes = UnsafeRawBufferPointer(start: root.manifest, count: Int(root.manifest_bytes))
    do {
      manifest = try JSONDecoder().decode(Manifest.self, from: Data(bytes))
    } catch {
      throw TrainerError("this program's manifest cannot be read, compile the model again: \(error)")
    }
    arenaBytes = Int(root.arena_bytes)
    scratchBytes = Int(root.scratch_bytes)
    accumulatorBytes = Int(root.accumulator_bytes)
    schedules = Array(UnsafeBufferPointer(start: root.schedules, count: Int(root.schedule_count)))
    constants = Array(UnsafeBufferPointer(start: root.constants, count: Int(root.constant_count)))
    probes = root.probes?.pointee
    deviceCode = root.device_code?.pointee
    try checkTensors()
    try checkBindings()
  }

  /// The index of the schedule for `role`.
  package func schedule(_ role: ScheduleRole) throws(TrainerError) -> Int {
    guard let index = manifest.schedules.firstIndex(where: { $0.role == role }), index < schedules.count else {
      let known = manifest.schedules.map(\.role.rawValue).joined(separator: ", ")
      throw TrainerError("this program has no schedule `\(role.rawValue)`, which this command runs; it has: \(known)")
    }
    return index
  }

  /// The states that the model learns, in the graph's order.
  package var parameters: [Manifest.Tensor] {
    manifest.states.filter { $0.role == .parameter }.map(\.tensor)
  }

  /// The states that the model keeps for itself, such as running statistics.
  package var buffers: [Manifest.Tensor] {
    manifest.states.filter { $0.role == .buffer }.map(\.tensor)
  }

  /// What a trained model is: parameters and buffers, in the graph's order.
  package var weights: [Manifest.Tensor] {
    manifest.states.filter { $0.role == .parameter || $0.role == .buffer }.map(\.tensor)
  }

  /// The running means of parameters, each with its parameter.
  package var averages: [(average: Manifest.Tensor, parameter: Manifest.Tensor)] {
    let parameters = Dictionary(parameters.map { ($0.name, $0) }) { first, _ in first }
    return manifest.states.compactMap { state in
      guard case .average(let name) = state.role, let parameter = parameters[name], parameter.shape == state.tensor.shape else {
        return nil
      }
      return (state.tensor, parameter)
    }
  }

  /// What steps leave for the next ones and a run keeps, in the graph's order: with the running means of parameters, or without.
  package func states(withAverages: Bool) -> [Manifest.Tensor] {
    manifest.states.filter { !$0.role.isRounded && (withAverages || !$0.role.isAverage) }.map(\.tensor)
  }

  /// The input that is bound to `binding`.
  package func input(_ binding: Binding) -> Manifest.Tensor? {
    manifest.inputs.first { $0.binding == binding }?.tensor
  }

  /// The elements of `tensor`, float32, where it is one of the program's constants.
  package func constant(_ tensor: Manifest.Tensor) -> [Float]? {
    guard let constant = constants.first(where: { Int($0.offset) == tensor.offset && Int($0.byte_count) == tensor.byteCount }),
      let bytes = constant.bytes
    else { return nil }
    return Array(UnsafeRawBufferPointer(start: bytes, count: tensor.byteCount).bindMemory(to: Float.self))
  }

  /// Micro-batches that make a batch.
  package var microBatches: Int { manifest.batch / manifest.microBatch }

  /// Checks that the batch is a whole number of micro-batches, and that everything that the manifest and the constants name lies
  /// inside its memory.
  private func checkTensors() throws(TrainerError) {
    guard manifest.microBatch > 0, manifest.batch.isMultiple(of: manifest.microBatch) else {
      throw TrainerError("this program's batch is no whole number of micro-batches; compile the model again")
    }
    let tensors = manifest.states.map(\.tensor) + manifest.inputs.map(\.tensor)
    try check(tensors + manifest.schedules.flatMap(\.outputs).map(\.tensor), within: arenaBytes)
    try check(manifest.accumulators, within: accumulatorBytes)
    for constant in constants {
      guard Int(constant.offset) + Int(constant.byte_count) <= arenaBytes else {
        throw TrainerError("a constant does not fit this program's arena; compile the model again")
      }
    }
  }

  /// Checks that there is a number for every name that an input is bound to.
  private func checkBindings() throws(TrainerError) {
    for input in manifest.inputs {
      guard case .hyperparameter(let name) = input.binding, ScheduleScalar.named(name) == nil else { continue }
      throw TrainerError("this program asks for a number `\(name)` that this runtime does not know; compile the model again")
    }
  }

  /// Checks that `tensors` lie inside a memory of `byteCount` bytes.
  private func check(_ tensors: [Manifest.Tensor], within byteCount: Int) throws(TrainerError) {
    for tensor in tensors {
      guard tensor.offset >= 0, tensor.offset % tensor.type.byteCount == 0, tensor.shape.allSatisfy({ $0 >= 0 }),
        tensor.offset + tensor.byteCount <= byteCount
      else {
        throw TrainerError("the tensor `\(tensor.name)` does not fit this program's memory; compile the model again")
      }
    }
  }
}
