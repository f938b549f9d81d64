import Foundation
import TestSupport
import Testing

/// The MPI of this machine.
private enum MachineMPI {
  /// Whether it can compile and start programs.
  static let isThere = ["mpicc", "mpiexec"].allSatisfy { name in
    (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").contains {
      FileManager.default.isExecutableFile(atPath: "\($0)/\(name)")
    }
  }
}

/// Names of this machine that only one process knows.
private enum HostNames {
  /// Gives the command that follows a name of its own for the machine.
  static let own = "unshare --uts sh -c 'hostname h$$; exec \"$0\" \"$@\"'"

  /// Whether this process may give them: root may, outside of containers that forbid it.
  static let canBeGiven: Bool = {
    let result = try? Workshop().run("/bin/bash", ["-c", "\(own) true"])
    return result?.status == 0
  }()
}

/// Runs of several processes under the MPI of this machine.
@Suite(
  .enabled(if: MachineMPI.isThere, "no mpicc and mpiexec on the path: 'make test-dependencies' installs MPICH"), .serialized)
struct MPITests {
  private static let words = "--data synthetic:50 --epochs 2 --pictures 0"

  @Test(
    "N ranks end with the checkpoint of one process on N batches a step",
    arguments: [([], [1, 2, 4]), (["--micro-batch", "2"], [3])] as [([String], [Int])])
  func bits(options: [String], counts: [Int]) throws {
    let workshop = try Workshop()
    try workshop.compileWithMPI(options)
    for ranks in counts {
      try workshop.succeed("./train fit \(Self.words) --batch-accumulation \(ranks) --out one")
      try workshop.succeed(ranks: ranks, "./train fit \(Self.words) --out many --threads 1")
      #expect(try workshop.checkpoint("many") == workshop.checkpoint("one"), "\(ranks) ranks")
      try workshop.succeed("rm -r one many")
    }
  }

  @Test(
    "Ranks on several machines, whose gradients leave while others are computed, end with the same checkpoint",
    .enabled(if: HostNames.canBeGiven, "only root can give processes names of machines"))
  func machines() throws {
    let workshop = try Workshop()
    try workshop.compileWithMPI([])
    try workshop.succeed("./train fit \(Self.words) --batch-accumulation 3 --out one")
    try workshop.succeed(ranks: 3, "\(HostNames.own) ./train fit \(Self.words) --out many --threads 1")
    #expect(try workshop.checkpoint("many") == workshop.checkpoint("one"))
    let record = try String(contentsOfFile: workshop.path("many/run.json"), encoding: .utf8)
    let hosts = record.matches(of: /"h\d+"/).map { String($0.output) }
    #expect(Set(hosts).count == 3, "\(record)")
  }

  @Test("One process goes on with what ranks began, and ranks with what one process began, with the same bits")
  func resuming() throws {
    let workshop = try Workshop()
    try workshop.compileWithMPI([])
    try workshop.succeed("./train fit \(Self.words) --batch-accumulation 2 --out whole")
    try workshop.succeed(ranks: 2, "./train fit \(Self.words) --out run --limit-steps 3")
    try workshop.succeed("./train fit --resume run --limit-steps 7")
    let refused = try workshop.start(ranks: 3, "./train fit --resume run")
    #expect(refused.status != 0 && refused.errors.contains("which 3 ranks cannot share alike"), "\(refused.errors)")
    try workshop.succeed(ranks: 2, "./train fit --resume run --threads 2")
    #expect(try workshop.checkpoint("run") == workshop.checkpoint("whole"))
    let record = try String(contentsOfFile: workshop.path("run/run.json"), encoding: .utf8)
    #expect(record.components(separatedBy: "\"ranks\"").count == 3, "\(record)")
  }

