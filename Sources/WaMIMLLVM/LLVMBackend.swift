import CLLVM
import Foundation
import WaMIMCompiler
import WaMIMManifest

/// Turns programs into machine code for one processor, through LLVM.
public struct LLVMBackend: Sendable {
  /// A form in which a program leaves the backend.
  public enum Output: Hashable, Sendable, CaseIterable {
    /// LLVM's assembly language.
    case llvm
    /// The processor's assembly language.
    case assembly
    /// An object file, which a `Linker` makes an executable of.
    case object
  }

  public var processor: TargetProcessor
  public var matmuls: MatmulSource

  /// Creates a backend.
  ///
  /// - Parameters:
  ///   - processor: The processor whose instructions the code uses.
  ///   - matmuls: Where matrix products come from.
  public init(processor: TargetProcessor = .native, matmuls: MatmulSource = .automatic) {
    self.processor = processor
    self.matmuls = matmuls
  }

  /// The program in the form of `output`, as one module: UTF-8 text, or the bytes of an object file.
  ///
  /// The manifest that the object holds names the processor and where products come from, whatever `program` says of them.
  public func emit(_ program: Program, as output: Output) throws -> [UInt8] {
    let matmuls = matmulSource(of: program)
    let manifest = try manifest(of: program, matmuls: matmuls)
    return try emit(named: program.name, as: output) { builder in
      let kernels = try define(program.kernels, matmuls: matmuls, visibility: .module, in: builder)
      ProgramEmitter(
        builder: builder, program: program, kernels: kernels, manifest: manifest,
        usesMatrixUnit: usesMatrixUnit(program, matmuls: matmuls)
      ).emit()
    }
  }

  /// Kernels alone, as functions `kernel_0`, `kernel_1` and so on that other objects can call.
  package func emit(_ kernels: [Kernel], as output: Output) throws -> [UInt8] {
    try emit(named: "kernels", as: output) { try define(kernels, in: $0) }
  }

  /// Throws what keeps kernels from being emitted, if anything does, in a fraction of the time that emitting them takes.
  package func check(_ kernels: [Kernel]) throws {
    let machine = try TargetMachine(processor: processor)
    _ = try module(named: "kernels", for: machine) { try define(kernels, in: $0) }
  }

  private func define(_ kernels: [Kernel], in builder: IRBuilder) throws {
    let costs = kernels.compactMap { MatmulCost($0, units: 1, tiles: 1, processor: processor) }
    let matmuls = matmuls.resolved(for: costs.reduce(MatmulCost(), +))
    _ = try define(kernels, matmuls: matmuls, visibility: .everyone, in: builder)
  }

  /// Defines kernels as functions `kernel_0`, `kernel_1` and so on, or from another number on.
  func define(
    _ kernels: some Collection<Kernel>, from first: Int = 0, matmuls: MatmulSource, visibility: Visibility, in builder: IRBuilder
  ) throws -> [Function] {
    try kernels.enumerated().map { index, kernel in
      try KernelEmitter.define(
        kernel, named: LLVMBackend.name(ofKernel: first + index), matmuls: matmuls, visibility: visibility, in: builder)
    }
  }

  /// Where the products of `program` come from, never `automatic`.
  func matmulSource(of program: Program) -> MatmulSource {
    matmuls.resolved(for: MatmulTable(program, processor: processor).cost)
  }

  /// Whether some product of `program` runs on the processor's matrix unit.
  func usesMatrixUnit(_ program: Program, matmuls: MatmulSource) -> Bool {
    matmuls == .generated
      && program.kernels.contains { kernel in
        guard case .matmul(let matmul) = kernel.body else { return false }
        return matmul.runsOnMatrixUnit(of: processor)
      }
  }

  static func name(ofKernel index: Int) -> String { "kernel_\(index)" }

  /// The program's manifest for the processor and where products come from, as UTF-8 JSON.
  func manifest(of program: Program, matmuls: MatmulSource) throws -> [UInt8] {
    var manifest = program.manifest
    manifest.processor = Manifest.Processor(name: processor.name, features: processor.features)
    manifest.callsBLAS = matmuls == .openBLAS
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return [UInt8](try encoder.encode(manifest))
  }

  /// What `define` makes of an empty module, in the form of `output`.
  func emit(
    named name: String, as output: Output, sharedFunctions: SharedFunctions = .inModule, _ define: (IRBuilder) throws -> Void
  ) throws -> [UInt8] {
    let machine = try TargetMachine(processor: processor)
    let module = try module(named: name, for: machine, sharedFunctions: sharedFunctions, define)
    try module.optimize(machine: machine)
    if case .elsewhere(let requests) = sharedFunctions { requests.keepNeeded(in: module) }
    switch output {
    case .llvm: return Array(module.text.utf8)
    case .assembly: return try module.machineCode(LLVMAssemblyFile, machine: machine)
    case .object: return try module.machineCode(LLVMObjectFile, machine: machine)
    }
  }

  /// What `define` makes of an empty module, before it is optimised.
  private func module(
    named name: String, for machine: borrowing TargetMachine, sharedFunctions: SharedFunctions = .inModule,
    _ define: (IRBuilder) throws -> Void
  ) throws -> IRModule {
    let module = IRModule(name: name, machine: machine)
    try define(module.builder(for: processor, sharedFunctions: sharedFunctions))
    try module.verify()
    return module
  }
}
