import ArgumentParser
import CPlatform

/// What kernels run on, as every command asks.
struct ThreadOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Threads that compute (default: the processors that this process may use).", valueName: "n"))
  var threads: Int?

  @Option(help: ArgumentHelp("The GPU to compute on, counted from 0, for programs for GPUs.", valueName: "n"))
  var device = 0

  /// The number of threads to use.
  var count: Int { threads ?? Int(wamim_available_processors()) }

  /// The number of threads to use for one rank of `group`.
  func count(in group: RankGroup) -> Int { threads ?? group.processors }

  func validate() throws {
    if let threads, !(1...4096).contains(threads) { throw ValidationError("--threads has to be from 1 to 4096") }
    if device < 0 { throw ValidationError("--device has to be 0 or more") }
  }
}
