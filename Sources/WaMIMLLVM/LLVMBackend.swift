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
  ///
  /// - Throws: An error where the program was planned for another backend.
  public func emit(_ program: Program, as output: Output) throws -> [UInt8] {
    let manifest = try manifest(of: program)
    return try emit(named: program.name, as: output) { builder in
      let kernels = try define(program.kernels, program.variants, visibility: .module, in: builder)
      let code = ProgramEmitter.Code.processor(kernels, amx: amxTiling(of: program))
      ProgramEmitter(builder: builder, program: program, code: code, manifest: manifest).emit()
    }
  }

  /// Kernels alone, as functions `kernel_0`, `kernel_1` and so on that other objects can call.
  ///
  /// Their workspaces are those of `planned(_:)`.
  package func emit(_ kernels: [Kernel], as output: Output) throws -> [UInt8] {
    let planned = planned(kernels)
    return try emit(named: "kernels", as: output) { builder in
      _ = try define(planned.map(\.kernel), planned.map(\.variant), visibility: .everyone, in: builder)
    }
  }

  /// Kernels as they are cut, each with its variant and with the workspace that this takes.
  package func planned(_ kernels: [Kernel]) -> [(kernel: Kernel, variant: Variant)] {
    let costs = kernels.compactMap { MatmulCost($0, units: 1, chunks: 1, processor: processor) }
    let backend = LLVMBackend(processor: processor, matmuls: matmuls.resolved(for: costs.reduce(MatmulCost(), +)))
    return kernels.map { kernel in
      let variant = backend.variant(ofCut: kernel, units: 1)
      return (kernel.adopting(variant, units: 1).kernel, variant)
    }
  }

  /// Throws what keeps a kernel from being emitted as `variant` says, in a fraction of the time that emitting it takes.
  package func check(_ kernel: Kernel, _ variant: Variant) throws {
    let machine = try TargetMachine(processor: processor)
    _ = try module(named: "kernels", for: machine) { _ = try define([kernel], [variant], visibility: .everyone, in: $0) }
  }

  /// Defines kernels as functions `kernel_0`, `kernel_1` and so on, or from another number on.
  func define(
    _ kernels: some Collection<Kernel>, _ variants: some Collection<Variant>, from first: Int = 0, visibility: Visibility,
    in builder: IRBuilder
  ) throws -> [Function] {
    try zip(kernels, variants).enumerated().map { index, pair in
      let plan = try plan(of: pair.1)
      return KernelEmitter.define(
        pair.0, pair.1, plan, named: LLVMBackend.name(ofKernel: first + index), visibility: visibility, in: builder)
    }
  }

  /// This backend with a source of products that is not `automatic`: the one for a program that was planned with it.
  public func resolved(for program: Program) -> LLVMBackend {
    LLVMBackend(
      processor: processor, matmuls: matmuls.resolved(for: MatmulTable(program, processor: processor).cost))
  }

  /// The fastest way in which AMX multiplies in `program`, if it does.
  func amxTiling(of program: Program) -> AMXTiling? {
    products(of: program).filter { $0.method == .amx }.map { AMXTiling(factor: $0.factor) }.min { $0.splits < $1.splits }
  }

  private func products(of program: Program) -> [MatmulVariant] {
    program.variants.compactMap { variant in
      guard let plan = variant.plan as? CPUPlan, case .matmul(let matmul) = plan.work else { return nil }
      return matmul
    }
  }

  static func name(ofKernel index: Int) -> String { "kernel_\(index)" }

  /// The program's manifest for the processor and where products come from, as UTF-8 JSON.
  func manifest(of program: Program) throws -> [UInt8] {
    var manifest = program.manifest
    manifest.processor = Manifest.Processor(name: processor.name, features: processor.features)
    manifest.callsBLAS = products(of: program).contains { $0.method == .openBLAS }
    return try manifest.json()
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

extension Manifest {
  /// The manifest as programs hold it: UTF-8 JSON.
  func json() throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return [UInt8](try encoder.encode(self))
  }
}
