import CLLVM
import WaMIMCompiler

// The matrix unit that some x86 processors have beside their vectors (AMX): eight registers of 16 rows of 64 bytes, and an instruction
// that multiplies two of them and adds the product to a third. Its factors are numbers of 16 bits, its sums are single precision.

/// A register of the matrix unit.
struct MatrixRegister {
  /// Rows of a register.
  static let rows = MatrixInstructions.amx.rows
  /// Elements of 32 bits in a row: sums, or pairs of factors.
  static let columns = MatrixInstructions.amx.columns
  /// Elements of 32 bits in a register.
  static let elements = rows * columns

  /// From 0 to 7.
  let number: Int
}

extension IRBuilder {
  /// Makes all registers of the matrix unit whole ones, until `releaseMatrixUnit`; both belong to the calling thread.
  func configureMatrixUnit() {
    // The first palette; of each register the bytes of a row, and its rows.
    let registers = MatrixInstructions.amx.registerCount
    var bytes = [UInt8](repeating: 0, count: 64)
    bytes[0] = 1
    for register in 0..<registers {
      bytes[16 + 2 * register] = UInt8(4 * MatrixRegister.columns)
      bytes[48 + register] = UInt8(MatrixRegister.rows)
    }
    let name = "matrix_registers"
    let configuration = globalBytes(named: name) ?? self.bytes(name, bytes, alignment: 64)
    _ = callIntrinsic("llvm.x86.ldtilecfg", overloads: [], [configuration])
  }

  /// Leaves nothing in the matrix unit that the operating system would have to keep for the thread.
  func releaseMatrixUnit() {
    _ = callIntrinsic("llvm.x86.tilerelease", overloads: [], [])
  }

  func clear(_ register: MatrixRegister) {
    _ = callIntrinsic("llvm.x86.tilezero", overloads: [], [name(register)])
  }

  /// Loads rows that begin `stride` elements apart.
  func load(_ register: MatrixRegister, from place: Address, stride: Value) {
    _ = callIntrinsic("llvm.x86.tileloadd64", overloads: [], [name(register), bytePointer(place), bytes(stride)])
  }

  /// Stores rows that begin `stride` elements apart.
  func store(_ register: MatrixRegister, to place: Address, stride: Value) {
    _ = callIntrinsic("llvm.x86.tilestored64", overloads: [], [name(register), bytePointer(place), bytes(stride)])
  }

  /// Adds to each element of `sums` the products of a row of pairs on the left and a column of pairs on the right.
  func addProducts(_ left: MatrixRegister, _ right: MatrixRegister, to sums: MatrixRegister) {
    _ = callIntrinsic("llvm.x86.tdpbf16ps", overloads: [], [name(sums), name(left), name(right)])
  }

  private func name(_ register: MatrixRegister) -> Value {
    Value(reference: LLVMConstInt(byte.reference, UInt64(register.number), 0))
  }

  private func bytes(_ elements: Value) -> Value { multiplyIntegers(elements, index(MemoryLayout<Float>.size)) }

  private func bytePointer(_ place: Address) -> Value { bitcast(pointer(place), to: bytePointer) }
}

// MARK: Numbers in parts

extension IRBuilder {
  /// Parts that a number of single precision is the sum of, each of 8 bits, so that it fits the upper half of a number's 32.
  static let partCount = MatrixInstructions.amx.splits

  /// The parts of two vectors, the largest first: in each lane the second vector's 16 bits above the first one's.
  ///
  /// All parts but the last are rounded to the nearest, so that the next one is small: 2⁻⁸ of a number at most, and the last 2⁻¹⁷.
  /// Numbers from 3.39e38 on, infinities included, have parts that are not numbers, and those below 2⁻¹⁰⁹ may lose their last part.
  func pairedParts(_ first: Value, _ second: Value, lanes: Int) -> [Value] {
    let (integers, floats) = (vector(int32, lanes: lanes), vector(float, lanes: lanes))
    let (upperHalf, half) = (integer(-0x1_0000, lanes: lanes), integer(0x8000, lanes: lanes))
    var rests = [first, second]
    return (0..<IRBuilder.partCount).map { part in
      let isLast = part == IRBuilder.partCount - 1
      let bits = rests.map { rest in
        let bits = bitcast(rest, to: integers)
        return and(isLast ? bits : addIntegers(bits, half), upperHalf)
      }
      if !isLast { rests = zip(rests, bits).map { subtract($0, bitcast($1, to: floats)) } }
      return or(bits[1], shiftRightUnsigned(bits[0], integer(16, lanes: lanes)))
    }
  }
}
