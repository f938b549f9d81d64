/// A walk through the headers of tar archives, which finds where the images in them lie.
struct ShardScan {
  /// What was found.
  private(set) var index = ImageIndex()
  /// What is wrong with archives, each named.
  private(set) var damage: [String] = []

  private var progress: ScanProgress

  init(_ shards: [[UInt8]], progress: ScanProgress) throws(TrainerError) {
    self.progress = progress
    for shard in shards {
      do throws(TrainerError) {
        if let damage = try visit(shard) { self.damage.append("\(FilePath.text(shard)): \(damage)") }
      } catch {
        guard !error.isSystemFailure else { throw error }
        damage.append(error.message)
      }
    }
  }

  /// Takes in the archive at `path`, and returns what is wrong with it.
  private mutating func visit(_ path: [UInt8]) throws(TrainerError) -> String? {
    guard let status = try FileStatus.of(path), status.kind == .file else {
      throw TrainerError("\(FilePath.text(path)) is not a file")
    }
    let file = try SystemFailure.retrying { () throws(TrainerError) in try OpenFile(reading: path) }
    let place = index.add(ImageIndex.Place(kind: .shard, path: path, stamp: status.stamp))
    var reader = TarReader(file)
    while let member = try reader.next() {
      let name = FilePath.lastPart(member.name)
      // Hidden files, such as those that macOS adds.
      if name.isEmpty || name.first == UInt8(ascii: ".") { continue }
      let isImage = try ImageCandidate.isImage(name) { () throws(TrainerError) in
        member.byteCount < ImageFile.magicByteCount ? nil : try file.bytes(at: member.offset, count: ImageFile.magicByteCount)
      }
      if isImage {
        index.add(member, in: place)
        progress.advance(images: index.count)
      }
    }
    return reader.damage
  }
}
