import CLLVM
import Foundation
import WaMIMCompiler
import WaMIMManifest

/// Turns programs into machine code for one processor, through LLVM.
public struct LLVMBackend: Sendable {
  /// A form in which a program leaves the backend.
  public enum Output: String, Hashable, Sendable, CaseIterable {
    /// LLVM's assembly language, before and after its optimiser.
    case unoptimized = "llvm-unoptimized"
    case llvm
    /// The processor's assembly language.
    case assembly = "asm"
    /// An object file, which a `Linker` makes an executable of.
    case object = "obj"
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

  /// The program in the form of `output`: UTF-8 text, or the bytes of an object file.
  ///
  /// The manifest that the object holds names the processor, whatever `program` says of it.
  public func emit(_ program: Program, as output: Output) throws -> [UInt8] {
    var manifest = program.manifest
    manifest.processor = Manifest.Processor(name: processor.name, features: processor.features)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let json = [UInt8](try encoder.encode(manifest))
    return try emit(named: program.name, as: output) { builder in
      let kernels = try program.kernels.enumerated().map { index, kernel in
        try KernelEmitter.define(kernel, named: "kernel_\(index)", matmuls: matmuls, isInternal: true, in: builder)
      }
      ProgramEmitter(builder: builder, program: program, kernels: kernels, manifest: json).emit()
    }
  }

  /// Kernels alone, as functions `kernel_0`, `kernel_1` and so on that other objects can call.
  package func emit(_ kernels: [Kernel], as output: Output) throws -> [UInt8] {
    try emit(named: "kernels", as: output) { builder in
      for (index, kernel) in kernels.enumerated() {
        _ = try KernelEmitter.define(kernel, named: "kernel_\(index)", matmuls: matmuls, isInternal: false, in: builder)
      }
    }
  }

  /// Writes the program to a file, whole or not at all.
  public func write(_ program: Program, as output: Output, to file: URL) throws {
    let bytes = try emit(program, as: output)
    do {
      try Data(bytes).write(to: file, options: .atomic)
    } catch {
      throw BackendError("Cannot write \(file.path): \(error.localizedDescription)")
    }
  }

  private func emit(named name: String, as output: Output, _ define: (IRBuilder) throws -> Void) throws -> [UInt8] {
    let machine = try TargetMachine(processor: processor)
    let module = IRModule(name: name, machine: machine)
    try define(module.builder(for: processor))
    try module.verify()
    if output == .unoptimized { return Array(module.text.utf8) }
    try module.optimize(machine: machine)
    switch output {
    case .unoptimized, .llvm: return Array(module.text.utf8)
    case .assembly: return try module.machineCode(LLVMAssemblyFile, machine: machine)
    case .object: return try module.machineCode(LLVMObjectFile, machine: machine)
    }
  }
}
