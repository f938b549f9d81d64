/// Which files are taken for images.
enum ImageCandidate {
  /// Extensions of image files, among them those of formats that are not read, so that such files are reported and not passed over.
  private static let extensions: Set<String> = [
    "jpg", "jpeg", "jpe", "jfif", "png", "webp", "gif", "bmp", "tif", "tiff", "avif", "heic", "jp2", "jxl", "ppm", "pgm",
  ]

  /// Whether the file `name` is an image: one that is named like one, or else one that begins like one.
  ///
  /// What a file holds is found out by its first bytes when it is read; the name only spares opening each of a million files here.
  ///
  /// - Parameter firstBytes: Reads the first bytes of the file; asked only where the name does not tell.
  static func isImage(_ name: some BidirectionalCollection<UInt8>, firstBytes: () -> [UInt8]?) -> Bool {
    if extensions.contains(FilePath.fileExtension(name)) { return true }
    return firstBytes().map(ImageFile.isImage) ?? false
  }
}
