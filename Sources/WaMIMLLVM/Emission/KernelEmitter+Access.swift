import CLLVM
import WaMIMCompiler

extension KernelEmitter {
  /// One element, as a float32.
  func loadScalar(_ argument: Int, _ address: Address) -> Value {
    asNumbers(builder.load(elementType(argument), address), from: argument, lanes: 1)
  }

  /// The elements of `count` columns from `column` on, in the first lanes; `address` is the element at column 0.
  func load(_ access: Access, from address: Address, column: Value, at loops: LoopIndices, lanes: Int, count: Int) -> Value {
    let element = elementType(access.argument)
    let loaded =
      if access.strides.last == 1 && !access.picksByColumn {
        builder.load(element, builder.advance(address, by: column), count: count, lanes: lanes)
      } else {
        gather(access, from: address, column: column, at: loops, lanes: lanes, count: count)
      }
    return asNumbers(loaded, from: access.argument, lanes: lanes)
  }

  private func gather(_ access: Access, from address: Address, column: Value, at loops: LoopIndices, lanes: Int, count: Int)
    -> Value
  {
    let element = elementType(access.argument)
    let elements = addresses(access, from: address, column: column, at: loops, count: count).map { builder.load(element, $0) }
    guard lanes > 1 else { return elements.first ?? builder.undefined(element) }
    let zero = Value(reference: LLVMConstNull(builder.vector(element, lanes: lanes).reference))
    return elements.enumerated().reduce(zero) { builder.insert($1.element, into: $0, lane: $1.offset) }
  }

  /// Writes the first lanes to the elements of `count` columns from `column` on; `address` is the element at column 0.
  func store(_ value: Value, _ access: Access, to address: Address, column: Value, at loops: LoopIndices, lanes: Int, count: Int) {
    let elements = asElements(value, of: access.argument, lanes: lanes)
    if access.strides.last == 1 && !access.picksByColumn {
      return builder.store(elements, builder.advance(address, by: column), count: count, lanes: lanes)
    }
    for (lane, address) in addresses(access, from: address, column: column, at: loops, count: count).enumerated() {
      builder.store(lanes == 1 ? elements : builder.extract(elements, lane: lane), address)
    }
  }

  /// Where the elements of consecutive columns lie.
  private func addresses(_ access: Access, from address: Address, column: Value, at loops: LoopIndices, count: Int) -> [Address] {
    (0..<count).map { lane in
      let column = builder.addIntegers(column, builder.index(lane))
      guard access.picksByColumn else {
        return builder.advance(address, by: builder.multiplyIntegers(column, builder.index(access.strides.last ?? 0)))
      }
      return self.address(access, at: loops.nesting([column]))
    }
  }

  private func asNumbers(_ elements: Value, from argument: Int, lanes: Int) -> Value {
    switch kernel.arguments[argument].element {
    case .float32: elements
    case .bfloat16: builder.widened(elements, lanes: lanes)
    case .int32: builder.floats(fromIntegers: elements, lanes: lanes)
    }
  }

  private func asElements(_ numbers: Value, of argument: Int, lanes: Int) -> Value {
    switch kernel.arguments[argument].element {
    case .float32: numbers
    case .bfloat16: builder.rounded(numbers, lanes: lanes)
    case .int32: builder.integers(nearest: numbers, lanes: lanes)
    }
  }
}

extension Access {
  /// Whether its table of rows is read anew in each column.
  fileprivate var picksByColumn: Bool { (pick?.strides.last ?? 0) != 0 }
}
