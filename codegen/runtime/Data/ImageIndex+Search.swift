/// Finding images.
extension ImageIndex {
  /// Looks for the images of `locations`, one after the other, and says what is left out and why.
  ///
  /// - Parameter leftOut: Is told what is left out.
  init(searching locations: [ImageLocation], leftOut: inout LeftOut) throws(TrainerError) {
    self.init()
    for location in locations {
      var here = LeftOut()
      defer { leftOut.add(here) }
      switch location.kind {
      case .folder(let path): append(try Self.folder(path, name: location.name, leftOut: &here))
      case .shards(let paths): append(try Self.shards(paths, name: location.name, leftOut: &here))
      }
      here.tell(location: location.name)
    }
    trim()
  }

  /// The images in a folder; where there are none but archives, those in the archives.
  private static func folder(_ path: [UInt8], name: String, leftOut: inout LeftOut) throws(TrainerError) -> ImageIndex {
    let scan = try FolderScan(path, progress: ScanProgress(name))
    if let first = scan.unreadable.first {
      let count = scan.unreadable.count == 1 ? "a folder" : "\(scan.unreadable.count) folders"
      Console.warn("\(count) cannot be read and is left out: \(FilePath.text(first))")
    }
    leftOut.add(scan.leftOut)
    guard scan.index.count == 0 else {
      for archive in scan.archives { leftOut.add(.archiveBesideImages, FilePath.text(archive)) }
      return scan.index
    }
    guard !scan.archives.isEmpty else {
      leftOut.tell(location: name)
      throw TrainerError(
        "no images in \(name): neither it nor the folders within it hold JPEG, PNG or WebP files, or shards (*.tar, *.tar.gz)")
    }
    var index = try shards(scan.archives, name: name, leftOut: &leftOut)
    // So that archives that are added are noticed.
    for container in scan.index.containers { _ = index.add(container) }
    return index
  }

  /// The images in tar archives.
  private static func shards(_ paths: [[UInt8]], name: String, leftOut: inout LeftOut) throws(TrainerError) -> ImageIndex {
    let scan = try ShardScan(paths, progress: ScanProgress(name))
    for damage in scan.damage.prefix(10) { Console.warn("\(damage); what is whole is used") }
    if scan.damage.count > 10 { Console.warn("\(scan.damage.count) archives in all are damaged") }
    if let warning = scan.packingWarning { Console.warn(warning) }
    leftOut.add(scan.leftOut)
    guard scan.index.count > 0 else {
      leftOut.tell(location: name)
      throw TrainerError("no images in \(name): its tar archives hold no JPEG, PNG or WebP files that are whole")
    }
    return scan.index
  }
}
