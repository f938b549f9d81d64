import WaMIMCompiler

/// Where nested loops stand.
struct LoopIndices {
  /// The index of each loop, outermost first; a loop over units counts from the first unit of the call, one over a block of rows
  /// from the first row of the block.
  var values: [Value]
  /// The index of the first loop among all units or rows, for arrays that do not move with the unit; nil where that is `values[0]`.
  var first: Value?

  /// The indices with those of further loops inside.
  func nesting(_ inner: [Value]) -> LoopIndices {
    LoopIndices(values: values + inner, first: first)
  }
}

extension KernelEmitter {
  /// The element that an access means where the loops stand, at column 0.
  func address(_ access: Access, at loops: LoopIndices) -> Address {
    var element = position(in: access.argument, offset: access.offset, strides: access.strides, at: loops)
    if let pick = access.pick {
      let entry = position(in: pick.argument, offset: pick.offset, strides: pick.strides, at: loops)
      element = builder.addIntegers(element, pickedRow(pick, entry: entry))
    }
    return Address(base: pointers[access.argument], index: element, element: kernel.arguments[access.argument].element)
  }

  /// The elements that a pick adds, by an entry of its table.
  func pickedRow(_ pick: Access.Pick, entry: Value) -> Value {
    let row = builder.load(builder.int32, Address(base: pointers[pick.argument], index: entry))
    return builder.multiplyIntegers(builder.index(fromInt32: row), builder.index(pick.stride))
  }

  /// `offset` plus each loop's index times its stride.
  func position(in argument: Int, offset: Int, strides: [Int], at loops: LoopIndices) -> Value {
    var element = builder.index(offset)
    for (loop, (index, stride)) in zip(loops.values, strides).enumerated() where stride != 0 {
      let isAmongAll = loop == 0 && kernel.arguments[argument].unitStride == 0 && kernel.arguments[argument].access != .workspace
      let index = isAmongAll ? loops.first ?? index : index
      element = builder.addIntegers(element, builder.multiplyIntegers(index, builder.index(stride)))
    }
    return element
  }
}
