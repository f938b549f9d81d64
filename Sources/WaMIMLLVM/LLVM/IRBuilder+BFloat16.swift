import CLLVM
import WaMIMGraph

// bf16 numbers are the upper halves of float32 ones: 16 bits each in memory, two of them in 32 bits where they are multiplied in pairs.

extension IRBuilder {
  /// Loads `count` consecutive elements of floating-point numbers as float32 into the first of `lanes` lanes; the other lanes are 0.
  func loadNumbers(_ address: Address, count: Int, lanes: Int) -> Value {
    guard address.element == .bfloat16 else { return load(float, address, count: count, lanes: lanes) }
    return widened(load(int16, address, count: count, lanes: lanes), lanes: lanes)
  }

  /// Loads `lanes` consecutive elements of floating-point numbers as float32.
  func loadNumbers(_ address: Address, lanes: Int = 1) -> Value { loadNumbers(address, count: lanes, lanes: lanes) }

  /// Stores the first `count` lanes of float32 numbers, rounded where the array is of bf16.
  func storeNumbers(_ value: Value, _ address: Address, count: Int, lanes: Int) {
    store(address.element == .bfloat16 ? rounded(value, lanes: lanes) : value, address, count: count, lanes: lanes)
  }

  /// bf16 numbers, 16 bits each, as float32.
  func widened(_ halves: Value, lanes: Int) -> Value {
    bitcast(shiftLeft(extended(halves, lanes: lanes), integer(16, lanes: lanes)), to: vector(float, lanes: lanes))
  }

  /// The nearest bf16 numbers, 16 bits each, the even one of two that are as near; what is not a number stays so.
  func rounded(_ value: Value, lanes: Int) -> Value {
    if let intrinsic = processor.instructionSet.pairs?.rounding, lanes == self.lanes {
      return bitcast(callIntrinsic(intrinsic, [value]), to: vector(int16, lanes: lanes))
    }
    let bits = bitcast(value, to: vector(int32, lanes: lanes))
    func number(_ value: Int32) -> Value { integer(value, lanes: lanes) }
    let isOdd = and(shiftRightUnsigned(bits, number(16)), number(1))
    let nearest = addIntegers(bits, addIntegers(isOdd, number(0x7FFF)))
    let quiet = or(bits, number(0x40_0000))
    let isNumber = compare(LLVMRealORD, value, value)
    return halves(shiftRightUnsigned(select(isNumber, nearest, quiet), number(16)), lanes: lanes)
  }

  /// The nearest bf16 numbers as float32.
  func nearestBFloat16(_ value: Value, lanes: Int) -> Value { widened(rounded(value, lanes: lanes), lanes: lanes) }

  /// Two vectors of bf16 numbers as pairs of 32 bits, those of `first` in the lower halves; zeros where there is no second.
  func paired(_ first: Value, _ second: Value?, lanes: Int) -> Value {
    let low = extended(first, lanes: lanes)
    guard let second else { return low }
    return or(low, shiftLeft(extended(second, lanes: lanes), integer(16, lanes: lanes)))
  }

  /// Each sum and the two products of the numbers in a pair of `left` and one of `right`.
  ///
  /// - Requires: The processor has such an instruction.
  func multiplyAddPairs(_ left: Value, _ right: Value, _ sum: Value) -> Value {
    guard let products = processor.instructionSet.pairs else { preconditionFailure("\(processor.name) multiplies no pairs") }
    return callIntrinsic(products.multiplyAdd, [sum, left, right])
  }

  /// 16 bits each in the lower halves of 32.
  func extended(_ halves: Value, lanes: Int) -> Value {
    Value(reference: LLVMBuildZExt(instructions, halves.reference, vector(int32, lanes: lanes).reference, ""))
  }

  private func halves(_ value: Value, lanes: Int) -> Value {
    Value(reference: LLVMBuildTrunc(instructions, value.reference, vector(int16, lanes: lanes).reference, ""))
  }

  /// Calls an intrinsic of a processor, whose operands have the same bits in every version of LLVM, but not the same types.
  private func callIntrinsic(_ name: String, _ operands: [Value]) -> Value {
    let identifier = LLVMLookupIntrinsicID(name, name.utf8.count)
    let overloads = LLVMIntrinsicIsOverloaded(identifier) != 0 ? intrinsicOverloads(operands) : []
    var types = overloads.map(\.reference)
    let function = LLVMIntrinsicGetType(context, identifier, &types, types.count)
    var parameters = [LLVMTypeRef?](repeating: nil, count: operands.count)
    LLVMGetParamTypes(function, &parameters)
    let cast = zip(operands, parameters).map { bitcast($0, to: IRType(reference: $1)) }
    return callIntrinsic(name, overloads: overloads, cast)
  }

  /// The types that an overloaded intrinsic is for: of its result, and of its factors as vectors of bf16.
  private func intrinsicOverloads(_ operands: [Value]) -> [IRType] {
    let bfloat = IRType(reference: LLVMBFloatTypeInContext(context))
    return [type(of: operands[0])] + (operands.count > 1 ? [vector(bfloat, lanes: 2 * lanes)] : [])
  }
}
