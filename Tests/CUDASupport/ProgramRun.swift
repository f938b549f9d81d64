import TestSupport
import WaMIMCUDA
import WaMIMCompiler
import WaMIMGraph
import WaMIMInterpreter
import WaMIMManifest
import WaMIMTypes

/// Memory with a program's arena, scratch and accumulators, on which schedules run.
package final class ProgramRun {
  let program: Program
  private let functions: any DeviceFunctions
  private let storages: [Placement.Storage: UnsafeMutableRawBufferPointer]

  /// - Parameters:
  ///   - backend: The one that the program is planned for.
  ///   - load: Makes the program's functions of their PTX.
  init(_ program: Program, _ backend: CUDABackend, _ load: (_ ptx: String) throws -> any DeviceFunctions) throws {
    self.program = program
    functions = try load(DeviceCompiler().ptx(of: backend.cuda(program), for: backend.architectures[0]))
    let sizes: [Placement.Storage: Int] = [
      .arena: program.arenaBytes, .scratch: program.scratchBytes, .accumulators: program.accumulatorBytes,
    ]
    storages = sizes.mapValues { .allocate(byteCount: max($0, 16), alignment: 64) }
    for storage in storages.values {
      // What nobody has written is not a number.
      _ = storage.initializeMemory(as: UInt8.self, repeating: 0xff)
    }
    for constant in program.constants {
      for (index, number) in constant.elements.enumerated() { write(number, at: constant.offset + 4 * index, in: .arena) }
    }
  }

  deinit { for storage in storages.values { storage.deallocate() } }

  private func write(_ number: Float, at offset: Int, in storage: Placement.Storage) {
    storages[storage]?.storeBytes(of: number, toByteOffset: offset, as: Float.self)
  }

  private func write(_ numbers: [Double], to tensor: Manifest.Tensor, in storage: Placement.Storage) {
    for (index, number) in numbers.enumerated() {
      let offset = tensor.offset + tensor.type.byteCount * index
      if tensor.type == .bfloat16 {
        storages[storage]?.storeBytes(of: UInt16(Float(number).bitPattern >> 16), toByteOffset: offset, as: UInt16.self)
      } else {
        write(Float(number), at: offset, in: storage)
      }
    }
  }

  /// Puts what the graph takes from outside in its place.
  func upload(_ sources: [String: [Double]]) {
    let manifest = program.manifest
    for tensor in manifest.states.map(\.tensor) + manifest.inputs.map(\.tensor) {
      write(sources[tensor.name] ?? [], to: tensor, in: .arena)
    }
    for tensor in manifest.accumulators {
      write(sources[tensor.name] ?? [], to: tensor, in: .accumulators)
    }
  }

  /// Runs a schedule, call after call.
  func run(_ role: ScheduleRole, order: UInt64 = 0) throws {
    try forEachCall(of: role) { call, name, _ in try launch(call, name, order) }
  }

  /// Runs a schedule, call after call, and compares what each writes with what its kernel means.
  ///
  /// - Parameters:
  ///   - magnitude: A number in proportion to which there is rounding, where results of a call may be near 0.
  ///   - observe: Called with each call's name and the difference of its results.
  func run(
    _ role: ScheduleRole, order: UInt64 = 0, magnitude: Float, observing observe: (_ call: String, _ error: Double) -> Void
  ) throws {
    try forEachCall(of: role) { call, name, units in
      let before = arrays(of: call, units: units)
      try launch(call, name, order)
      let agreement = CallAgreement(program.kernels[call.kernel.index], before, in: call.arguments, units: units)
      observe(name, agreement.error(of: arrays(of: call, units: units), magnitude: magnitude))
    }
  }

  private func forEachCall(of role: ScheduleRole, _ body: (_ call: Call, _ name: String, _ units: Int) throws -> Void) throws {
    guard let schedule = program.schedules.first(where: { $0.name == role.rawValue }) else {
      throw DeviceError(description: "there is no schedule '\(role.rawValue)'")
    }
    for group in schedule.phases.flatMap(\.groups) {
      for call in group.calls { try body(call, program.manifest.calls[call.description].name, group.units) }
    }
  }

  private func launch(_ call: Call, _ name: String, _ order: UInt64) throws {
    guard let plan = program.variants[call.kernel.index].plan as? CUDAPlan else {
      throw DeviceError(description: "\(name): it is planned for another target")
    }
    let pointers = call.arguments.compactMap { placement in storages[placement.storage]?.baseAddress.map { $0 + placement.offset } }
    for function in plan.functions {
      do {
        try functions.launch(
          function, called: CUDABackend.name(ofKernel: call.kernel.index, function), pointers, memory: Array(storages.values),
          order: order)
      } catch {
        throw DeviceError(description: "\(name): \(error)")
      }
    }
  }

  /// What the arguments of a call hold; of workspaces, nothing that counts.
  private func arrays(of call: Call, units: Int) -> [[Float]] {
    zip(program.kernels[call.kernel.index].arguments, call.arguments).map { argument, placement in
      let count = CallAgreement.count(of: argument, units: units)
      guard argument.access != .workspace else { return [Float](repeating: .nan, count: count) }
      let element = argument.element
      return (0..<count).map { number(element, at: placement.offset + element.byteCount * $0, in: placement.storage) }
    }
  }

  /// What the outputs of a schedule hold, by name.
  func outputs(of role: ScheduleRole) -> [String: [Double]] {
    let outputs = program.manifest.schedules.first { $0.role == role }?.outputs ?? []
    return Dictionary(uniqueKeysWithValues: outputs.map { ($0.tensor.name, numbers(of: $0.tensor)) })
  }

  /// What states and accumulators hold, by name.
  var states: [String: [Double]] {
    let states = program.manifest.states.map { ($0.tensor.name, numbers(of: $0.tensor)) }
    return Dictionary(
      uniqueKeysWithValues: states + program.manifest.accumulators.map { ($0.name, numbers(of: $0, in: .accumulators)) })
  }

  private func numbers(of tensor: Manifest.Tensor, in storage: Placement.Storage = .arena) -> [Double] {
    (0..<tensor.shape.reduce(1, *)).map { index in
      Double(number(tensor.type, at: tensor.offset + tensor.type.byteCount * index, in: storage))
    }
  }

  private func number(_ type: ElementType, at offset: Int, in storage: Placement.Storage) -> Float {
    guard let memory = storages[storage] else { return .nan }
    return switch type {
    case .bfloat16: Float(bitPattern: UInt32(memory.load(fromByteOffset: offset, as: UInt16.self)) << 16)
    case .int32: Float(memory.load(fromByteOffset: offset, as: Int32.self))
    case .float32: Float(bitPattern: memory.load(fromByteOffset: offset, as: UInt32.self))
    }
  }
}