  @Test("Ranks with several batches each end with the same bits on any number of threads, interrupted or not, and with --val")
  func accumulation() throws {
    let workshop = try Workshop()
    try workshop.compileWithMPI([])
    let words = "--data synthetic:34 --epochs 2 --batch-accumulation 2"
    try workshop.succeed(ranks: 2, "./train fit \(words) --out whole --threads 1 --pictures 0")
    try workshop.succeed(ranks: 2, "./train fit \(words) --out run --threads 2 --pictures 0 --limit-steps 3")
    try workshop.succeed(ranks: 2, "./train fit --resume run")
    #expect(try workshop.checkpoint("run") == workshop.checkpoint("whole"))
    let other = try workshop.run("/bin/sh", ["-c", "./train fit --resume run --epochs 3"])
    #expect(other.status == 0 && other.errors.contains("with other bits"), "\(other.errors)")
    let drawn = try workshop.succeed(ranks: 2, "./train fit \(words) --out drawn --val synthetic:9")
    #expect(drawn.output.components(separatedBy: "validation loss").count == 3, "\(drawn.output)")
    try workshop.succeed("./train reconstruct --checkpoint drawn --data synthetic:9 --count 2 -o picture.png")
  }

  @Test("A signal to any rank ends all after the same step, saved", arguments: [("TERM", 1), ("USR1", 0)])
  func signals(signal: String, rank: Int) throws {
    let workshop = try Workshop()
    try workshop.compileWithMPI([])
    let words = "--data synthetic:200 --epochs 400 --pictures 0"
    let script = """
      if [ $PMI_RANK = \(rank) ]; then ./train fit \(words) & p=$!; \
      until [ -s run/metrics.jsonl ]; do sleep 0.05; done; sleep 0.3; kill -\(signal) $p; wait $p; else exec ./train fit \(words); fi
      """
    let result = try workshop.start(ranks: 3, "/bin/bash -c '\(script)'")
    #expect(result.status == 0 && result.output.contains("to continue: ./train fit --resume run"), "\(result.errors)")
    #expect(result.output.components(separatedBy: "to continue").count == 2, "\(result.output)")
    // All stood after the same step, so that they go on together.
    let step = try String(contentsOfFile: workshop.path("run/metrics.jsonl"), encoding: .utf8).split(separator: "\n").count
    try workshop.succeed(ranks: 3, "./train fit --resume run --limit-steps \(step + 2)")
  }

  @Test("Whatever ends a run says which rank on which host, once, and leaves the last checkpoint good")
  func failures() throws {
    let workshop = try Workshop()
    try workshop.compileWithMPI([])
    try workshop.succeed(ranks: 2, "./train fit \(Self.words) --out run --limit-steps 2")
    let before = try workshop.checkpoint("run")
    let host = ProcessInfo.processInfo.hostName.split(separator: ".")[0]
    let cases = [
      ("./train fit --resume run --data $([ $PMI_RANK = 1 ] && echo missing || echo synthetic:50)", "error: rank 1 on \(host)"),
      ("./train fit --resume run --base-lr 1e30 --warmup 0", "error: rank 0 on \(host)"),
      ("./train fit --resume run --seed $PMI_RANK", "error: rank 1 on \(host)"),
      ("./train fit \(Self.words) --out other --logevery 3", "Unknown option"),
      ("./train fit \(Self.words) --out other --log-every $((PMI_RANK + 1))", "rank 1 on \(host) was started with other options"),
    ]
    for (command, message) in cases {
      let result = try workshop.start(ranks: 2, "/bin/bash -c '\(command)'")
      #expect(result.status != 0 && result.errors.contains(message), "\(command): \(result.status) \(result.errors)")
      #expect(result.errors.components(separatedBy: "error: ").count == 2 || message == "Unknown option", "\(result.errors)")
      #expect(try workshop.checkpoint("run") == before, "\(command)")
    }
  }

