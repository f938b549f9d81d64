import Glibc

/// The images of a folder, or of shards as WebDataset writes them; a class's name stays part of an image's path.
package struct ImageDataset: ImageSource {
  private let location: ImageLocation
  private let index: ImageIndex
  /// When looking for the images began, in nanoseconds since 1970; nil where an index that was kept told where they are.
  private let foundAt: Int64?
  private let shards = OpenShards()

  package var count: Int { index.count }
  package var indexByteCount: Int { index.byteCount }

  /// Finds the images that `data` names; what is in them is looked at when they are read.
  ///
  /// - Parameter runFolder: The folder of a run that may hold an index of them.
  package init(_ data: String, runFolder: String? = nil) throws(TrainerError) {
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

  package func load(at index: Int) throws(TrainerError) -> LoadedImage { .file(try ImageFile(try bytes(at: index))) }

  private func bytes(at index: Int) throws(TrainerError) -> [UInt8] {
    guard !self.index.extents.isEmpty else {
      return try OpenFile(reading: self.index.path(at: index)).allBytes(limit: ImageFile.maximumBytes)
    }
    let extent = self.index.extents[index]
    guard extent.byteCount <= ImageFile.maximumBytes else {
      throw TrainerError("it is larger than \(Format.bytes(ImageFile.maximumBytes))")
    }
    return try shards.file(at: self.index.place(at: index).path).bytes(at: extent.offset, count: extent.byteCount)
  }
}

/// Archives that are kept open, as one is read again and again: no more than a process may safely have.
private final class OpenShards: @unchecked Sendable {
  private static let limit = 256

  private let lock = ThreadLock()
  private var files: [[UInt8]: OpenFile] = [:]

  func file(at path: [UInt8]) throws(TrainerError) -> OpenFile {
    try lock.withLock { () throws(TrainerError) in
      if let file = files[path] { return file }
      // Those that are being read stay open until their readers are done.
      if files.count >= Self.limit { files.removeAll() }
      let file = try OpenFile(reading: path)
      files[path] = file
      return file
    }
  }
}
