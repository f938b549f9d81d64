import CLLVM

/// A function of the module being built, with the type that calls need.
struct Function {
  let value: Value
  let type: IRType

  /// The value of a parameter.
  func parameter(_ index: Int) -> Value { Value(reference: LLVMGetParam(value.reference, UInt32(index))) }
}

/// Who can call a function.
enum Visibility {
  /// The functions of its module.
  case module
  /// Other objects of the executable that it is linked into.
  case executable
  /// Everybody who loads what it is linked into.
  case everyone
}

extension IRBuilder {
  /// Declares a function that others define.
  func declare(_ name: String, _ parameters: [IRType], returning result: IRType) -> Function {
    var references = parameters.map(\.reference)
    let type = LLVMFunctionType(result.reference, &references, UInt32(references.count), 0)
    if let existing = LLVMGetNamedFunction(module, name) {
      return Function(value: Value(reference: existing), type: IRType(reference: type))
    }
    return Function(value: Value(reference: LLVMAddFunction(module, name, type)), type: IRType(reference: type))
  }

  /// Defines a function; `body` leaves the builder where the function returns.
  ///
  /// The builder goes back to where it was, so that a function can be defined while another one is being built.
  func define(
    _ name: String, _ parameters: [IRType], returning result: IRType, visibility: Visibility = .module,
    attributes: [String] = [], body: (Function) throws -> Void
  ) rethrows -> Function {
    let function = declare(name, parameters, returning: result)
    set(visibility, of: function)
    for attribute in attributes + ["nounwind"] { addAttribute(attribute, to: function) }
    addTextAttribute("target-cpu", processor.architecture.baseline, to: function)
    addTextAttribute("tune-cpu", processor.tuning, to: function)
    addTextAttribute("target-features", processor.featureString, to: function)
    let suspended = LLVMGetInsertBlock(instructions)
    enter(appendBlock(to: function))
    try body(function)
    if let suspended { LLVMPositionBuilderAtEnd(instructions, suspended) }
    return function
  }

  private func set(_ visibility: Visibility, of function: Function) {
    switch visibility {
    case .module: LLVMSetLinkage(function.value.reference, LLVMInternalLinkage)
    case .executable: LLVMSetVisibility(function.value.reference, LLVMHiddenVisibility)
    case .everyone: break
    }
  }

  private func addAttribute(_ name: String, to function: Function) {
    let kind = LLVMGetEnumAttributeKindForName(name, name.utf8.count)
    let everywhere = LLVMAttributeIndex(UInt32.max)
    LLVMAddAttributeAtIndex(function.value.reference, everywhere, LLVMCreateEnumAttribute(context, kind, 0))
  }

  private func addTextAttribute(_ name: String, _ text: String, to function: Function) {
    guard !text.isEmpty else { return }
    let attribute = LLVMCreateStringAttribute(context, name, UInt32(name.utf8.count), text, UInt32(text.utf8.count))
    LLVMAddAttributeAtIndex(function.value.reference, LLVMAttributeIndex(UInt32.max), attribute)
  }

  func appendBlock(to function: Function) -> Block {
    Block(reference: LLVMAppendBasicBlockInContext(context, function.value.reference, ""))
  }

  /// Instructions go to the end of `block` from now on.
  func enter(_ block: Block) { LLVMPositionBuilderAtEnd(instructions, block.reference) }
}
