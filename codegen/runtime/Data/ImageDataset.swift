import Glibc

/// The images of a folder, or of shards as WebDataset writes them; a class's name stays part of an image's path.
package struct ImageDataset: ImageSource {
  private let location: ImageLocation
  private let index: ImageIndex
  /// When looking for the images began, in nanoseconds since 1970; nil where an index that was kept told where they are.
  private let foundAt: Int64?
  /// Whether images are turned as their metadata ask for.
  private let isTurned: Bool

  package var count: Int { index.count }
  package var indexByteCount: Int { index.byteCount }

  /// Finds the images that `data` names; what is in them is looked at when they are read.
  ///
  /// - Parameters:
  ///   - isTurned: Whether images are turned as their metadata ask for.
  ///   - runFolder: The folder of a run that may hold an index of them.
  package init(_ data: String, isTurned: Bool = true, runFolder: String? = nil) throws(TrainerError) {
    self.isTurned = isTurned
    location = try ImageLocation(data)
    if let runFolder, let known = ImageIndex(reading: ImageIndex.file(in: runFolder), of: location) {
      index = known
      foundAt = nil
    } else {
      foundAt = Clock.nanosecondsSince1970
      index = try ImageIndex(searching: location, name: data)
    }
  }

  /// Whether an index that was kept told where the images are.
  package var isFromIndex: Bool { foundAt == nil }

  package func saveIndex(in folder: String) throws(TrainerError) {
    guard let foundAt else { return }
    try index.write(to: ImageIndex.file(in: folder), of: location, foundAt: foundAt)
  }

  package func name(at index: Int) -> String { FilePath.text(self.index.path(at: index)) }

  package func load(at index: Int) throws(TrainerError) -> LoadedImage {
    .file(try ImageFile(try bytes(at: index), isTurned: isTurned))
  }

  private func bytes(at index: Int) throws(TrainerError) -> ImageMemory {
    guard !self.index.extents.isEmpty else {
      return try DataFiles.shared.read(self.index.path(at: index))
    }
    let extent = self.index.extents[index]
    return try DataFiles.shared.read(self.index.place(at: index).path, extent)
  }
}
