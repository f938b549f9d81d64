import Glibc

/// How much memory the process can still get, and who says so.
package struct AvailableMemory: Sendable, Equatable {
  package var bytes: Int
  /// What sets the limit, as a phrase of a sentence.
  package var limitedBy: String

  package init(bytes: Int, limitedBy: String) {
    self.bytes = bytes
    self.limitedBy = limitedBy
  }

  /// The tightest limit on memory in use: the machine's free memory, and the control groups that the process is in.
  package static func resident() -> AvailableMemory? {
    var limits: [AvailableMemory] = []
    if let text = try? FileSystem.readText("/proc/meminfo"), let bytes = machine(meminfo: text) {
      limits.append(AvailableMemory(bytes: bytes, limitedBy: "the machine's free memory"))
    }
    limits += controlGroups()
    return limits.min { $0.bytes < $1.bytes }
  }

  /// What `ulimit -v` leaves of the address space, or nil where there is no limit.
  package static func addressSpace() -> AvailableMemory? {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit) == 0, limit.rlim_cur < UInt64(Int.max) else { return nil }
    let used = (try? FileSystem.readText("/proc/self/statm"))?.split(separator: " ").first.flatMap { Int($0) } ?? 0
    return AvailableMemory(
      bytes: max(0, Int(limit.rlim_cur) - used * Int(getpagesize())), limitedBy: "the limit on address space (ulimit -v)")
  }

  /// `MemAvailable` of /proc/meminfo, in bytes.
  package static func machine(meminfo: String) -> Int? {
    for line in meminfo.split(separator: "\n") where line.hasPrefix("MemAvailable:") {
      let fields = line.split(separator: " ")
      return fields.count > 1 ? Int(fields[1]).map { $0 * 1024 } : nil
    }
    return nil
  }

  /// What the memory limits of the process's control groups, of either version, leave.
  private static func controlGroups() -> [AvailableMemory] {
    guard let text = try? FileSystem.readText("/proc/self/cgroup") else { return [] }
    return folders(cgroup: text).compactMap { folder in
      let limit = number("\(folder.path)/\(folder.limitFile)")
      // No limit reads as `max` in version 2, and as a number beyond any machine in version 1.
      guard let limit, limit < 1 << 60, let used = number("\(folder.path)/\(folder.usageFile)") else { return nil }
      let statistics = (try? FileSystem.readText("\(folder.path)/memory.stat")) ?? ""
      return AvailableMemory(
        bytes: max(0, limit - used + reclaimable(statistics: statistics)), limitedBy: "the control group's limit")
    }
  }

  /// A folder that limits may be read from, and the names of the files there.
  package struct ControlGroupFolder: Equatable {
    package var path: String
    package var limitFile: String
    package var usageFile: String
  }

  /// The folders of the control groups that the text of /proc/self/cgroup names, with all those above them.
  package static func folders(cgroup text: String) -> [ControlGroupFolder] {
    text.split(separator: "\n").flatMap { line -> [ControlGroupFolder] in
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3 else { return [] }
      let isUnified = fields[0] == "0" && fields[1].isEmpty
      guard isUnified || fields[1].split(separator: ",").contains("memory") else { return [] }
      let root = isUnified ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory"
      var components = fields[2].split(separator: "/")
      var folders: [ControlGroupFolder] = []
      while true {
        let path = ([root] + components.map(String.init)).joined(separator: "/")
        folders.append(
          ControlGroupFolder(
            path: path, limitFile: isUnified ? "memory.max" : "memory.limit_in_bytes",
            usageFile: isUnified ? "memory.current" : "memory.usage_in_bytes"))
        if components.popLast() == nil { return folders }
      }
    }
  }

  /// Bytes that the group holds of files and can drop at once.
  private static func reclaimable(statistics: String) -> Int {
    for line in statistics.split(separator: "\n") where line.hasPrefix("inactive_file ") {
      return Int(line.dropFirst("inactive_file ".count)) ?? 0
    }
    return 0
  }

  private static func number(_ path: String) -> Int? {
    guard let text = try? FileSystem.readText(path) else { return nil }
    return text.split(separator: "\n").first.flatMap { Int($0) }
  }
}
