import CLLVM

/// A value of the function being built; LLVM's C interface returns it without saying that it is never null.
struct Value {
  let reference: LLVMValueRef?
}

/// A type of the module being built.
struct IRType {
  let reference: LLVMTypeRef?
}

/// A point in the function being built where instructions go.
struct Block {
  let reference: LLVMBasicBlockRef?
}

/// Appends to a module that an `IRModule` owns; the one place where LLVM's instructions are made.
///
/// Elements are 32 bits wide; those of bf16 are 16 bits wide in memory, and float32 where they are computed with. A width of 1 means a scalar, any other a vector of as many lanes. Pointers are to `float`
/// wherever LLVM still cares what a pointer is to.
struct IRBuilder {
  let context: LLVMContextRef?
  let module: LLVMModuleRef?
  let instructions: LLVMBuilderRef?
  let processor: TargetProcessor
  /// Where the functions are that several kernels call.
  let sharedFunctions: SharedFunctions

  /// The lanes of one vector register.
  var lanes: Int { processor.instructionSet.lanes }
}

// MARK: Types and constants

extension IRBuilder {
  var void: IRType { IRType(reference: LLVMVoidTypeInContext(context)) }
  var byte: IRType { IRType(reference: LLVMInt8TypeInContext(context)) }
  var int16: IRType { IRType(reference: LLVMInt16TypeInContext(context)) }
  var int32: IRType { IRType(reference: LLVMInt32TypeInContext(context)) }
  var int64: IRType { IRType(reference: LLVMInt64TypeInContext(context)) }
  var float: IRType { IRType(reference: LLVMFloatTypeInContext(context)) }
  var floatPointer: IRType { pointer(to: float) }

  func pointer(to type: IRType) -> IRType { IRType(reference: LLVMPointerType(type.reference, 0)) }

  /// `type` itself, or a vector of it.
  func vector(_ type: IRType, lanes: Int) -> IRType {
    lanes == 1 ? type : IRType(reference: LLVMVectorType(type.reference, UInt32(lanes)))
  }

  func index(_ value: Int) -> Value {
    Value(reference: LLVMConstInt(int64.reference, UInt64(bitPattern: Int64(value)), 1))
  }

  func constant(_ value: Float, lanes: Int = 1) -> Value {
    repeated(Value(reference: LLVMConstReal(float.reference, Double(value))), lanes: lanes)
  }

  func integer(_ value: Int32, lanes: Int = 1) -> Value {
    repeated(Value(reference: LLVMConstInt(int32.reference, UInt64(UInt32(bitPattern: value)), 1)), lanes: lanes)
  }

  /// A value that nobody looks at.
  func undefined(_ type: IRType) -> Value { Value(reference: LLVMGetUndef(type.reference)) }

  private func repeated(_ constant: Value, lanes: Int) -> Value {
    lanes == 1 ? constant : vector([Value](repeating: constant, count: lanes))
  }

  /// A vector of constants.
  func vector(_ constants: [Value]) -> Value {
    var references = constants.map(\.reference)
    return Value(reference: LLVMConstVector(&references, UInt32(references.count)))
  }
}

// MARK: Arithmetic

extension IRBuilder {
  func add(_ left: Value, _ right: Value) -> Value {
    Value(reference: LLVMBuildFAdd(instructions, left.reference, right.reference, ""))
  }

  func subtract(_ left: Value, _ right: Value) -> Value {
    Value(reference: LLVMBuildFSub(instructions, left.reference, right.reference, ""))
  }

  func multiply(_ left: Value, _ right: Value) -> Value {
    Value(reference: LLVMBuildFMul(instructions, left.reference, right.reference, ""))
  }

  func divide(_ left: Value, _ right: Value) -> Value {
    Value(reference: LLVMBuildFDiv(instructions, left.reference, right.reference, ""))
  }

  func negate(_ value: Value) -> Value {
    Value(reference: LLVMBuildFNeg(instructions, value.reference, ""))
  }

  /// `left * right + addend`, rounded once where the processor can.
  func multiplyAdd(_ left: Value, _ right: Value, _ addend: Value) -> Value {
    guard processor.instructionSet.hasFusedMultiplyAdd else { return add(multiply(left, right), addend) }
    return callIntrinsic("llvm.fma", overloads: [type(of: left)], [left, right, addend])
  }

