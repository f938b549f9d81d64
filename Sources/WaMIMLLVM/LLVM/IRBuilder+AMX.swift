import CLLVM
import WaMIMCompiler

// AMX that some x86 processors have beside their vectors (AMX): eight registers of 16 rows of 64 bytes, and an instruction
// that multiplies two of them and adds the product to a third. Its factors are numbers of 16 bits, its sums are float32.

/// A register of AMX.
struct AMXRegister {
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
  /// Makes all registers of AMX whole ones, until `releaseAMX`; both belong to the calling thread.
  func configureAMX() {
    // The first palette; of each register the bytes of a row, and its rows.
    let registers = MatrixInstructions.amx.registerCount
    var bytes = [UInt8](repeating: 0, count: 64)
    bytes[0] = 1
    for register in 0..<registers {
      bytes[16 + 2 * register] = UInt8(4 * AMXRegister.columns)
      bytes[48 + register] = UInt8(AMXRegister.rows)
    }
    let name = "amx_registers"
    let configuration = globalBytes(named: name) ?? self.bytes(name, bytes, alignment: 64)
    _ = callIntrinsic("llvm.x86.ldtilecfg", overloads: [], [configuration])
  }

  /// Leaves nothing in AMX that the operating system would have to keep for the thread.
  func releaseAMX() {
    _ = callIntrinsic("llvm.x86.tilerelease", overloads: [], [])
  }

  func clear(_ register: AMXRegister) {
    _ = callIntrinsic("llvm.x86.tilezero", overloads: [], [name(register)])
  }

  /// Loads rows that begin `stride` elements apart.
  func load(_ register: AMXRegister, from address: Address, stride: Value) {
    _ = callIntrinsic("llvm.x86.tileloadd64", overloads: [], [name(register), bytePointer(address), bytes(stride)])
  }

  /// Stores rows that begin `stride` elements apart.
  func store(_ register: AMXRegister, to address: Address, stride: Value) {
    _ = callIntrinsic("llvm.x86.tilestored64", overloads: [], [name(register), bytePointer(address), bytes(stride)])
  }

  /// Adds to each element of `sums` the products of a row of pairs on the left and a column of pairs on the right.
  func addProducts(_ left: AMXRegister, _ right: AMXRegister, to sums: AMXRegister) {
    _ = callIntrinsic("llvm.x86.tdpbf16ps", overloads: [], [name(sums), name(left), name(right)])
  }

  private func name(_ register: AMXRegister) -> Value {
    Value(reference: LLVMConstInt(byte.reference, UInt64(register.number), 0))
  }

  private func bytes(_ elements: Value) -> Value { multiplyIntegers(elements, index(MemoryLayout<Float>.size)) }

  private func bytePointer(_ address: Address) -> Value { bitcast(pointer(address), to: bytePointer) }
}
