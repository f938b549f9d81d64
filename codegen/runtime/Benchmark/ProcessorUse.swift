import Glibc

/// How much time the machine's processors have worked so far, for whomever, and for this process.
struct ProcessorUse {
  private var moment: Double
  private var machineSeconds: Double
  private var ownSeconds: Double
  private var processors: Int

  /// What has been used until now, or nil where the system does not say.
  static func now() -> ProcessorUse? {
    guard let text = try? FileSystem.readText("/proc/stat"), let machine = busySeconds(statistics: text) else { return nil }
    var usage = rusage()
    getrusage(RUSAGE_SELF.rawValue, &usage)
    func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + 1e-6 * Double(time.tv_usec) }
    return ProcessorUse(
      moment: Clock.seconds, machineSeconds: machine, ownSeconds: seconds(usage.ru_utime) + seconds(usage.ru_stime),
      processors: max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))))
  }

  /// The share of the machine that others used since `earlier`, or nil after so short a time that nobody can say.
  func shareOfOthers(since earlier: ProcessorUse) -> Double? {
    let seconds = moment - earlier.moment
    guard seconds > 0.2 else { return nil }
    let others = (machineSeconds - earlier.machineSeconds) - (ownSeconds - earlier.ownSeconds)
    return min(1, max(0, others / (seconds * Double(processors))))
  }

  /// The seconds that all processors together have not been idle, by the text of /proc/stat.
  private static func busySeconds(statistics text: String) -> Double? {
    guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix("cpu ") }) else { return nil }
    // user nice system idle iowait irq softirq steal; what follows is counted in user time already.
    let ticks = line.split(separator: " ").dropFirst().compactMap { Double($0) }
    guard ticks.count >= 8 else { return nil }
    return (ticks[0] + ticks[1] + ticks[2] + ticks[5] + ticks[6] + ticks[7]) / Double(max(1, sysconf(Int32(_SC_CLK_TCK))))
  }
}
