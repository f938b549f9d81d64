import CUDASupport
import Testing
import WaMIMCUDA
import WaMIMCompiler

/// Whether small programs tell a GPU that computes something else from the emulator.
struct CalibrationTests {
  /// An emulator whose results are `damaged` after each function.
  private final class Damaged: DeviceFunctions {
    private let kernels: EmulatedKernels
    private let damage: (UnsafeMutableRawBufferPointer) -> Void

    init(ptx: String, damage: @escaping (UnsafeMutableRawBufferPointer) -> Void) throws {
      kernels = try EmulatedKernels(ptx: ptx)
      self.damage = damage
    }

    func launch(
      _ name: String, blocks: Int, threads: Int, sharedBytes: Int, _ pointers: [UnsafeMutableRawPointer],
      tensorMaps: [DeviceCode.TensorMap], isTable: Bool, memory: [UnsafeMutableRawBufferPointer], order: UInt64
    ) throws {
      try kernels.launch(
        name, blocks: blocks, threads: threads, sharedBytes: sharedBytes, pointers, tensorMaps: tensorMaps, isTable: isTable,
        memory: memory, order: order)
      memory.last.map(damage)
    }
  }

  /// The last bit of a number in the middle tells exact programs apart, and products where it is one of the upper bits.
  @Test(arguments: [0x1, 0x10000] as [UInt32]) func aWrongBitIsFound(bit: UInt32) throws {
    let outcomes = try Calibration.run { ptx in
      try Damaged(ptx: ptx) { results in
        let words = results.bindMemory(to: UInt32.self)
        // A number whose bits are those of one; others may be no numbers in both.
        let index = words.indices.first { Float(bitPattern: words[$0]).isNormal && abs(Float(bitPattern: words[$0])) > 0.5 }
        if let index { words[index] ^= bit }
      }
    }
    for outcome in outcomes where outcome.program != "shared memory" && outcome.program != "integers" {
      #expect(outcome.equalWords == outcome.words - 1, "\(outcome)")
      #expect(outcome.isGood == (outcome.error != nil && bit == 1), "\(outcome)")
    }
  }

  @Test func programsThatAgreeAreGood() throws {
    let outcomes = try Calibration.run { try EmulatedKernels(ptx: $0) }
    #expect(outcomes.allSatisfy { $0.isGood && $0.words > 0 })
  }
}
