import Glibc

/// Zeroed memory from the operating system, aligned to a page, given back when the last reference goes.
package final class MappedMemory: @unchecked Sendable {
  /// The first byte.
  package let base: UnsafeMutableRawPointer
  package let byteCount: Int

  /// Maps `byteCount` bytes for `purpose`, which an error names before it says what to do instead.
  package init(
    byteCount: Int, for purpose: String,
    advice: String = "compile the model with --memory or a smaller batch, or use fewer --threads"
  ) throws(TrainerError) {
    let byteCount = max(byteCount, 1)
    guard
      let base = mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
      base != MAP_FAILED
    else {
      throw TrainerError(
        "cannot get \(Format.bytes(byteCount)) of memory for \(purpose): \(FileSystem.lastError()); \(advice)")
    }
    self.base = base
    self.byteCount = byteCount
    // Large pages spare the processor most address translations; where there are none, small ones do.
    _ = madvise(base, byteCount, Self.hugePages)
  }

  deinit {
    munmap(base, byteCount)
  }

  /// Linux's MADV_HUGEPAGE.
  private static let hugePages: Int32 = 14
}
