import Glibc

/// Calls `body` with the path of a file that holds `count` bytes and lies in memory alone.
func withMemoryFile(_ bytes: UnsafePointer<UInt8>, _ count: Int, _ body: (String) -> Void) {
  let descriptor = memfd_create("fuzz", 0)
  precondition(descriptor >= 0)
  defer { close(descriptor) }
  precondition(count == 0 || write(descriptor, bytes, count) == count)
  body("/proc/self/fd/\(descriptor)")
}
