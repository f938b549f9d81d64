import ArgumentParser
import CPlatform

/// How many threads run kernels, as every command asks.
struct ThreadOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Threads that compute (default: the processors that this process may use).", valueName: "n"))
  var threads: Int?

  /// The number of threads to use.
  var count: Int { threads ?? Int(wamim_available_processors()) }

  func validate() throws {
    if let threads, !(1...4096).contains(threads) { throw ValidationError("--threads has to be from 1 to 4096") }
  }
}
