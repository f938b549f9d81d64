import ArgumentParser
import WaMIMManifest

/// What happens to images on their way into the model, where it is not to be as the model says.
struct AugmentationOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Share of an image's area that a random crop keeps, such as 0.2..1.0; `none` takes the middle of each image.",
      valueName: "range"))
  var cropArea: CropArea?

  @Option(help: ArgumentHelp("Aspect ratio of a random crop, such as 0.75..1.33.", valueName: "range"))
  var cropAspect: NumberRange?

  @Flag(inversion: .prefixedNo, help: "Flip half of the images left to right.")
  var horizontalFlip: Bool?

  @Option(help: ArgumentHelp("Mean of each channel, for values in [0, 1], such as 0.5,0.5,0.5.", valueName: "numbers"))
  var mean: NumberList?

  @Option(help: ArgumentHelp("Standard deviation of each channel.", valueName: "numbers"))
  var std: NumberList?

  func validate() throws {
    if case .range(let area) = cropArea, area.upper > 1 { throw ValidationError("--crop-area has to lie between 0 and 1") }
    if let std, !std.values.allSatisfy({ $0 > 0 }) { throw ValidationError("--std has to be above 0 for each channel") }
  }

  /// What was said, under the names of the options.
  var given: [String: String] {
    var options: [String: String] = [:]
    options["crop-area"] = cropArea?.text
    options["crop-aspect"] = cropAspect?.text
    options["horizontal-flip"] = horizontalFlip.map { "\($0)" }
    options["mean"] = mean?.text
    options["std"] = std?.text
    return options
  }
}

extension Manifest.Augmentation {
  /// The settings with what `options`, under the names of the command line's, say instead.
  func replaced(by options: [String: String], channels: Int) throws(TrainerError) -> Manifest.Augmentation {
    var result = self
    switch options["crop-area"].flatMap({ CropArea(argument: $0) }) {
    case .some(.center): result.cropArea = nil
    case .range(let range): result.cropArea = [range.lower, range.upper]
    case nil: break
    }
    if let range = options["crop-aspect"].flatMap({ NumberRange(argument: $0) }) { result.cropAspect = [range.lower, range.upper] }
    if let flip = options["horizontal-flip"] { result.horizontalFlip = flip == "true" }
    for (name, path) in [("mean", \Manifest.Augmentation.mean), ("std", \.standardDeviation)] {
      guard let list = options[name].flatMap({ NumberList(argument: $0) }) else { continue }
      guard list.values.count == channels else {
        throw TrainerError("--\(name) needs a number for each of the \(channels) channels, and has \(list.values.count)")
      }
      result[keyPath: path] = list.values
    }
    return result
  }
}

extension ImageBatch {
  /// How `program` takes its images where they are treated by `settings`.
  init(_ program: Program, settings: Manifest.Augmentation) throws(TrainerError) {
    let usual = try ImageBatch(program)
    input = usual.input
    augmentation = Augmentation(
      settings: settings, width: usual.augmentation.width, height: usual.augmentation.height,
      channels: usual.augmentation.channels)
    normalization = Normalization(settings, channels: usual.augmentation.channels)
  }
}
