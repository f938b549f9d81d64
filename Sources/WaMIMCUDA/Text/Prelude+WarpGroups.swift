extension Prelude {
  /// Copies of tiles by the tensor copy engine, and products by warp groups, for the architectures that have them.
  ///
  /// - Parameter columns: The columns of the tiles that products are wanted of.
  static func warpGroups(columns: [Int]) -> String {
    ([copies] + columns.map(products)).joined(separator: "\n\n") + "\n"
  }

  private static let copies = """

    // What the tensor copy engine has to know of an array; the runtime writes it.
    struct ALIGNED(64) TensorMap { unsigned long long words[16]; };
    template <int count, int map_count> struct AddressesAndMaps {
      void* at[count];
      TensorMap maps[map_count];
    };
    // Where a parameter lies, by its name in PTX: what C++ takes the address of, LLVM copies.
    #define ADDRESS_OF_PARAMETER(name) ({ \\
      unsigned long long found; \\
      asm("{.reg .b64 %%at; mov.b64 %%at, " name "; cvta.param.u64 %0, %%at;}" : "=l"(found)); \\
      found; })

    #if defined(__clang__)
    DEVICE unsigned shared_address(const void* at) {
      return (unsigned)(unsigned long long)(__attribute__((address_space(3))) const void*)at;
    }
    #else
    DEVICE unsigned shared_address(const void* at) { return (unsigned)__cvta_generic_to_shared(at); }
    #endif

    // Barriers in shared memory: a phase ends when all have arrived and all bytes that are expected have come.
    DEVICE void make_barrier(unsigned barrier, int arrivals) {
      asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" :: "r"(barrier), "r"(arrivals) : "memory");
    }
    DEVICE void publish_barriers() { asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory"); }
    DEVICE void arrive(unsigned barrier) {
      asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" :: "r"(barrier) : "memory");
    }
    DEVICE void arrive_expecting(unsigned barrier, int bytes) {
      asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" :: "r"(barrier), "r"(bytes) : "memory");
    }
    // Waits for the end of a phase, which are numbered 0 and 1 in turn; the one before the first has ended.
    DEVICE void wait_for_phase(unsigned barrier, int phase) {
      unsigned ended;
      do {
        asm volatile(
            "{.reg .pred %%ended; mbarrier.try_wait.parity.shared::cta.b64 %%ended, [%1], %2; selp.u32 %0, 1, 0, %%ended;}"
            : "=r"(ended) : "r"(barrier), "r"(phase) : "memory");
      } while (!ended);
    }

    // Begins to copy a tile to shared memory; its bytes come to a barrier. Numbers beyond the array's ends are zero.
    DEVICE void copy_tile(unsigned to, unsigned barrier, unsigned long long map, int x, int y) {
      asm volatile(
          "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%2, {%3, %4}], [%1];"
          :: "r"(to), "r"(barrier), "l"(map), "r"(x), "r"(y) : "memory");
    }
    DEVICE void copy_tile(unsigned to, unsigned barrier, unsigned long long map, int x, int y, int z) {
      asm volatile(
          "cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%2, {%3, %4, %5}], [%1];"
          :: "r"(to), "r"(barrier), "l"(map), "r"(x), "r"(y), "r"(z) : "memory");
    }
    DEVICE void copy_tile(unsigned to, unsigned barrier, unsigned long long map, int x, int y, int z, int w) {
      asm volatile(
          "cp.async.bulk.tensor.4d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%2, {%3, %4, %5, %6}], [%1];"
          :: "r"(to), "r"(barrier), "l"(map), "r"(x), "r"(y), "r"(z), "r"(w) : "memory");
    }

    // Registers that each thread of a warp group has, which it takes of others or leaves to them.
    template <int count> DEVICE void take_registers() { asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" :: "n"(count)); }
    template <int count> DEVICE void leave_registers() { asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" :: "n"(count)); }

    // Products of a warp group run beside it, one group of them after the other.
    DEVICE void begin_products() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
    DEVICE void end_products() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
    template <int count> DEVICE void wait_for_products() {
      asm volatile("wgmma.wait_group.sync.aligned %0;" :: "n"(count) : "memory");
    }
    // A tile in shared memory, its lines of 128 bytes swizzled: eight lines take 1024 bytes; where they hold rows or columns, the next
    // 64 of those begin 8192 bytes on.
    DEVICE unsigned long long described(unsigned tile) {
      return (unsigned long long)(tile >> 4) | 512ull << 16 | 64ull << 32 | 1ull << 62;
    }
    """

  /// The function that adds products of 64 rows and so many columns over 16 terms.
  private static func products(columns: Int) -> String {
    let count = columns / 2
    func lines(_ length: Int, _ piece: (Int) -> String) -> [String] {
      stride(from: 0, to: count, by: length).map { ($0..<$0 + length).map(piece).joined(separator: ", ") }
    }
    let sums = lines(16) { "%\($0)" }.map { "      \"\($0)" }.joined(separator: ", \"\n") + "}, \""
    let operands = lines(8) { "\"+f\"(sums[\($0)])" }.joined(separator: ",\n          ")
    return """
      // Adds the products of 64 rows and \(columns) columns over 16 terms, of which each thread of a warp group has a share. A layout is 0
      // where a tile's lines hold terms, and 1 where they hold rows or columns.
      template <int left_layout, int right_layout>
      DEVICE void add_group_products(float (&sums)[\(count)], unsigned long long left, unsigned long long right) {
        asm volatile(
            "{.reg .pred %%adds; setp.eq.u32 %%adds, 0, 0; wgmma.mma_async.sync.aligned.m64n\(columns)k16.f32.bf16.bf16 {"
      \(sums)
            "%\(count), %\(count + 1), %%adds, 1, 1, %\(count + 2), %\(count + 3);}"
            : \(operands)
            : "l"(left), "l"(right), "n"(left_layout), "n"(right_layout) : "memory");
      }
      """
  }
}