  func squareRoot(_ value: Value) -> Value {
    callIntrinsic("llvm.sqrt", overloads: [type(of: value)], [value])
  }

  /// The nearest integer, the even one of two that are as near.
  func rounded(_ value: Value) -> Value {
    callIntrinsic("llvm.rint", overloads: [type(of: value)], [value])
  }

  func magnitude(_ value: Value) -> Value {
    callIntrinsic("llvm.fabs", overloads: [type(of: value)], [value])
  }

  /// `magnitude` with the sign of `sign`.
  func copySign(_ magnitude: Value, from sign: Value) -> Value {
    callIntrinsic("llvm.copysign", overloads: [type(of: magnitude)], [magnitude, sign])
  }

  /// Whether `left` compares with `right` as asked; never, where one of them is not a number, unless the predicate says so.
  func compare(_ predicate: LLVMRealPredicate, _ left: Value, _ right: Value) -> Value {
    Value(reference: LLVMBuildFCmp(instructions, predicate, left.reference, right.reference, ""))
  }

  func compareIntegers(_ predicate: LLVMIntPredicate, _ left: Value, _ right: Value) -> Value {
    Value(reference: LLVMBuildICmp(instructions, predicate, left.reference, right.reference, ""))
  }

  func select(_ condition: Value, _ first: Value, _ second: Value) -> Value {
    Value(reference: LLVMBuildSelect(instructions, condition.reference, first.reference, second.reference, ""))
  }

  /// `left` where it is greater, `right` elsewhere.
  func maximum(_ left: Value, _ right: Value) -> Value { select(compare(LLVMRealOGT, left, right), left, right) }

  /// `left` where it is less, `right` elsewhere.
  func minimum(_ left: Value, _ right: Value) -> Value { select(compare(LLVMRealOLT, left, right), left, right) }

  func addIntegers(_ left: Value, _ right: Value) -> Value {
    Value(reference: LLVMBuildAdd(instructions, left.reference, right.reference, ""))
  }

  func subtractIntegers(_ left: Value, _ right: Value) -> Value {
    Value(reference: LLVMBuildSub(instructions, left.reference, right.reference, ""))
  }

  func multiplyIntegers(_ left: Value, _ right: Value) -> Value {
    Value(reference: LLVMBuildMul(instructions, left.reference, right.reference, ""))
  }

  /// The quotient of two numbers of which neither is negative, rounded down.
  func divideIntegers(_ left: Value, _ right: Value) -> Value {
    Value(reference: LLVMBuildUDiv(instructions, left.reference, right.reference, ""))
  }

  /// What is left of a number after dividing it by another, of which neither is negative.
  func remainder(_ left: Value, _ right: Value) -> Value {
    Value(reference: LLVMBuildURem(instructions, left.reference, right.reference, ""))
  }

  func and(_ left: Value, _ right: Value) -> Value {
    Value(reference: LLVMBuildAnd(instructions, left.reference, right.reference, ""))
  }

  func or(_ left: Value, _ right: Value) -> Value {
    Value(reference: LLVMBuildOr(instructions, left.reference, right.reference, ""))
  }

  func shiftLeft(_ value: Value, _ bits: Value) -> Value {
    Value(reference: LLVMBuildShl(instructions, value.reference, bits.reference, ""))
  }

  /// Shifts right, keeping the sign.
  func shiftRight(_ value: Value, _ bits: Value) -> Value {
    Value(reference: LLVMBuildAShr(instructions, value.reference, bits.reference, ""))
  }

  /// Shifts right, zeros coming in.
  func shiftRightUnsigned(_ value: Value, _ bits: Value) -> Value {
    Value(reference: LLVMBuildLShr(instructions, value.reference, bits.reference, ""))
  }

  func minimumInteger(_ left: Value, _ right: Value) -> Value {
    select(compareIntegers(LLVMIntSLT, left, right), left, right)
  }

  func maximumInteger(_ left: Value, _ right: Value) -> Value {
    select(compareIntegers(LLVMIntSLT, left, right), right, left)
  }
}

// MARK: Conversions and lanes

extension IRBuilder {
  func type(of value: Value) -> IRType { IRType(reference: LLVMTypeOf(value.reference)) }

