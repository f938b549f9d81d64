import Glibc

/// The time: since some fixed moment, unaffected by changes of the time of day, or of the day.
package enum Clock {
  package static var nanoseconds: UInt64 {
    let time = read(CLOCK_MONOTONIC)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }

  /// Nanoseconds since 1970, as file systems count them.
  static var nanosecondsSince1970: Int64 {
    let time = read(CLOCK_REALTIME)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }

  package static var seconds: Double { Double(nanoseconds) * 1e-9 }

  /// Seconds since the beginning of 1970, in UTC.
  package static var secondsSince1970: Double {
    let time = read(CLOCK_REALTIME)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }

  /// The time of day as ISO 8601 writes it, in UTC, such as `2025-03-01T09:30:00Z`.
  package static var timestamp: String {
    var seconds = read(CLOCK_REALTIME).tv_sec
    var fields = tm()
    gmtime_r(&seconds, &fields)
    var text = [UInt8](repeating: 0, count: 32)
    let count = text.withUnsafeMutableBytes {
      strftime($0.baseAddress?.assumingMemoryBound(to: CChar.self), $0.count, "%Y-%m-%dT%H:%M:%SZ", &fields)
    }
    return String(decoding: text.prefix(count), as: UTF8.self)
  }

  private static func read(_ clock: clockid_t) -> timespec {
    var time = timespec()
    clock_gettime(clock, &time)
    return time
  }
}
