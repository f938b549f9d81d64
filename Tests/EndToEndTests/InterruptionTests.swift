import Foundation
import TestSupport
import Testing

/// Signals that a trainer gets from people and from batch systems.
struct InterruptionTests {
  @Test("A signal ends the step, saves, and tells the command that goes on with the same bits")
  func signals() throws {
    let workshop = try Workshop()
    try workshop.compile("wamim_vit_demo", TrainingTests.tiny)
    let train = "./train fit --data synthetic:200 --epochs 8"
    #expect(try workshop.run("/bin/bash", ["-c", "\(train) --out whole"]).status == 0)
    for signal in ["INT", "TERM", "USR1", "USR2", "HUP", "XCPU"] {
      // A shell without job control keeps SIGINT from what it starts in the background, so that the signal comes from outside of it.
      // GNU timeout, for one, sends its signal twice.
      let script = """
        set -m; rm -rf 'cut it'
        \(train) --out 'cut it' > said & process=$!
        until [ -f 'cut it/metrics.jsonl' ] && [ "$(wc -l < 'cut it/metrics.jsonl')" -ge 20 ]; do sleep 0.01; done
        kill -\(signal) $process; kill -\(signal) $process
        wait $process
        """
      let cut = try workshop.run("/bin/bash", ["-c", script])
      #expect(cut.status == 0, "\(signal): \(cut.errors)")
      let said = try String(contentsOfFile: workshop.path("said"), encoding: .utf8)
      let command = try #require(said.split(separator: "\n").last { $0.hasPrefix("to continue: ") }, "\(signal): \(said)")
      #expect(try workshop.run("/bin/bash", ["-c", String(command.dropFirst("to continue: ".count))]).status == 0)
      #expect(
        try data(workshop.path("cut it/checkpoint.safetensors")) == data(workshop.path("whole/checkpoint.safetensors")), "\(signal)"
      )
    }
  }

  @Test("A step of many batches is left at once, the run stands at the step before, and one that would replace another leaves that")
  func accumulation() throws {
    let workshop = try Workshop()
    try workshop.compile("wamim_vit_demo", TrainingTests.tiny)
    let train = "./train fit --data synthetic:40 --pictures 0"
    func interrupt(_ options: String) throws -> CommandResult { try self.interrupt(train, options, workshop) }
    let start = Date()
    let fresh = try interrupt("--batch-accumulation 1000000")
    #expect(fresh.status == 0 && fresh.output.contains("to continue: ./train fit --resume run\n"), "\(fresh.errors)")
    #expect(try workshop.run(workshop.path("train"), ["fit", "--resume", "run", "--limit-steps", "0"]).status == 64)
    #expect(try workshop.run("/bin/bash", ["-c", "\(train) --out small --limit-steps 3"]).status == 0)
    let before = try data(workshop.path("small/checkpoint.safetensors"))
    let replacing = try interrupt("--batch-accumulation 1000000 --out small --overwrite")
    #expect(replacing.status == 0 && replacing.output.contains("small is as it was\n"), "\(replacing.output) \(replacing.errors)")
    #expect(try data(workshop.path("small/checkpoint.safetensors")) == before)
    // A step takes hours.
    #expect(Date().timeIntervalSince(start) < 300)
  }

  @Test("A step that is left leaves running statistics as they were before it")
  func runningStatistics() throws {
    let workshop = try Workshop()
    try workshop.compile("probe_vit", ["image=16", "patch=8", "dim=16", "depth=1", "heads=2", "classes=3", "batch=4"])
    let left = try interrupt("./train fit --data synthetic:40 --pictures 0", "--batch-accumulation 1000000", workshop)
    #expect(left.status == 0, "\(left.errors)")
    let states = try Safetensors(contentsOf: workshop.path("run/checkpoint.safetensors")).elements
    let (mean, variance) = (try #require(states["head.0.running_mean"]), try #require(states["head.0.running_var"]))
    #expect(mean.allSatisfy { $0 == 0 } && variance.allSatisfy { $0 == 1 })
  }

  /// Runs `train` with `options` for three seconds and more, until SIGTERM ends it.
  private func interrupt(_ train: String, _ options: String, _ workshop: borrowing Workshop) throws -> CommandResult {
    // What it says first comes just before it listens to signals.
    let script = """
      set -m; rm -f said
      \(train) \(options) > said & p=$!
      until [ -s said ]; do sleep 0.05; done
      sleep 3; kill -TERM $p; wait $p
      status=$?; cat said; exit $status
      """
    return try workshop.run("/bin/bash", ["-c", script])
  }

  private func data(_ path: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: path)) }
}