  func bitcast(_ value: Value, to type: IRType) -> Value {
    Value(reference: LLVMBuildBitCast(instructions, value.reference, type.reference, ""))
  }

  func floats(fromIntegers value: Value, lanes: Int) -> Value {
    Value(reference: LLVMBuildSIToFP(instructions, value.reference, vector(float, lanes: lanes).reference, ""))
  }

  /// The nearest integers; the nearest representable ones of numbers out of range, and 0 of what is not a number.
  func integers(nearest value: Value, lanes: Int) -> Value {
    callIntrinsic("llvm.fptosi.sat", overloads: [vector(int32, lanes: lanes), type(of: value)], [rounded(value)])
  }

  func index(fromInt32 value: Value) -> Value {
    Value(reference: LLVMBuildSExt(instructions, value.reference, int64.reference, ""))
  }

  func int32(fromIndex value: Value) -> Value {
    Value(reference: LLVMBuildTrunc(instructions, value.reference, int32.reference, ""))
  }

  /// All ones where a condition holds, 0 elsewhere.
  func mask(_ condition: Value, lanes: Int) -> Value {
    Value(reference: LLVMBuildSExt(instructions, condition.reference, vector(int32, lanes: lanes).reference, ""))
  }

  func extract(_ vector: Value, lane: Int) -> Value {
    Value(reference: LLVMBuildExtractElement(instructions, vector.reference, integer(Int32(lane)).reference, ""))
  }

  func insert(_ scalar: Value, into vector: Value, lane: Int) -> Value {
    Value(
      reference: LLVMBuildInsertElement(instructions, vector.reference, scalar.reference, integer(Int32(lane)).reference, ""))
  }

  /// Picks lanes of `first` and, counting on, of `second`; nil where nobody looks.
  func shuffle(_ first: Value, _ second: Value, _ picks: [Int?]) -> Value {
    let mask = vector(picks.map { pick in pick.map { integer(Int32($0)) } ?? undefined(int32) })
    return Value(reference: LLVMBuildShuffleVector(instructions, first.reference, second.reference, mask.reference, ""))
  }

  /// A scalar in every lane.
  func splat(_ scalar: Value, lanes: Int) -> Value {
    guard lanes > 1 else { return scalar }
    let start = undefined(vector(type(of: scalar), lanes: lanes))
    return shuffle(insert(scalar, into: start, lane: 0), start, [Int?](repeating: 0, count: lanes))
  }
}

// MARK: Calls

extension IRBuilder {
  /// Calls one of LLVM's overloaded intrinsic functions.
  func callIntrinsic(_ name: String, overloads: [IRType], _ operands: [Value]) -> Value {
    let identifier = LLVMLookupIntrinsicID(name, name.utf8.count)
    var types = overloads.map(\.reference)
    let function = LLVMGetIntrinsicDeclaration(module, identifier, &types, types.count)
    let type = LLVMIntrinsicGetType(context, identifier, &types, types.count)
    var references = operands.map(\.reference)
    return Value(reference: LLVMBuildCall2(instructions, type, function, &references, UInt32(references.count), ""))
  }

  /// Emits as many instructions that do nothing, between what comes before them and what comes after; none where `count` is below 1.
  func doNothing(times count: Int) {
    guard count > 0 else { return }
    let type = LLVMFunctionType(LLVMVoidTypeInContext(context), nil, 0, 0)
    let text = ".rept \(count)\nnop\n.endr"
    let assembly = text.withCString { start in
      // LLVM only reads both strings, and keeps neither.
      LLVMGetInlineAsm(type, UnsafeMutablePointer(mutating: start), text.utf8.count, nil, 0, 1, 0, LLVMInlineAsmDialectATT, 0)
    }
    _ = LLVMBuildCall2(instructions, type, assembly, nil, 0, "")
  }

  @discardableResult
  func call(_ function: Function, _ operands: [Value]) -> Value {
    var references = operands.map(\.reference)
    return Value(
      reference: LLVMBuildCall2(
        instructions, function.type.reference, function.value.reference, &references, UInt32(references.count), ""))
  }

  func returnNothing() { _ = LLVMBuildRetVoid(instructions) }

  func returnValue(_ value: Value) { _ = LLVMBuildRet(instructions, value.reference) }
}
