import WaMIMCompiler
import WaMIMManifest

extension LLVMBackend {
  /// The program as object files that link into one executable; all of this machine's processors make them.
  ///
  /// The objects are the same however many processors there are, and each function's code is what it is in a single object.
  public func objects(for program: Program) throws -> [[UInt8]] {
    let kernels = try concurrently(program.kernels.indices.runs(of: LLVMBackend.functionsOfObject)) { kernels in
      let requests = SharedFunctions.Requests()
      let object = try emit(named: program.name, as: .object, sharedFunctions: .elsewhere(requests)) { builder in
        _ = try define(
          program.kernels[kernels], program.variants[kernels], from: kernels.lowerBound, visibility: .executable, in: builder)
      }
      return (object: object, requests: requests.functions)
    }
    let requests = kernels.reduce(into: [:]) { all, next in all.merge(next.requests) { first, _ in first } }
    let shared = requests.sorted { $0.key < $1.key }.map(\.value)
    let sharedObjects = try concurrently(shared.indices.runs(of: LLVMBackend.functionsOfObject)) { functions in
      try emit(named: program.name, as: .object) { builder in
        for function in shared[functions] { builder.define(function, visibility: .executable) }
      }
    }
    return try [tables(of: program)] + kernels.map(\.object) + sharedObjects
  }

  /// Few enough for the processors to end at about the same time; of fewer, the objects themselves would begin to cost.
  private static let functionsOfObject = 8

  /// The object with the program's `main` and its schedules, which name kernels of other objects.
  private func tables(of program: Program) throws -> [UInt8] {
    let manifest = try manifest(of: program)
    return try emit(named: program.name, as: .object) { builder in
      let kernels = program.kernels.indices.map {
        KernelEmitter.declare(named: LLVMBackend.name(ofKernel: $0), in: builder)
      }
      let code = ProgramEmitter.Code.processor(kernels, amx: amxTiling(of: program))
      ProgramEmitter(builder: builder, program: program, code: code, manifest: manifest).emit()
    }
  }

  /// The program as an object file of tables for this machine, with the code of its kernels, which are for a GPU.
  public func object(for program: Program, with code: DeviceCode) throws -> [UInt8] {
    var manifest = program.manifest
    manifest.processor = Manifest.Processor(
      name: code.images.map(\.architecture).joined(separator: ", "), features: [], kind: .gpu)
    let json = try manifest.json()
    return try emit(named: program.name, as: .object) { builder in
      ProgramEmitter(builder: builder, program: program, code: .device(code), manifest: json).emit()
    }
  }
}

extension Range<Int> {
  /// The range cut into runs of `length`, but for the last one.
  fileprivate func runs(of length: Int) -> [Range<Int>] {
    stride(from: lowerBound, to: upperBound, by: length).map { $0..<Swift.min($0 + length, upperBound) }
  }
}
