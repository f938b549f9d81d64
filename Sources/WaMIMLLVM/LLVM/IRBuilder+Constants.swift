import CLLVM

extension IRBuilder {
  var bytePointer: IRType { pointer(to: byte) }

  var nullPointer: Value { Value(reference: LLVMConstNull(bytePointer.reference)) }

  /// A structure of constants, laid out as C lays it out.
  func structure(_ fields: [Value]) -> Value {
    var references = fields.map(\.reference)
    return Value(reference: LLVMConstStructInContext(context, &references, UInt32(references.count), 0))
  }

  /// A pointer to constants of one type that stand in the object one after the other; null where there are none.
  func table(_ name: String, _ elements: [Value]) -> Value {
    guard let first = elements.first else { return nullPointer }
    var references = elements.map(\.reference)
    return global(name, LLVMConstArray(LLVMTypeOf(first.reference), &references, UInt32(references.count)), alignment: 16)
  }

  /// A pointer to bytes in the object, followed by a zero.
  func bytes(_ name: String, _ bytes: some ContiguousBytesCollection, alignment: Int = 1) -> Value {
    let constant = bytes.withBytes { buffer in
      LLVMConstStringInContext(context, buffer.bindMemory(to: CChar.self).baseAddress, UInt32(buffer.count), 0)
    }
    return global(name, constant, alignment: alignment)
  }

  /// The pointer that `bytes` has made of a name before.
  func globalBytes(named name: String) -> Value? {
    LLVMGetNamedGlobal(module, name).map { Value(reference: LLVMConstBitCast($0, bytePointer.reference)) }
  }

  /// A function as a pointer among constants.
  func pointer(to function: Function) -> Value {
    Value(reference: LLVMConstBitCast(function.value.reference, bytePointer.reference))
  }

  private func global(_ name: String, _ initial: LLVMValueRef?, alignment: Int) -> Value {
    let global = LLVMAddGlobal(module, LLVMTypeOf(initial), name)
    LLVMSetInitializer(global, initial)
    LLVMSetGlobalConstant(global, 1)
    LLVMSetLinkage(global, LLVMInternalLinkage)
    LLVMSetAlignment(global, UInt32(alignment))
    return Value(reference: LLVMConstBitCast(global, bytePointer.reference))
  }
}

/// What has its bytes one after the other in memory.
protocol ContiguousBytesCollection {
  func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result
}

extension Array: ContiguousBytesCollection {
  func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result { withUnsafeBytes(body) }
}
