import CLLVM
import WaMIMGraph

// The numbers of a product's sides on their way to AMX: vectors of sixteen, of which two become the rows of a register, in pairs of bf16.

extension AMXTiling {
  /// What the names of functions end with.
  var suffix: String { factor == .bfloat16 ? "_bf16" : "" }
}

extension IRBuilder {
  /// Loads sixteen factors: float32 numbers as they are, of bf16 ones the bits in the lower halves of float32 lanes.
  func loadFactors(_ address: Address) -> Value {
    let lanes = AMXRegister.columns
    guard address.element == .bfloat16 else { return load(float, address, lanes: lanes) }
    return carried(load(int16, address, lanes: lanes))
  }

  /// Loads the factors that a mask has, and touches no others; the other lanes are 0.
  func loadFactors(_ address: Address, where mask: Value) -> Value {
    let lanes = AMXRegister.columns
    guard address.element == .bfloat16 else { return load(float, address, where: mask, lanes: lanes) }
    return carried(load(int16, address, where: mask, lanes: lanes))
  }

  /// bf16 numbers' bits in lanes that can be transposed as those of float32 numbers are.
  private func carried(_ halves: Value) -> Value {
    bitcast(extended(halves, lanes: AMXRegister.columns), to: vector(float, lanes: AMXRegister.columns))
  }

  /// Stores two vectors of factors in pairs, a register's row for each split: to where a block has its first splits and where it has the
  /// others.
  func storeSplits(_ first: Value, _ second: Value, _ tiling: AMXTiling, to address: Address) {
    let lanes = AMXRegister.columns
    guard tiling.factor == .float32 else {
      let bits = [first, second].map { bitcast($0, to: vector(int32, lanes: lanes)) }
      return store(or(bits[0], shiftLeft(bits[1], integer(16, lanes: lanes))), address)
    }
    for (split, pairs) in pairedSplits(first, second, tiling.splits).enumerated() {
      store(pairs, advance(address, by: split * AMXTiling.splitElements))
    }
  }

  /// The bf16 splits of two vectors of float32 numbers, each of 8 bits, so that it fits the upper half of a number's 32: the largest first,
  /// in each lane the second vector's 16 bits above the first one's.
  ///
  /// All splits but the last are rounded to the nearest, so that the next one is small: 2⁻⁸ of a number at most, and the last 2⁻¹⁷.
  /// Numbers from 3.39e38 on, infinities included, have splits that are not numbers, and those below 2⁻¹⁰⁹ may lose their last split.
  private func pairedSplits(_ first: Value, _ second: Value, _ count: Int) -> [Value] {
    let lanes = AMXRegister.columns
    let (integers, floats) = (vector(int32, lanes: lanes), vector(float, lanes: lanes))
    let (upperHalf, half) = (integer(-0x1_0000, lanes: lanes), integer(0x8000, lanes: lanes))
    var rests = [first, second]
    return (0..<count).map { split in
      let isLast = split == count - 1
      let bits = rests.map { rest in
        let bits = bitcast(rest, to: integers)
        return and(isLast ? bits : addIntegers(bits, half), upperHalf)
      }
      if !isLast { rests = zip(rests, bits).map { subtract($0, bitcast($1, to: floats)) } }
      return or(bits[1], shiftRightUnsigned(bits[0], integer(16, lanes: lanes)))
    }
  }
}
