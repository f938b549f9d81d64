import Glibc

/// Errors of the machine, which say nothing of the file that they befall.
package enum SystemFailure {
  /// Too few file descriptors or too little memory, a disk or a network file system that fails.
  static let codes: Set<Int32> = [
    EMFILE, ENFILE, ENOMEM, EAGAIN, ENOBUFS, EIO, ESTALE, EREMOTEIO, ETIMEDOUT, ENOTCONN, ECONNRESET, EHOSTDOWN, EHOSTUNREACH,
    ENETDOWN, ENETUNREACH,
  ]

  /// Microseconds to wait before each further try.
  private static let pauses: [UInt32] = [50_000, 200_000, 1_000_000]

  /// Calls `body`, and again after a while where the machine failed, as other threads and programs give back what they have.
  package static func retrying<Result>(_ body: () throws(TrainerError) -> Result) throws(TrainerError) -> Result {
    for pause in pauses {
      do {
        return try body()
      } catch {
        guard error.isSystemFailure else { throw error }
        usleep(pause)
      }
    }
    return try body()
  }
}
