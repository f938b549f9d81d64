import CLLVM

/// Owns LLVM's code generator for one processor of this machine's architecture.
struct TargetMachine: ~Copyable {
  let reference: LLVMTargetMachineRef?
  /// The triple that code is generated for.
  let triple: String

  /// Whether LLVM's code generator for this architecture is ready; asked for once in a process.
  private static let isInitialized =
    LLVMInitializeNativeTarget() == 0 && LLVMInitializeNativeAsmPrinter() == 0 && LLVMInitializeNativeAsmParser() == 0

  init(processor: TargetProcessor) throws {
    let triple = takeMessage(LLVMGetDefaultTargetTriple())
    let target = try TargetMachine.target(for: triple)
    self.triple = triple
    reference = LLVMCreateTargetMachine(
      target, triple, processor.baseline, processor.featureString, LLVMCodeGenLevelAggressive, LLVMRelocPIC, LLVMCodeModelDefault)
  }

  private static func target(for triple: String) throws -> LLVMTargetRef? {
    guard isInitialized else {
      throw BackendError("This LLVM was built without code generation for the machine it runs on; install another llvm-dev.")
    }
    var target: LLVMTargetRef?
    var message: UnsafeMutablePointer<CChar>?
    guard LLVMGetTargetFromTriple(triple, &target, &message) == 0 else {
      throw BackendError("LLVM cannot generate code for \(triple): \(takeMessage(message))")
    }
    return target
  }

  deinit {
    LLVMDisposeTargetMachine(reference)
  }
}
