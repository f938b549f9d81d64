import CPlatform
import Glibc

/// The machine that runs the trainer, as records of a run describe it.
package struct Machine: Codable, Sendable {
  package var host: String
  package var processor: String
  /// Processors that this process may use.
  package var processors: Int
  package var memoryBytes: Int
  package var system: String

  private enum CodingKeys: String, CodingKey {
    case host, processor, processors, system
    case memoryBytes = "memory_bytes"
  }

  /// This machine.
  package static var current: Machine {
    var names = utsname()
    uname(&names)
    return Machine(
      host: hostName, processor: processorName, processors: Int(wamim_available_processors()),
      memoryBytes: sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE)),
      system: "\(text(names.sysname)) \(text(names.release)) \(text(names.machine))")
  }

  /// The machine's name on its network.
  package static var hostName: String {
    var names = utsname()
    uname(&names)
    return text(names.nodename)
  }

  /// Processors of the machine, whichever of them this process may use.
  package static var onlineProcessors: Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }

  /// Bytes of memory that this process has in use, or nil where the system does not say.
  package static var residentBytes: Int? {
    guard let fields = try? FileSystem.readText("/proc/self/statm").split(separator: " "), fields.count > 1,
      let pages = Int(fields[1])
    else { return nil }
    return pages * sysconf(Int32(_SC_PAGESIZE))
  }

  /// The most memory that this process has had in use, in bytes, or 0 where the system does not say.
  ///
  /// What `getrusage` tells is the peak of the process that started this one, where that was larger.
  package static var peakResidentBytes: Int {
    let status = (try? FileSystem.readText("/proc/self/status")) ?? ""
    for line in status.split(separator: "\n") where line.hasPrefix("VmHWM:") {
      let fields = line.split { $0 == " " || $0 == "\t" }
      return fields.count > 1 ? (Int(fields[1]) ?? 0) * 1024 : 0
    }
    return 0
  }

  /// The processor's name, by /proc/cpuinfo.
  private static var processorName: String {
    let text = (try? FileSystem.readText("/proc/cpuinfo")) ?? ""
    for line in text.split(separator: "\n") where line.hasPrefix("model name") || line.hasPrefix("CPU implementer") {
      return line.split(separator: ":", maxSplits: 1).last.map { $0.drop { $0 == " " } }.map(String.init) ?? "unknown"
    }
    return "unknown"
  }

  /// A name of C, an array of fixed size.
  private static func text<Name>(_ name: Name) -> String {
    withUnsafeBytes(of: name) { bytes in String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self) }
  }
}
