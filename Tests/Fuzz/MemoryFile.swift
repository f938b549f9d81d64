import Glibc

/// Calls `body` with the path of a file that holds `count` bytes, lies in memory alone and has no name in any folder.
func withMemoryFile(_ bytes: UnsafePointer<UInt8>, _ count: Int, _ body: (String) -> Void) {
  var name = Array("/dev/shm/wamim-fuzz-XXXXXX".utf8CString)
  let descriptor = mkstemp(&name)
  precondition(descriptor >= 0)
  defer { close(descriptor) }
  unlink(name)
  precondition(count == 0 || write(descriptor, bytes, count) == count)
  body("/proc/self/fd/\(descriptor)")
}
