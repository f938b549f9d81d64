import ArgumentParser

/// How processes that make a run together treat each other.
struct RankOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Under mpiexec: seconds without a sign of life after which another rank counts as lost, and the run ends (default: 60).",
      valueName: "seconds"))
  var peerTimeout = 60.0

  func validate() throws {
    if !(1...86_400).contains(peerTimeout) { throw ValidationError("--peer-timeout has to be from 1 to 86400 seconds") }
  }

  /// The ranks that were started with this process, which have to be of the same program.
  func start(_ program: Program) throws(TrainerError) -> RankGroup {
    let manifest = program.manifest
    let digest = SecureHash.sha256(
      Array(
        [manifest.graph, manifest.compiler, "\(manifest.processor)", "\(manifest.microBatch)", "\(program.arenaBytes)"].joined()
          .utf8))
    return try RankGroup.start(timeout: peerTimeout, digest: digest)
  }
}
