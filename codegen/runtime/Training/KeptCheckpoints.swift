import Glibc

/// The checkpoints of earlier steps that a run's folder keeps beside the newest: checkpoint-STEP.safetensors.
enum KeptCheckpoints {
  private static let prefix = "checkpoint-"
  private static let suffix = ".safetensors"

  /// The path of the checkpoint of `step` in the folder `path`.
  static func path(in path: String, step: Int) -> String {
    let digits = String(step)
    return "\(path)/\(prefix)\(String(repeating: "0", count: max(0, 8 - digits.count)))\(digits)\(suffix)"
  }

  /// The steps whose checkpoints the folder keeps, in ascending order.
  static func steps(in path: String) -> [Int] {
    FileSystem.names(in: path).compactMap(step).sorted()
  }

  /// The step whose checkpoint has this name, or nil where it is none.
  static func step(of name: String) -> Int? {
    guard name.hasPrefix(prefix), name.hasSuffix(suffix) else { return nil }
    let digits = name.dropFirst(prefix.count).dropLast(suffix.count)
    return digits.allSatisfy { ("0"..."9").contains($0) } ? Int(digits) : nil
  }

  /// Gives the newest checkpoint, of `step`, a second name under which it stays when the next one replaces it.
  static func keepNewest(in path: String, step: Int) throws(TrainerError) {
    let kept = Self.path(in: path, step: step)
    let newest = RunFolder.checkpoint(in: path)
    if link(newest, kept) == 0 || errno == EEXIST { return }
    // Not every file system has links.
    try FileSystem.copy(newest, to: kept)
  }

  /// Removes all but the last `count` of those of steps up to `step`, and all of later ones, which belong to a run that began again.
  static func prune(in path: String, keeping count: Int, upTo step: Int) {
    let steps = steps(in: path)
    let kept = Set(steps.filter { $0 <= step }.suffix(count))
    for step in steps where !kept.contains(step) { unlink(Self.path(in: path, step: step)) }
  }
}
