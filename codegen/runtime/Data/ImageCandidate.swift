/// Which files are taken for images.
enum ImageCandidate {
  /// Extensions of image files, among them those of formats that are not read, so that such files are reported and not passed over.
  private static let extensions: Set<String> = [
    "jpg", "jpeg", "jpe", "jfif", "png", "webp", "gif", "bmp", "tif", "tiff", "avif", "heic", "jp2", "jxl", "ppm", "pgm",
  ]

  /// Whether `name` alone says that its file is an image.
  static func isNamedLikeImage(_ name: some BidirectionalCollection<UInt8>) -> Bool {
    extensions.contains(FilePath.fileExtension(name))
  }

  /// Whether the file `name` is an image: one that is named like one, or else one that begins like one.
  ///
  /// What a file holds is found out by its first bytes when it is read; the name only spares opening each of a million files here.
  ///
  /// - Parameter firstBytes: Reads the first bytes of the file; asked only where the name does not tell.
  static func isImage(
    _ name: some BidirectionalCollection<UInt8>, firstBytes: () throws(TrainerError) -> [UInt8]?
  ) throws(TrainerError) -> Bool {
    if isNamedLikeImage(name) { return true }
    guard let bytes = try firstBytes() else { return false }
    return ImageFile.isImage(bytes)
  }
}
