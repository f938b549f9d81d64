import ArgumentParser

/// How images are read by commands that name them by options of their own.
struct ImageReadingOptions: ParsableArguments {
  @Flag(inversion: .prefixedNo, help: "Turn photographs as the camera noted, in Exif or XMP (default: as the run did, else yes).")
  var exifRotation: Bool?

  /// The same for functions that take the options of commands with `--data`.
  var options: DataOptions {
    var options = DataOptions()
    options.data = []
    options.exifRotation = exifRotation
    return options
  }
}
