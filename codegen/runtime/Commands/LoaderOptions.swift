import ArgumentParser
import CPlatform

/// How many threads read images, as commands ask.
struct LoaderOptions: ParsableArguments {
  @Option(
    name: [.long, .customLong("loaders")],
    help: ArgumentHelp("Threads that read images ahead (default: the processors that this process may use).", valueName: "n"))
  var loaderThreads: Int?

  /// The number of threads to use.
  var count: Int { loaderThreads ?? min(256, Int(wamim_available_processors())) }

  /// The number of threads to use for one rank of `group`.
  func count(in group: RankGroup) -> Int { loaderThreads ?? min(256, group.processors) }

  func validate() throws {
    if let loaderThreads, !(1...256).contains(loaderThreads) {
      throw ValidationError("--loader-threads has to be from 1 to 256")
    }
  }
}
