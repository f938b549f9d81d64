/// A walk through the headers of tar archives, which finds where the images in them lie.
struct ShardScan {
  /// What was found.
  private(set) var index = ImageIndex()
  /// What is wrong with archives, each named.
  private(set) var damage: [String] = []

  /// What is in them besides.
  private(set) var leftOut = LeftOut()

  private var progress: ScanProgress
  /// Unpacked bytes between two points from which a packed archive can be unpacked.
  private var spacing = 1 << 20
  private var pointCount = 0

  /// More points than these are thinned out: each takes as many bytes as deflate looks back, 32 KiB.
  private static let maximumPoints = 4096

  /// Reading an image from there takes a while.
  private static let slowSpacing = 16 << 20

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
    let opened = try SystemFailure.retrying { () throws(TrainerError) in try OpenFile(reading: path) }
    var file: any StoredBytes = opened
    var container = ImageIndex.Container(kind: .shard, path: path, stamp: status.stamp)
    var damage: String?
    if try Self.isPacked(opened) {
      let (packing, problem) = try GzipIndex.of(opened, spacing: spacing)
      container.kind = .packedShard
      container.packing = packing
      damage = problem
      file = GzipReader(opened, index: packing)
    }
    let containerIndex = index.add(container)
    var reader = TarReader(file)
    while let member = try reader.next() {
      let name = FilePath.lastComponent(member.name)
      // Hidden files, such as those that macOS adds.
      if name.isEmpty || name.first == UInt8(ascii: ".") { continue }
      let isImage = try ImageCandidate.isImage(name) { () throws(TrainerError) in
        member.byteCount < ImageFile.magicByteCount ? nil : try file.bytes(at: member.offset, count: ImageFile.magicByteCount)
      }
      if isImage {
        index.add(member, in: containerIndex)
        progress.advance(images: index.count)
      } else {
        leftOut.add(.otherFile, "\(FilePath.text(member.name)) in \(FilePath.text(path))")
      }
    }
    leftOut.add(reader.leftOut)
    limitPoints(adding: container.packing)
    return damage ?? reader.damage
  }

  /// Whether a file begins as gzip's do.
  static func isPacked(_ file: OpenFile) throws(TrainerError) -> Bool {
    guard file.byteCount >= 2 else { return false }
    return try file.bytes(at: 0, count: 2) == [0x1F, 0x8B]
  }

  /// Says that reading from packed archives takes long, where it does.
  var packingWarning: String? {
    guard spacing >= Self.slowSpacing else { return nil }
    return
      "reading an image from a packed archive takes unpacking \(Format.bytes(spacing / 2)) on average, as there are so many of them; "
      + "gunzip them to train faster"
  }

  /// Keeps fewer points to unpack from, farther apart, once there are too many.
  private mutating func limitPoints(adding packing: GzipIndex?) {
    pointCount += packing?.points.count ?? 0
    while pointCount > Self.maximumPoints {
      spacing *= 2
      pointCount = index.thinPackings()
    }
  }
}
