import ArgumentParser

/// Images from a folder, from shards, or from the built-in generator.
struct DataOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      """
      The images: a folder with JPEG, PNG and WebP files in it or in folders of any depth; shards as WebDataset writes them, which \
      are a folder of *.tar or *.tar.gz, one of those, or 'DIR/{000000..000123}.tar' in quotation marks; given several times, all of \
      these one after the other; or `synthetic` or `synthetic:COUNT` for \
      drawn ones.
      """, valueName: "images"))
  var data: [String] = []

  @Flag(
    inversion: .prefixedNo,
    help: "Turn photographs as the camera noted, in Exif or XMP (default: yes; in a run that began without this option: no).")
  var exifRotation: Bool?

  /// Whether images are turned: as the command line says, else as the run did whose options are `recorded`, or is to.
  ///
  /// - Parameter recorded: The options of a run that goes on, or none. One that began before there was this choice turned no image.
  func isTurned(recorded: [String: String]) -> Bool {
    exifRotation ?? (recorded.isEmpty || recorded[Self.rotationName] == "true")
  }

  /// What a run records the choice under.
  static let rotationName = "exif-rotation"

  /// `data` as a run records it, which may go on in another folder: with the whole path where it is one.
  static func absolute(_ data: String) -> String { isDrawn(data) || data.isEmpty ? data : FileSystem.absolute(data) }

  /// Whether `data` asks for drawn images.
  private static func isDrawn(_ data: String) -> Bool { data == "synthetic" || data.hasPrefix("synthetic:") }

  /// Opens the source of images for a model that takes what `batch` says, of which some can be read.
  ///
  /// - Parameters:
  ///   - option: The option that names `data`.
  ///   - runFolder: The folder of a run that may know where the images are.
  func source(
    for batch: ImageBatch, seed: UInt64, data: [String], option: String = "--data", isTurned: Bool, runFolder: String? = nil
  ) throws(TrainerError) -> any ImageSource {
    let isAlone = data.count == 1
    guard let data = data.first(where: Self.isDrawn) else {
      let dataset = try ImageDataset(data, isTurned: isTurned, runFolder: runFolder)
      try dataset.requireReadable(called: Self.name(data, option: option))
      return dataset
    }
    guard isAlone else { throw TrainerError("\(option) \(data): drawn images cannot be put together with others; give them alone") }
    var count = 4096
    if data != "synthetic" {
      guard let given = Int(data.dropFirst("synthetic:".count)), (1...Int(Int32.max)).contains(given) else {
        throw TrainerError("\(option) \(data): after `synthetic:` comes how many images to draw, such as synthetic:1000")
      }
      count = given
    }
    return SyntheticImages(
      count: count, seed: seed, width: batch.augmentation.width * 4 / 3, height: batch.augmentation.height * 4 / 3)
  }

  /// What files call an image of `source`: its path below the data, or its whole path where that could be one of several places.
  func fileName(of image: Int, in source: any ImageSource) -> String {
    data.count > 1 ? source.name(at: image) : source.shortName(at: image)
  }

  /// What messages call the images of `data` that `option` names.
  static func name(_ data: [String], option: String) -> String { "\(option) \(data.joined(separator: " "))" }

  /// The locations that a run recorded under `name`.
  static func locations(_ name: String, in options: [String: String]) -> [String] {
    var locations: [String] = []
    while let location = options[key(name, locations.count)] { locations.append(location) }
    return locations
  }

  /// Records `locations` under `name`.
  static func record(_ locations: [String], as name: String, in options: inout [String: String]) {
    for (index, location) in locations.enumerated() { options[key(name, index)] = location }
  }

  /// Under what the location of number `index` is recorded.
  private static func key(_ name: String, _ index: Int) -> String { index == 0 ? name : "\(name).\(index + 1)" }
}
