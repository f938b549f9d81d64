/// The vector and matrix instructions that code is made of, and the sizes that suit them: a row of a table.
///
/// Emitters take sizes from the row of their processor. None of them asks which processor it is.
public struct InstructionSet: Hashable, Sendable {
  /// What dumps call it.
  public let name: String
  package let architecture: Architecture
  /// The features that a processor must have, by LLVM's names.
  package let features: [String]
  package let vectorBytes: Int
  /// Vector registers that code can use.
  package let registerCount: Int
  /// Whether a product and a sum can be one instruction that rounds once.
  package let hasFusedMultiplyAdd: Bool
  /// LLVM's intrinsic that multiplies whole vectors by powers of two, where there is such an instruction.
  package var scaling: String?
  /// The register tiles of matmuls.
  package let matmul: RegisterTile
  /// Rows of the register tiles of attention, the highest first; they are two vectors wide at most.
  package let attentionRows: [Int]
  /// The least that the L2 cache of a core holds.
  package let l2Bytes: Int
  /// What multiplies pairs of bf16 numbers, where there are such instructions.
  package var pairs: PairInstructions?
  package var matrix: MatrixInstructions?

  /// Sums that a microkernel holds in registers.
  package struct RegisterTile: Hashable, Sendable {
    /// Rows of tiles, the highest first; each remainder is taken by the highest one that still fits.
    package let rows: [Int]
    /// Vectors side by side in the widest tile.
    package let vectors: Int
  }

  /// Bytes of one way of an L1 cache, everywhere: addresses as far apart share a set of 8 to 12 lines.
  package static let l1WayBytes = 4096

  /// float32 elements of a vector register.
  package var lanes: Int { vectorBytes / MemoryLayout<Float>.size }
}

/// Vector instructions on bf16 numbers, by the names of LLVM's intrinsics.
package struct PairInstructions: Hashable, Sendable {
  /// Adds to each float32 sum the two products of a pair of numbers with another pair.
  package let multiplyAdd: String
  /// Rounds float32 numbers to the nearest bf16 ones, the even one of two that are as near; nil where several instructions do.
  package let rounding: String?

  /// AVX-512 BF16.
  package static let avx512 = PairInstructions(
    multiplyAdd: "llvm.x86.avx512bf16.dpbf16ps.512", rounding: "llvm.x86.avx512bf16.cvtneps2bf16.512")
  /// ARMv8.2's BF16; vectors are rounded by arithmetic on their bits.
  package static let neon = PairInstructions(multiplyAdd: "llvm.aarch64.neon.bfdot", rounding: nil)
}

/// Instructions that multiply whole matrices of bf16 numbers and add the products up in float32.
package struct MatrixInstructions: Hashable, Sendable {
  /// What dumps call them.
  package let name: String
  package let registerCount: Int
  /// Rows of a register, and elements of 32 bits in each: sums, or pairs of factors.
  package let rows: Int
  package let columns: Int
  /// bf16 numbers that a float32 factor is split into.
  package let splits: Int

  /// Intel's AMX with `tdpbf16ps`.
  package static let amx = MatrixInstructions(name: "amx", registerCount: 8, rows: 16, columns: 16, splits: 3)
}

extension InstructionSet {
  // Tiles of matmuls take all registers but those for a row of the right side and one element of the left: 24 + 3 + 1 of 32, 12 + 2 + 1
  // of 16.
  private static let tileOf16 = RegisterTile(rows: [6, 4, 2, 1], vectors: 2)
  private static let tileOf32 = RegisterTile(rows: [8, 4, 2, 1], vectors: 3)

  /// All rows, those with fewer instructions first.
  package static let all = [
    InstructionSet(
      name: "sse", architecture: .x86, features: [], vectorBytes: 16, registerCount: 16, hasFusedMultiplyAdd: false,
      matmul: tileOf16, attentionRows: [6, 5, 4], l2Bytes: 512 << 10),
    InstructionSet(
      name: "avx", architecture: .x86, features: ["avx"], vectorBytes: 32, registerCount: 16, hasFusedMultiplyAdd: false,
      matmul: tileOf16, attentionRows: [6, 5, 4], l2Bytes: 512 << 10),
    InstructionSet(
      name: "avx2", architecture: .x86, features: ["avx", "fma"], vectorBytes: 32, registerCount: 16, hasFusedMultiplyAdd: true,
      matmul: tileOf16, attentionRows: [6, 5, 4], l2Bytes: 512 << 10),
    InstructionSet(
      name: "avx512", architecture: .x86, features: ["avx", "avx512f", "fma"], vectorBytes: 64, registerCount: 32,
      hasFusedMultiplyAdd: true, scaling: "llvm.x86.avx512.mask.scalef.ps.512", matmul: tileOf32, attentionRows: [12, 10, 8, 6],
      l2Bytes: 1 << 20),
    InstructionSet(
      name: "avx512", architecture: .x86, features: ["avx", "avx512f", "fma", "avx512bf16"], vectorBytes: 64, registerCount: 32,
      hasFusedMultiplyAdd: true, scaling: "llvm.x86.avx512.mask.scalef.ps.512", matmul: tileOf32, attentionRows: [12, 10, 8, 6],
      l2Bytes: 1 << 20, pairs: .avx512),
    InstructionSet(
      name: "avx512", architecture: .x86, features: ["avx", "avx512f", "fma", "avx512bf16", "amx-tile", "amx-bf16"],
      vectorBytes: 64, registerCount: 32, hasFusedMultiplyAdd: true, scaling: "llvm.x86.avx512.mask.scalef.ps.512",
      matmul: tileOf32, attentionRows: [12, 10, 8, 6], l2Bytes: 1 << 20, pairs: .avx512, matrix: .amx),
    InstructionSet(
      name: "neon", architecture: .arm, features: [], vectorBytes: 16, registerCount: 32, hasFusedMultiplyAdd: true,
      matmul: tileOf32, attentionRows: [12, 10, 8, 6], l2Bytes: 512 << 10),
    InstructionSet(
      name: "neon", architecture: .arm, features: ["neon", "bf16"], vectorBytes: 16, registerCount: 32,
      hasFusedMultiplyAdd: true, matmul: tileOf32, attentionRows: [12, 10, 8, 6], l2Bytes: 512 << 10, pairs: .neon),
  ]

  /// The row with the most instructions that a processor of `architecture` with `features` has.
  package static func best(_ architecture: Architecture, features: [String]) -> InstructionSet {
    let rows = all.filter { $0.architecture == architecture }
    // Each architecture has a row that takes no features.
    return rows.last { $0.features.allSatisfy(features.contains) } ?? all[0]
  }
}
