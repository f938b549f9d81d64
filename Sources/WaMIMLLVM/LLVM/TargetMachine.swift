import CLLVM

/// Owns LLVM's code generator for one processor.
struct TargetMachine: ~Copyable {
  let reference: LLVMTargetMachineRef?
  /// The triple that code is generated for.
  let triple: String

  /// Whether LLVM's code generator for this machine's architecture is ready; asked for once in a process.
  private static let isNativeReady =
    LLVMInitializeNativeTarget() == 0 && LLVMInitializeNativeAsmPrinter() == 0 && LLVMInitializeNativeAsmParser() == 0

  /// Makes the code generators for all other architectures ready that this LLVM has; done once in a process.
  private static let areOthersReady: Void = {
    LLVMInitializeAllTargetInfos()
    LLVMInitializeAllTargets()
    LLVMInitializeAllTargetMCs()
    LLVMInitializeAllAsmPrinters()
    LLVMInitializeAllAsmParsers()
  }()

  init(processor: TargetProcessor) throws {
    let architecture = processor.architecture
    triple = architecture.triple
    reference = LLVMCreateTargetMachine(
      try TargetMachine.target(architecture), triple, architecture.baseline, processor.featureString, LLVMCodeGenLevelAggressive,
      LLVMRelocPIC, LLVMCodeModelDefault)
  }

  private static func target(_ architecture: Architecture) throws -> LLVMTargetRef? {
    if architecture == .native {
      guard isNativeReady else {
        throw BackendError("This LLVM was built without code generation for the machine it runs on; install another llvm-dev.")
      }
    } else {
      areOthersReady
    }
    var target: LLVMTargetRef?
    var message: UnsafeMutablePointer<CChar>?
    guard LLVMGetTargetFromTriple(architecture.triple, &target, &message) == 0 else {
      throw BackendError("This LLVM cannot generate code for \(architecture.rawValue): \(takeMessage(message))")
    }
    return target
  }

  deinit {
    LLVMDisposeTargetMachine(reference)
  }
}
