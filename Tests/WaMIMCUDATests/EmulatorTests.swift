import CUDASupport
import Testing

/// What the emulator is for: to find what a kernel does wrong.
@Suite struct EmulatorTests {
  /// A kernel of 64 threads, each of which leaves its number in shared memory and takes that of its neighbour.
  ///
  /// - Parameters:
  ///   - barrier: What stands between the two.
  ///   - offset: Where a thread's result goes, in bytes from its own place.
  private func neighbours(barrier: String = "bar.sync 0;", distance: Int = 1, offset: Int = 0) -> String {
    """
    .version 7.0
    .target sm_80
    .address_size 64
    .visible .entry neighbours(.param .u64 to)
    {
      .reg .b32 %r<9>;
      .reg .b64 %rd<9>;
      .shared .align 4 .b8 numbers[256];
      ld.param.u64 %rd1, [to];
      cvta.to.global.u64 %rd2, %rd1;
      mov.u32 %r1, %tid.x;
      shl.b32 %r2, %r1, 2;
      mov.u32 %r3, numbers;
      add.s32 %r4, %r3, %r2;
      st.shared.u32 [%r4], %r1;
      \(barrier)
      add.s32 %r5, %r1, \(distance);
      and.b32 %r5, %r5, 63;
      shl.b32 %r6, %r5, 2;
      add.s32 %r7, %r3, %r6;
      ld.shared.u32 %r8, [%r7];
      cvt.u64.u32 %rd3, %r2;
      add.s64 %rd4, %rd2, %rd3;
      st.global.u32 [%rd4+\(offset)], %r8;
      ret;
    }
    """
  }

  /// What the kernel leaves in an array of 64 numbers.
  private func run(_ ptx: String, order: UInt64 = 0) throws -> [UInt32] {
    let kernels = try EmulatedKernels(ptx: ptx)
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 256, alignment: 16)
    defer { memory.deallocate() }
    memory.initializeMemory(as: UInt8.self, repeating: 0xff)
    try kernels.launch("neighbours", threads: 64, [try #require(memory.baseAddress)], memory: [memory], order: order)
    return (0..<64).map { memory.load(fromByteOffset: 4 * $0, as: UInt32.self) }
  }

  /// What the emulator says of the kernel.
  private func problem(_ ptx: String, order: UInt64 = 0) -> String {
    do {
      _ = try run(ptx, order: order)
      return "nothing"
    } catch {
      return "\(error)"
    }
  }

  @Test(arguments: 0...5 as ClosedRange<UInt64>) func numbersArriveInEveryOrder(order: UInt64) throws {
    #expect(try run(neighbours(), order: order) == (0..<64).map { ($0 + 1) % 64 })
  }

  @Test(arguments: 0...5 as ClosedRange<UInt64>) func aMissingBarrierIsFound(order: UInt64) {
    #expect(problem(neighbours(barrier: ""), order: order).contains("without a barrier between them"))
  }

  /// A barrier of the warp alone does not order what another warp has written.
  @Test(arguments: 0...5 as ClosedRange<UInt64>) func aBarrierOfTheWarpIsNotEnough(order: UInt64) {
    let text = neighbours(barrier: "bar.warp.sync -1;", distance: 32)
    #expect(problem(text, order: order).contains("without a barrier between them"))
  }

  @Test func anAccessOutOfBoundsIsFound() {
    #expect(problem(neighbours(offset: 4)).contains("outside of device memory"))
    #expect(problem(neighbours(offset: -4)).contains("outside of device memory"))
    #expect(problem(neighbours(offset: 2)).contains("not aligned"))
  }

  /// Threads that write one word race, even if they write the same.
  @Test func twoWritersAreFound() {
    let text = neighbours().replacing("add.s32 %r4, %r3, %r2;", with: "mov.u32 %r4, %r3;")
    #expect(problem(text).contains("two threads write"))
  }

  /// A barrier that only some threads come to is one that the others would wait for without end.
  @Test func aBarrierForSomeThreadsIsFound() {
    let text = neighbours(
      barrier: """
        .reg .pred %p<2>;
        setp.lt.u32 %p1, %r1, 8;
        @%p1 bra skipped;
        bar.sync 0;
        skipped:
        bar.sync 0;
        """)
    #expect(problem(text).contains("barrier"))
  }

  /// A kernel whose only parameter is a table of two addresses, of which it takes the one at byte `offset`.
  private func table(offset: Int) -> String {
    neighbours().replacing(".param .u64 to", with: ".param .align 8 .b8 to[16]").replacing(
      "ld.param.u64 %rd1, [to];", with: "mov.b64 %rd5, to; add.s64 %rd6, %rd5, \(offset); ld.param.u64 %rd1, [%rd6+8];")
  }

  @Test func tablesOfAddressesAreRead() throws {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 256, alignment: 16)
    defer { memory.deallocate() }
    let address = try #require(memory.baseAddress)
    func run(offset: Int, _ addresses: [UnsafeMutableRawPointer]) throws {
      try EmulatedKernels(ptx: table(offset: offset)).launch("neighbours", threads: 64, addresses, memory: [memory])
    }
    try run(offset: 0, [address + 1, address])
    #expect(memory.load(fromByteOffset: 4, as: UInt32.self) == 2)
    let outside = try #require(throws: DeviceError.self) { try run(offset: 8, [address, address]) }
    #expect(outside.description.contains("a parameter is read outside"))
    let tooFew = try #require(throws: DeviceError.self) { try run(offset: 0, [address]) }
    #expect(tooFew.description.contains("it has 2 words of parameters, not 1"))
  }

  @Test func anUnknownInstructionIsNamed() {
    #expect(problem(neighbours(barrier: "vote.sync.ballot.b32 %r8, %r1, %r2;")).contains("vote.sync.ballot.b32"))
  }
}
