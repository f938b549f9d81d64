import CLLVM
import WaMIMCompiler

/// Writes a program's schedules as the tables of `wamim_program.h`, and the `main` that hands them to the runtime.
struct ProgramEmitter {
  /// What calls run.
  enum Code {
    /// Functions of this object or others, by their kernel's index, and the fastest way in which they use AMX, if they do.
    case processor([Function], amx: AMXTiling?)
    case device(DeviceCode)
  }

  private let builder: IRBuilder
  private let program: Program
  private let code: Code
  /// The manifest as UTF-8 JSON.
  private let manifest: [UInt8]
  /// For GPUs, a table of each kernel's launches by image.
  private let deviceKernels: [Value]

  /// The version of the tables that this writes.
  private static let version: Int32 = 5

  init(builder: IRBuilder, program: Program, code: Code, manifest: [UInt8]) {
    self.builder = builder
    self.program = program
    self.code = code
    self.manifest = manifest
    guard case .device(let device) = code else {
      deviceKernels = []
      return
    }
    deviceKernels = program.kernels.indices.map { kernel in
      builder.table("device_kernels", device.images.map { Self.deviceKernel($0.kernels[kernel], in: builder) })
    }
  }

  private static func deviceKernel(_ launches: [DeviceCode.Launch], in builder: IRBuilder) -> Value {
    let table = builder.table(
      "launches",
      launches.map { launch in
        builder.structure([
          builder.bytes("function", Array(launch.function.utf8)), builder.integer(Int32(launch.blocks)),
          builder.integer(Int32(launch.threads)),
          builder.table("tensor_maps", launch.tensorMaps.map { tensorMap($0, in: builder) }),
          builder.integer(Int32(launch.tensorMaps.count)), builder.integer(Int32(launch.sharedBytes)),
        ])
      })
    return builder.structure([table, builder.integer(Int32(launches.count)), builder.integer(0)])
  }

  private static func tensorMap(_ map: DeviceCode.TensorMap, in builder: IRBuilder) -> Value {
    func padded(_ numbers: [Int], _ count: Int) -> [Int] { numbers + [Int](repeating: 0, count: count - numbers.count) }
    let axes = DeviceCode.TensorMap.mostAxes
    let long = [map.offset] + padded(map.extents, axes) + padded(map.strides, axes - 1)
    let short = [map.argument, map.extents.count] + padded(map.box, axes)
    return builder.structure(long.map { builder.index($0) } + short.map { builder.integer(Int32($0)) })
  }

  func emit() {
    let root = builder.table("program", [root()])
    let runtime = builder.declare(
      "wamim_main", [builder.int32, builder.floatPointer, builder.floatPointer], returning: builder.int32)
    _ = builder.define("main", [builder.int32, builder.floatPointer], returning: builder.int32, visibility: .everyone) { main in
      let program = builder.bitcast(root, to: builder.floatPointer)
      builder.returnValue(builder.call(runtime, [main.parameter(0), main.parameter(1), program]))
    }
  }

  private func root() -> Value {
    builder.structure([
      builder.integer(ProgramEmitter.version), count(program.schedules.count),
      builder.table("schedules", program.schedules.map(schedule)),
      builder.table("constants", program.constants.map(constant)), builder.index(program.constants.count),
      builder.index(program.arenaBytes), builder.index(program.scratchBytes), builder.index(program.accumulatorBytes),
      builder.bytes("manifest", manifest), builder.index(manifest.count),
      probes(), deviceCode(),
    ])
  }

  private func probes() -> Value {
    guard case .processor(_, let amx) = code else { return builder.nullPointer }
    return builder.table("probes", [ProbeEmitter(builder: builder, amx: amx).emit()])
  }

  private func deviceCode() -> Value {
    guard case .device(let device) = code else { return builder.nullPointer }
    let images = builder.table(
      "images",
      device.images.map { image in
        let ptx = Array(image.ptx.utf8)
        return builder.structure([
          builder.bytes("architecture", Array(image.architecture.utf8)), builder.bytes("ptx", ptx), builder.index(ptx.count),
          count(image.computeCapability), count(image.isExact ? 1 : 0), count(image.driverVersion), count(0),
        ])
      })
    return builder.table("device_code", [builder.structure([images, count(device.images.count), count(0)])])
  }

  private func schedule(_ schedule: Schedule) -> Value {
    builder.structure([
      builder.bytes("name", Array(schedule.name.utf8)), builder.table("phases", schedule.phases.map(phase)),
      builder.index(schedule.phases.count),
    ])
  }

  private func phase(_ phase: Phase) -> Value {
    builder.structure([builder.table("groups", phase.groups.map(group)), count(phase.groups.count), count(0)])
  }

  private func group(_ group: Group) -> Value {
    builder.structure([
      builder.table("calls", group.calls.map(call)), count(group.calls.count), count(group.chunks), builder.index(group.units),
    ])
  }

  private func call(_ call: Call) -> Value {
    let (function, deviceKernels) =
      switch code {
      case .processor(let kernels, _): (builder.pointer(to: kernels[call.kernel.index]), builder.nullPointer)
      case .device: (builder.nullPointer, self.deviceKernels[call.kernel.index])
      }
    return builder.structure([
      function, builder.table("arguments", call.arguments.map(argument)), count(call.arguments.count), count(call.description),
      deviceKernels,
    ])
  }

  private func argument(_ placement: Placement) -> Value {
    let storage: Int32 =
      switch placement.storage {
      case .arena: 0
      case .scratch: 1
      case .accumulators: 2
      }
    return builder.structure([
      builder.index(placement.offset), builder.index(placement.unitStride), builder.integer(storage), count(0),
    ])
  }

  private func constant(_ constant: ConstantData) -> Value {
    builder.structure([
      builder.index(constant.offset), builder.index(constant.elements.count * MemoryLayout<Float>.size),
      builder.bytes("elements", constant.elements, alignment: 64),
    ])
  }

  private func count(_ count: Int) -> Value { builder.integer(Int32(count)) }
}
