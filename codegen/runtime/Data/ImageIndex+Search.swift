/// Finding images.
extension ImageIndex {
  /// Looks for the images of `location`, and says what is left out and why.
  ///
  /// - Parameter name: What messages call the location.
  package init(searching location: ImageLocation, name: String) throws(TrainerError) {
    switch location {
    case .folder(let path): self = try Self.folder(path, name: name)
    case .shards(let paths): self = try Self.shards(paths, name: name)
    }
    trim()
  }

  /// The images in a folder; where there are none but archives, those in the archives.
  private static func folder(_ path: [UInt8], name: String) throws(TrainerError) -> ImageIndex {
    let scan = try FolderScan(path, progress: ScanProgress(name))
    if let first = scan.unreadable.first {
      let count = scan.unreadable.count == 1 ? "a folder" : "\(scan.unreadable.count) folders"
      Console.warn("\(count) cannot be read and is left out: \(FilePath.text(first))")
    }
    guard scan.index.count == 0 else {
      if let first = scan.archives.first {
        Console.warn("\(scan.archives.count) tar archives beside the images are left out, such as \(FilePath.text(first))")
      }
      return scan.index
    }
    guard !scan.archives.isEmpty else {
      throw TrainerError(
        "no images in \(name): neither it nor the folders within it hold JPEG, PNG or WebP files, or shards (*.tar)")
    }
    var index = try shards(scan.archives, name: name)
    // So that archives that are added are noticed.
    for place in scan.index.places { _ = index.add(place) }
    return index
  }

  /// The images in tar archives.
  private static func shards(_ paths: [[UInt8]], name: String) throws(TrainerError) -> ImageIndex {
    let scan = try ShardScan(paths, progress: ScanProgress(name))
    for damage in scan.damage.prefix(10) { Console.warn("\(damage); what is whole is used") }
    if scan.damage.count > 10 { Console.warn("\(scan.damage.count) archives in all are damaged") }
    guard scan.index.count > 0 else {
      throw TrainerError("no images in \(name): its tar archives hold no JPEG, PNG or WebP files that are whole")
    }
    return scan.index
  }
}
