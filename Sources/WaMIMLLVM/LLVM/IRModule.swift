import CLLVM

/// Owns a context, a module in it and a builder; everything that refers to them is valid as long as this lives.
struct IRModule: ~Copyable {
  private let context: LLVMContextRef?
  private let module: LLVMModuleRef?
  private let instructions: LLVMBuilderRef?

  /// Creates an empty module laid out for `machine`.
  init(name: String, machine: borrowing TargetMachine) {
    context = LLVMContextCreate()
    module = LLVMModuleCreateWithNameInContext(name, context)
    instructions = LLVMCreateBuilderInContext(context)
    LLVMSetTarget(module, machine.triple)
    let layout = LLVMCreateTargetDataLayout(machine.reference)
    LLVMSetModuleDataLayout(module, layout)
    LLVMDisposeTargetData(layout)
  }

  deinit {
    LLVMDisposeBuilder(instructions)
    LLVMDisposeModule(module)
    LLVMContextDispose(context)
  }

  /// What appends to the module, for `processor`.
  func builder(for processor: TargetProcessor, sharedFunctions: SharedFunctions = .inModule) -> IRBuilder {
    IRBuilder(
      context: context, module: module, instructions: instructions, processor: processor, sharedFunctions: sharedFunctions)
  }

  /// Whether the module defines or declares a function.
  func hasFunction(named name: String) -> Bool { LLVMGetNamedFunction(module, name) != nil }

  /// Throws what is wrong with the module, if anything.
  func verify() throws {
    var message: UnsafeMutablePointer<CChar>?
    let isBroken = LLVMVerifyModule(module, LLVMReturnStatusAction, &message) != 0
    let text = takeMessage(message)
    guard !isBroken else { throw BackendError("The generated code is not valid, which is a defect of the compiler: \(text)") }
  }

  /// Simplifies the module's functions.
  ///
  /// Loops arrive here as vectors, unrolled as far as they should be, and functions inlined where they should be: the passes
  /// below find what is left as well as LLVM's standard pipeline does, in a fifth of its time.
  func optimize(machine: borrowing TargetMachine) throws {
    let combine = IRModule.combinePass
    let loops = "loop-simplify,lcssa,loop-mssa(loop-rotate,licm)"
    let functions =
      "early-cse<memssa>,\(combine),simplifycfg,\(loops),early-cse<memssa>,gvn,\(combine),dse,adce,simplifycfg"
    let passes = "function(\(functions)),globaldce"
    let options = LLVMCreatePassBuilderOptions()
    defer { LLVMDisposePassBuilderOptions(options) }
    if let error = LLVMRunPasses(module, passes, machine.reference, options) {
      let message = LLVMGetErrorMessage(error)
      defer { LLVMDisposeErrorMessage(message) }
      throw BackendError("LLVM could not optimise the program: \(message.map { String(cString: $0) } ?? "no reason given")")
    }
  }

  /// From version 18 on LLVM stops the process where one round of combining instructions has not found everything, unless told not to.
  private static let combinePass = LLVM_VERSION_MAJOR >= 18 ? "instcombine<no-verify-fixpoint>" : "instcombine"

  /// The module as LLVM's assembly language.
  var text: String { takeMessage(LLVMPrintModuleToString(module)) }

  /// Machine code for the module, as assembly text or as an object file.
  func machineCode(_ type: LLVMCodeGenFileType, machine: borrowing TargetMachine) throws -> [UInt8] {
    var message: UnsafeMutablePointer<CChar>?
    var buffer: LLVMMemoryBufferRef?
    let failed = LLVMTargetMachineEmitToMemoryBuffer(machine.reference, module, type, &message, &buffer) != 0
    guard !failed, let buffer else { throw BackendError("LLVM could not emit machine code: \(takeMessage(message))") }
    defer { LLVMDisposeMemoryBuffer(buffer) }
    return [UInt8](UnsafeRawBufferPointer(start: LLVMGetBufferStart(buffer), count: LLVMGetBufferSize(buffer)))
  }
}

/// Copies a message that LLVM allocated, and frees it.
func takeMessage(_ message: UnsafeMutablePointer<CChar>?) -> String {
  guard let message else { return "" }
  defer { LLVMDisposeMessage(message) }
  return String(cString: message)
}
