import Glibc

/// Numbers as people read them.
package enum Format {
  /// A number with a fixed count of decimals, such as `3.14`.
  package static func fixed(_ value: Double, decimals: Int) -> String {
    guard value.isFinite else { return "\(value)" }
    guard abs(value) < 1e15 else { return "\(value)" }
    var scale = 1.0
    for _ in 0..<decimals { scale *= 10 }
    let scaled = (abs(value) * scale).rounded()
    let digits = String(Int64(scaled.rounded()) as Int64)
    let padded = String(repeating: "0", count: max(0, decimals + 1 - digits.count)) + digits
    let sign = value < 0 && scaled > 0 ? "-" : ""
    guard decimals > 0 else { return sign + padded }
    return sign + padded.dropLast(decimals) + "." + padded.suffix(decimals)
  }

  /// A count of bytes in binary units, such as `1.2 GiB`.
  package static func bytes(_ count: Int) -> String {
    let suffixes = ["bytes", "KiB", "MiB", "GiB", "TiB"]
    var value = Double(count)
    var index = 0
    while value >= 1024 && index < suffixes.count - 1 {
      value /= 1024
      index += 1
    }
    return index == 0 ? "\(count) bytes" : "\(fixed(value, decimals: value < 10 ? 2 : 1)) \(suffixes[index])"
  }

  /// A count in decimal units, such as `86.1 M`.
  package static func count(_ value: Double) -> String {
    let suffixes = ["", " k", " M", " G", " T", " P"]
    var value = value
    var index = 0
    while value >= 1000 && index < suffixes.count - 1 {
      value /= 1000
      index += 1
    }
    return index == 0 ? fixed(value, decimals: 0) : "\(fixed(value, decimals: value < 10 ? 2 : 1))\(suffixes[index])"
  }

  /// A count of things, such as `1 thread` or `2 threads`.
  package static func counted(_ count: Int, _ thing: String) -> String { "\(count) \(thing)\(count == 1 ? "" : "s")" }

  /// A length of time, such as `1 h 05 min` or `12 s`.
  package static func duration(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds >= 0, seconds < 1e9 else { return "?" }
    let whole = Int(seconds.rounded())
    if whole < 60 { return "\(whole) s" }
    if whole < 3600 { return "\(whole / 60) min \(twoDigits(whole % 60)) s" }
    if whole < 86400 { return "\(whole / 3600) h \(twoDigits(whole / 60 % 60)) min" }
    return "\(whole / 86400) d \(twoDigits(whole / 3600 % 24)) h"
  }

  /// A shape, such as `[768, 3, 16, 16]`.
  package static func shape(_ shape: [Int]) -> String {
    "[" + shape.map(String.init).joined(separator: ", ") + "]"
  }

  /// `text` with spaces before it, up to `width` characters.
  package static func right(_ text: String, width: Int) -> String {
    String(repeating: " ", count: max(0, width - text.count)) + text
  }

  /// `text` with spaces after it, up to `width` characters.
  package static func left(_ text: String, width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
  }

  private static func twoDigits(_ value: Int) -> String {
    value < 10 ? "0\(value)" : "\(value)"
  }
}
