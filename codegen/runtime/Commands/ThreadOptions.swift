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

/// Images from a folder or from the built-in generator.
struct DataOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The folder of images, JPEG or PNG, in folders of any depth; `synthetic` or `synthetic:COUNT` draws images instead.",
      valueName: "folder"))
  var data: String?

  /// Opens the source of images for a model that takes what `batch` says.
  func source(for batch: ImageBatch, seed: UInt64, data: String) throws(TrainerError) -> any ImageSource {
    guard data == "synthetic" || data.hasPrefix("synthetic:") else { return try ImageFolder(data) }
    var count = 4096
    if data != "synthetic" {
      guard let given = Int(data.dropFirst("synthetic:".count)), (1...Int(Int32.max)).contains(given) else {
        throw TrainerError("--data \(data): after `synthetic:` comes how many images to draw, such as synthetic:1000")
      }
      count = given
    }
    return SyntheticImages(
      count: count, seed: seed, width: batch.augmentation.width * 4 / 3, height: batch.augmentation.height * 4 / 3)
  }
}
