import Foundation
import TestSupport
import Testing

/// What a run folder holds when the machine does not let a trainer go on: no command that fails takes anything away.
@Suite("Refusals") struct RefusalTests {
  /// Ways to take a run's steps anew, or to begin another one in its place.
  private static let replacements = [
    "--resume run/checkpoint-00000010.safetensors", "--out run --overwrite --data synthetic:40 --seed 2",
  ]

  /// Makes a run of 30 steps, with checkpoints of some, in the folder `run`.
  private func makeRun(in workshop: borrowing Workshop) throws {
    try workshop.compile("wamim_vit_demo", TrainingTests.tiny)
    let made = try shell("./train fit --data synthetic:40 --epochs 3 --every 5 --keep 9 --out run", in: workshop)
    try #require(made.status == 0, "\(made.errors)")
  }

  private func shell(_ script: String, in workshop: borrowing Workshop) throws -> CommandResult {
    try workshop.run("/bin/bash", ["-c", script])
  }

  /// The files of the run's folder and what they hold, the lock aside.
  private func contents(of workshop: borrowing Workshop) throws -> [String: Data] {
    var result: [String: Data] = [:]
    for name in try FileManager.default.contentsOfDirectory(atPath: workshop.path("run")) where name != "lock" {
      result[name] = try Data(contentsOf: URL(fileURLWithPath: workshop.path("run/\(name)")))
    }
    return result
  }

  @Test("A disk that is full before the first save leaves the run that was there")
  func fullDisk() throws {
    let workshop = try Workshop()
    try makeRun(in: workshop)
    let before = try contents(of: workshop)
    for words in Self.replacements {
      // A file of 300 KiB holds the metrics and no checkpoint.
      let result = try shell("ulimit -f 300; ./train fit \(words)", in: workshop)
      #expect(result.status == 1 && result.errors.contains("File too large"), "\(words): \(result.status) \(result.errors)")
      #expect(try contents(of: workshop) == before, "\(words)")
    }
  }

  @Test("Too little memory is said before anything is changed")
  func littleMemory() throws {
    let workshop = try Workshop()
    try makeRun(in: workshop)
    let before = try contents(of: workshop)
    for words in Self.replacements {
      // What the executable itself takes differs from machine to machine.
      let refused = try (1...80).first { step in
        let result = try shell("ulimit -v \(5_000 * step); ./train fit \(words) --limit-steps 11", in: workshop)
        // What comes before the trainer's first line may crash without memory.
        let isCrash = result.status >= 128 || [SIGSEGV, SIGILL, SIGTRAP, SIGABRT, SIGBUS].contains(result.status)
        guard result.status != 127, !isCrash, !result.errors.contains("loading shared libraries") else { return false }
        #expect(result.status == 1 && result.errors.contains("error: "), "\(words): \(result.status) \(result.errors)")
        #expect(try contents(of: workshop) == before, "\(words)")
        return true
      }
      #expect(refused != nil)
    }
  }

  @Test("A folder that cannot be written to is named, and nothing in it is changed")
  func unwritable() throws {
    let workshop = try Workshop()
    try makeRun(in: workshop)
    let before = try contents(of: workshop)
    // The superuser may write everywhere, and so has to become somebody else.
    let user = getuid() == 0 ? "setpriv --reuid 65534 --regid 65534 --clear-groups" : ""
    for words in Self.replacements + ["--resume run --epochs 4"] {
      let result = try shell("chmod 555 run; \(user) ./train fit \(words); status=$?; chmod 755 run; exit $status", in: workshop)
      #expect(
        result.status == 1 && result.errors.contains("Permission denied") && result.errors.contains("run"),
        "\(words): \(result.status) \(result.errors)")
      #expect(try contents(of: workshop) == before, "\(words)")
    }
  }

  @Test("While a process trains, others are refused whatever they want of its folder, and it is not disturbed")
  func twoProcesses() throws {
    let workshop = try Workshop()
    try makeRun(in: workshop)
    let words = ["--resume run"] + Self.replacements
    let script = """
      set -m
      ./train fit --data synthetic:200 --epochs 100000 --out run --overwrite & process=$!
      until [ -f run/unsaved/metrics.jsonl ] || ! [ -f run/checkpoint-00000010.safetensors ]; do sleep 0.01; done
      \(words.map { "./train fit \($0) && exit 8" }.joined(separator: "\n"))
      kill -TERM $process
      wait $process
      """
    let result = try shell(script, in: workshop)
    #expect(result.status == 0, "\(result.output) \(result.errors)")
    #expect(result.errors.matches(of: /another process/).count == words.count, "\(result.errors)")
  }
}
