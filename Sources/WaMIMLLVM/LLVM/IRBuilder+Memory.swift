import CLLVM
import WaMIMGraph

/// An element of an array.
struct Address {
  /// A pointer to `float`.
  var base: Value
  /// Elements from the base on, a 64-bit integer.
  var index: Value
  /// What the array is of.
  var element = ElementType.float32
}

extension IRBuilder {
  /// The address of another element of the same array.
  func advance(_ address: Address, by elements: Value) -> Address {
    Address(base: address.base, index: addIntegers(address.index, elements), element: address.element)
  }

  func advance(_ address: Address, by elements: Int) -> Address {
    elements == 0 ? address : advance(address, by: index(elements))
  }

  /// The address as a pointer to `float`.
  func pointer(_ address: Address) -> Value {
    var indices = [address.index.reference]
    guard address.element.byteCount == 2 else {
      return Value(reference: LLVMBuildGEP2(instructions, float.reference, address.base.reference, &indices, 1, ""))
    }
    let base = bitcast(address.base, to: pointer(to: int16))
    let element = Value(reference: LLVMBuildGEP2(instructions, int16.reference, base.reference, &indices, 1, ""))
    return bitcast(element, to: floatPointer)
  }

  /// Loads consecutive elements as they are stored: `float`, `int32` or `int16`.
  func load(_ element: IRType, _ address: Address, lanes: Int = 1) -> Value {
    load(vector(element, lanes: lanes), pointer: pointer(address), alignment: address.element.byteCount)
  }

  /// Stores consecutive elements.
  func store(_ value: Value, _ address: Address) {
    store(value, pointer: pointer(address), alignment: address.element.byteCount)
  }

  /// Asks for the line of the cache that holds an element, which need not exist, to be brought into the L2 cache, or the first.
  func prefetch(_ address: Address, toL1: Bool = false) {
    let start = bitcast(pointer(address), to: bytePointer)
    // To be read; how near; data, not instructions.
    let locality = integer(toL1 ? 3 : 2)
    _ = callIntrinsic("llvm.prefetch", overloads: [bytePointer], [start, integer(0), locality, integer(1)])
  }

  /// Bytes of a line of the cache.
  static let lineBytes = 64

  /// Asks the memory for `count` elements one after the other, which begin a line of the cache.
  func prefetch(_ start: Address, count: Int, toL1: Bool = false) {
    for element in stride(from: 0, to: count, by: IRBuilder.lineBytes / start.element.byteCount) {
      prefetch(advance(start, by: element), toL1: toL1)
    }
  }

  /// Loads a value of any type from where `pointer`, of whatever type, points; `alignment` is what is known of it, in bytes.
  func load(_ type: IRType, pointer: Value, alignment: Int) -> Value {
    let typed = bitcast(pointer, to: self.pointer(to: type))
    let load = LLVMBuildLoad2(instructions, type.reference, typed.reference, "")
    LLVMSetAlignment(load, UInt32(alignment))
    return Value(reference: load)
  }

  /// Stores a value of any type to where `pointer`, of whatever type, points; `alignment` is what is known of it, in bytes.
  func store(_ value: Value, pointer: Value, alignment: Int) {
    let typed = bitcast(pointer, to: self.pointer(to: type(of: value)))
    let store = LLVMBuildStore(instructions, value.reference, typed.reference)
    LLVMSetAlignment(store, UInt32(alignment))
  }

  /// Loads `count` consecutive elements into the first of `lanes` lanes and touches no others; the other lanes are 0.
  func load(_ element: IRType, _ address: Address, count: Int, lanes: Int) -> Value {
    guard count < lanes else { return load(element, address, lanes: lanes) }
    var result = Value(reference: LLVMConstNull(vector(element, lanes: lanes).reference))
    for piece in powersOfTwo(in: count) {
      let numbers = load(element, advance(address, by: piece.start), lanes: piece.count)
      result = fill(numbers, of: piece.count, into: result, at: piece.start, lanes: lanes)
    }
    return result
  }

  /// The lanes whose number is below `count`, a 64-bit integer.
  func lanes(below count: Value, lanes: Int) -> Value {
    let numbers = vector((0..<lanes).map { integer(Int32($0)) })
    let limit = minimumInteger(count, index(lanes))
    return compareIntegers(LLVMIntSLT, numbers, splat(int32(fromIndex: limit), lanes: lanes))
  }

  /// Loads consecutive elements as they are stored into the lanes that a mask has, and touches no others; the other lanes are 0.
  func load(_ element: IRType, _ address: Address, where mask: Value, lanes: Int) -> Value {
    let type = vector(element, lanes: lanes)
    let start = bitcast(pointer(address), to: pointer(to: type))
    let alignment = integer(Int32(address.element.byteCount))
    let zeros = Value(reference: LLVMConstNull(type.reference))
    return callIntrinsic("llvm.masked.load", overloads: [type, pointer(to: type)], [start, alignment, mask, zeros])
  }

  /// Loads the elements, `float`, whose numbers from `start` on are the lanes of `indices`, 32 bits each.
  func gather(_ start: Address, _ indices: Value, lanes: Int) -> Value {
    guard lanes > 1 else { return load(float, advance(start, by: index(fromInt32: indices))) }
    var indices = [indices.reference]
    let base = pointer(start)
    let addresses = Value(reference: LLVMBuildGEP2(instructions, float.reference, base.reference, &indices, 1, ""))
    let type = vector(float, lanes: lanes)
    let all = vector([Value](repeating: Value(reference: LLVMConstInt(LLVMInt1TypeInContext(context), 1, 0)), count: lanes))
    return callIntrinsic(
      "llvm.masked.gather", overloads: [type, self.type(of: addresses)], [addresses, integer(4), all, undefined(type)])
  }

  /// Stores the first `count` of a value's lanes and touches nothing else.
  func store(_ value: Value, _ address: Address, count: Int, lanes: Int) {
    guard count < lanes else { return store(value, address) }
    for piece in powersOfTwo(in: count) {
      let numbers =
        piece.count == 1
        ? extract(value, lane: piece.start)
        : shuffle(value, value, (piece.start..<piece.start + piece.count).map { $0 })
      store(numbers, advance(address, by: piece.start))
    }
  }

  /// Puts a short vector, or a scalar, into lanes of a longer one.
  private func fill(_ numbers: Value, of count: Int, into vector: Value, at start: Int, lanes: Int) -> Value {
    guard count > 1 else { return insert(numbers, into: vector, lane: start) }
    let widened = shuffle(numbers, numbers, (0..<lanes).map { $0 < count ? $0 : nil })
    return shuffle(vector, widened, (0..<lanes).map { (start..<start + count) ~= $0 ? lanes + $0 - start : $0 })
  }

  /// Cuts `count` elements into runs whose lengths are powers of two, the longest first.
  private func powersOfTwo(in count: Int) -> [(start: Int, count: Int)] {
    var pieces: [(start: Int, count: Int)] = []
    var start = 0
    while start < count {
      let piece = 1 << (Int.bitWidth - 1 - (count - start).leadingZeroBitCount)
      pieces.append((start, piece))
      start += piece
    }
    return pieces
  }
}