  @Test("A disk that is full ends all ranks, and the last checkpoint stays")
  func fullDisk() throws {
    let workshop = try Workshop()
    // Large enough for the checkpoint to break a limit that leaves an MPI room for files of its own.
    try workshop.compileWithMPI(["--set", "dim=192"])
    try workshop.succeed(ranks: 2, "./train fit \(Self.words) --out run --limit-steps 1")
    let before = try workshop.checkpoint("run")
    let command = "ulimit -f $([ $PMI_RANK = 0 ] && echo 8000 || echo 9999999); ./train fit --resume run --every 1"
    let result = try workshop.start(ranks: 2, "/bin/bash -c '\(command)'")
    #expect(result.status != 0 && result.errors.contains("error: rank 0 on "), "\(result.errors)")
    #expect(result.errors.components(separatedBy: "error: ").count == 2, "\(result.errors)")
    #expect(try workshop.checkpoint("run") == before)
  }

  @Test("Ranks of other programs are told so, and one that is killed ends all; the run goes on with the same bits")
  func deaths() throws {
    let workshop = try Workshop()
    try workshop.compileWithMPI([])
    try workshop.compileWithMPI(["--micro-batch", "2"], to: "other")
    let mixed = try workshop.start(ranks: 2, "/bin/bash -c './$([ $PMI_RANK = 1 ] && echo other || echo train) fit \(Self.words)'")
    #expect(mixed.status != 0 && mixed.errors.contains("runs another trainer"), "\(mixed.errors)")
    let words = "--data synthetic:50 --epochs 12 --pictures 0 --every 2"
    try workshop.succeed("./train fit \(words) --batch-accumulation 2 --out whole")
    let kill = """
      [ $PMI_RANK = 1 ] || exec ./train fit \(words); \
      ./train fit \(words) & p=$!; until [ -s run/checkpoint.safetensors ]; do sleep 0.02; done; kill -KILL $p; wait $p
      """
    #expect(try workshop.start(ranks: 2, "/bin/bash -c '\(kill)'").status != 0)
    try workshop.succeed(ranks: 2, "./train fit --resume run")
    #expect(try workshop.checkpoint("run") == workshop.checkpoint("whole"))
  }

  @Test("What --mpi lacks is told")
  func missing() throws {
    let workshop = try Workshop()
    let words = [Workshop.model("wamim_vit_demo")] + TrainingTests.tiny.flatMap { ["--set", $0] } + ["--mpi", "-o", "train"]
    let compiler = try workshop.run(Workshop.compiler, words, environment: ["MPICC": "/nowhere/mpicc"])
    #expect(compiler.status == 1 && compiler.errors.contains("apt-get install libmpich-dev"), "\(compiler.errors)")
    let wrong = try workshop.run(
      Workshop.compiler, words, environment: ["MPICC": "/bin/false", "WAMIMC_LIBRARY_PATH": Workshop.messages])
    #expect(wrong.status == 1 && wrong.errors.contains("/bin/false could not compile"), "\(wrong.errors)")
  }
}

extension Workshop {
  /// The folder of what `--mpi` compiles.
  fileprivate static var messages: String { repository.appendingPathComponent("codegen/messages").path }

  /// Compiles a small model for several processes.
  fileprivate func compileWithMPI(_ options: [String], to name: String = "train") throws {
    setenv("WAMIMC_LIBRARY_PATH", Workshop.messages, 1)
    try compile("wamim_vit_demo", TrainingTests.tiny, options: ["--mpi"] + options, to: name)
  }

  /// Runs a command of the shell as `ranks` processes, with an end to it.
  fileprivate func start(ranks: Int, _ command: String) throws -> CommandResult {
    try run("/bin/bash", ["-c", "timeout 120 mpiexec -n \(ranks) \(command)"])
  }

  /// Runs a command of the shell that has to succeed.
  @discardableResult
  fileprivate func succeed(ranks: Int? = nil, _ command: String) throws -> CommandResult {
    let result = try ranks.map { try start(ranks: $0, command) } ?? run("/bin/bash", ["-c", command])
    try #require(result.status == 0, "\(command): \(result.output)\(result.errors)")
    return result
  }

  fileprivate func checkpoint(_ run: String) throws -> Data {
    try Data(contentsOf: URL(fileURLWithPath: path("\(run)/checkpoint.safetensors")))
  }
}
