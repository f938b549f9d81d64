import Foundation
import Testing
import WaMIMManifest
import WaMIMRuntime

/// Images in folders and in shards.
@Suite("Data sets") struct DatasetTests {
  @Test("Folders are searched to any depth, in the order of paths; names that say nothing are decided by first bytes")
  func folders() throws {
    let folder = try TemporaryFolder()
    for name in ["b/z.JPEG", "a/c/d.png", "a.jpg", "labels.csv", ".hidden.png", "a/notes.txt", "a-b/e.WebP", "a/c.d/f.gif"] {
      try folder.write(Array(repeating: 1, count: 20), to: name)
    }
    try folder.write(try fixture("grey.png"), to: "a/0123abcd")
    try FileManager.default.createSymbolicLink(atPath: folder["b/back"], withDestinationPath: folder.path)
    try FileManager.default.createSymbolicLink(atPath: folder["b/lost.png"], withDestinationPath: folder["nowhere"])
    #expect(mkfifo(folder["b/pipe.png"], 0o600) == 0)
    let expected = ["a-b/e.WebP", "a.jpg", "a/0123abcd", "a/c.d/f.gif", "a/c/d.png", "b/lost.png", "b/z.JPEG"]
    #expect(try names(ImageDataset(folder.path), under: folder.path) == expected)
  }

  @Test("A name need not be in any encoding")
  func undecodableNames() throws {
    let folder = try TemporaryFolder()
    let path = Array(folder["x"].utf8CString.dropLast()) + [CChar(bitPattern: 0xE9), 0x2E, 0x70, 0x6E, 0x67, 0]
    let file = try #require(fopen(path, "w"))
    let bytes = try fixture("grey.png")
    #expect(fwrite(bytes, 1, bytes.count, file) == bytes.count)
    fclose(file)
    let dataset = try ImageDataset(folder.path)
    #expect(try dataset.image(at: 0) == Image(decoding: bytes))
  }

  @Test("A location that is missing, or holds no images, is an error that says so")
  func missing() throws {
    let folder = try TemporaryFolder()
    try folder.write([1], to: "file.csv")
    try folder.write([1], to: "0.tar")
    for (data, message) in [
      ("none", "no such folder"), ("file.csv", "neither a folder nor a tar archive"), ("0.tar", "no images"), ("", "no images"),
      ("{0..2}.tar", "2 of the 3 shards"), ("{0..x}.tar", "not a range"), ("{0}.tar", "neither a range"), ("{0", "not closed"),
    ] {
      let error = #expect(throws: TrainerError.self) { try ImageDataset(folder[data]) }
      #expect(error?.message.contains(message) == true, "\(data): \(error?.message ?? "")")
    }
  }

  @Test("What a folder holds is remembered until it changes")
  func remembering() throws {
    // A limit of the test's own would count the time that other tests keep it waiting.
    let start = ContinuousClock.now
    defer { #expect(.now - start < .seconds(60)) }
    let folder = try TemporaryFolder()
    for name in ["d/a/1.png", "d/b/2.png"] { try folder.write(try fixture("grey.png"), to: name) }
    try FileManager.default.createDirectory(atPath: folder["run"], withIntermediateDirectories: true)
    func open(_ data: String = "d") throws -> ImageDataset {
      let dataset = try ImageDataset(folder[data], runFolder: folder["run"])
      try dataset.saveIndex(in: folder["run"])
      return dataset
    }
    // A folder that has just changed may change again within the resolution of its time.
    #expect(try !open().isFromIndex)
    #expect(try !open().isFromIndex)
    for name in ["d", "d/a", "d/b"] { try age(folder[name], seconds: 100) }
    #expect(try !open().isFromIndex)
    let remembered = try open()
    #expect(remembered.isFromIndex)
    #expect(try names(remembered, under: folder["d"]) == ["a/1.png", "b/2.png"])
    #expect(try remembered.image(at: 1) == Image(decoding: try fixture("grey.png")))
    #expect(try !open("d/a").isFromIndex, "another folder")
    #expect(try !open().isFromIndex)

    try folder.write(try fixture("grey.png"), to: "d/b/3.png")
    try age(folder["d/b"], seconds: 50)
    #expect(try open().count == 3)
    #expect(try open().isFromIndex)
    try FileManager.default.removeItem(atPath: folder["d/a/1.png"])
    #expect(try names(open(), under: folder["d"]) == ["b/2.png", "b/3.png"])
  }

  @Test("Pictures are drawn of the images that the run knows of, as long as their folders are as it found them")
  func reconstruction() throws {
    let folder = try TemporaryFolder()
    try folder.write(try fixture("source.png"), to: "d/1.png")
    try age(folder["d"], to: 1_600_000_000)
    #expect(train("fit", "--data", folder["d"], "--epochs", "1", "--out", folder["run"]) == 0)
    let words = ["reconstruct", "--checkpoint", folder["run"], "--data", folder["d"], "--count", "1", "-o", folder["grid.png"]]
    #expect(train(words) == 0)
    // A new name that the folder's time says nothing of is not found.
    try FileManager.default.moveItem(atPath: folder["d/1.png"], toPath: folder["d/2.png"])
    try age(folder["d"], to: 1_600_000_000)
    #expect(train(words) == 1)
    try age(folder["d"], to: 1_600_000_001)
    #expect(train(words) == 0)
  }

  @Test("An index that is damaged anywhere is not used")
  func damagedIndex() throws {
    let folder = try TemporaryFolder()
    try folder.write(try fixture("grey.png"), to: "d/1.png")
    try age(folder["d"], seconds: 100)
    try FileManager.default.createDirectory(atPath: folder["run"], withIntermediateDirectories: true)
    try ImageDataset(folder["d"], runFolder: folder["run"]).saveIndex(in: folder["run"])
    let index = Array(try folder.read("run/images.index"))
    #expect(try ImageDataset(folder["d"], runFolder: folder["run"]).isFromIndex)
    for position in index.indices {
      var damaged = index
      damaged[position] ^= 0x40
      try folder.write(damaged, to: "run/images.index")
      #expect(try !ImageDataset(folder["d"], runFolder: folder["run"]).isFromIndex)
      try folder.write(Array(index[..<position]), to: "run/images.index")
      #expect(try !ImageDataset(folder["d"], runFolder: folder["run"]).isFromIndex)
    }
  }

  @Test("Shards give the same batches as the folder that they were made from, on any number of loader threads")
  func shards() throws {
    let folder = try TemporaryFolder()
    let files = ["alpha.png", "cmyk.jpg", "color.jpg", "extended.webp", "grey.jpg", "lossy.webp", "picture.jpg", "source.png"]
    for name in files {
      try folder.write(try fixture(name), to: "data/train/n01/\(name)")
      try folder.write(Array("0".utf8), to: "data/train/n01/\(name.split(separator: ".")[0]).cls")
    }
    let reference = try batches(ImageDataset(folder["data"]), threads: 1)
    try FileManager.default.createDirectory(atPath: folder["shards"], withIntermediateDirectories: true)
    for (index, format) in ["ustar", "pax", "gnu"].enumerated() {
      let members = files.dropFirst(3 * index).prefix(3).flatMap {
        ["train/n01/\($0)", "train/n01/\($0.split(separator: ".")[0]).cls"]
      }
      try tar(["--format=\(format)", "-cf", folder["shards/00\(index).tar"], "-C", folder["data"]] + members)
    }
    try tar(["-cf", folder["one.tar"], "-C", folder["data"], "--sort=name", "train"])
    for data in ["shards", "shards/{000..002}.tar", "shards/{000,001,002}.tar", "shards/00{0..2}.tar", "one.tar"] {
      let dataset = try ImageDataset(folder[data])
      #expect(dataset.count == files.count)
      for threads in [1, 2, 4] { #expect(try batches(dataset, threads: threads) == reference, "\(data) on \(threads) threads") }
    }
    for threads in [2, 4] { #expect(try batches(ImageDataset(folder["data"]), threads: threads) == reference) }
  }

  @Test("Packed shards give the same images as others, from front to back or from anywhere, in one member or in several")
  func packedShards() throws {
    let folder = try TemporaryFolder()
    let files = ["alpha.png", "color.jpg", "picture.jpg", "source.png", "lossy.webp"]
    for (index, name) in files.enumerated() {
      for copy in 0..<6 { try folder.write(try fixture(name), to: "data/\(copy)-\(index)-\(name)") }
    }
    try FileManager.default.createDirectory(atPath: folder["shards"], withIntermediateDirectories: true)
    try tar(["-cf", folder["a.tar"], "-C", folder["data"], "--sort=name", "."])
    try tar(["-cf", folder["b.tar"], "-C", folder["data"], "--sort=name", "--exclude=0-*", "."])
    try shell("cd '\(folder.path)' && gzip -1 <a.tar >shards/0.tar.gz && { gzip -9 <a.tar; gzip <b.tar; } >shards/1.tgz")
    try shell("cd '\(folder.path)' && mkdir plain && cp a.tar plain/0.tar && cat a.tar b.tar >plain/1.tar")
    let (packed, plain) = (try ImageDataset(folder["shards"]), try ImageDataset(folder["plain"]))
    #expect(packed.count == 3 * files.count * 6 - files.count)
    #expect(try (0..<packed.count).map(packed.image) == (0..<plain.count).map(plain.image))
    for threads in [1, 3] { #expect(try batches(packed, threads: threads) == batches(plain, threads: 2)) }
    #expect(try ImageDataset(folder["shards/{0.tar.gz,1.tgz}"]).count == packed.count)

    // Where to unpack from is remembered with the rest.
    try FileManager.default.createDirectory(atPath: folder["run"], withIntermediateDirectories: true)
    for name in ["shards", "shards/0.tar.gz", "shards/1.tgz"] { try age(folder[name], seconds: 100) }
    try ImageDataset(folder["shards"], runFolder: folder["run"]).saveIndex(in: folder["run"])
    let remembered = try ImageDataset(folder["shards"], runFolder: folder["run"])
    #expect(remembered.isFromIndex)
    #expect(try (0..<packed.count).reversed().map(remembered.image) == (0..<packed.count).reversed().map(packed.image))
  }

  @Test("A gzip file is unpacked from every point of its index as from its beginning", arguments: [1 << 12, 1 << 16])
  func packing(spacing: Int) throws {
    let folder = try TemporaryFolder()
    var numbers = RandomNumbers(seed: 21, purpose: .synthetic)
    // What deflate packs well, and what it stores as it is.
    var bytes: [UInt8] = []
    for index in 0..<300_000 {
      let isEven = index / 20_000 % 2 == 0
      bytes.append(isEven ? UInt8(index / 256 % 8) : UInt8(numbers.next(below: 256)))
    }
    try folder.write(bytes, to: "x")
    try shell("cd '\(folder.path)' && head -c 120000 x | gzip -6 >x.gz && tail -c +120001 x | gzip -1 >>x.gz && printf junk >>x.gz")
    let file = try OpenFile(reading: folder["x.gz"])
    let (index, damage) = try GzipIndex.of(file, spacing: spacing)
    #expect(damage == nil && index.byteCount == bytes.count)
    for _ in 0..<60 {
      let start = numbers.next(below: bytes.count)
      let count = numbers.next(below: min(70_000, bytes.count - start) + 1)
      #expect(try GzipReader(file, index: index).bytes(at: start, count: count) == Array(bytes[start..<start + count]))
    }
    let packed = Array(try folder.read("x.gz"))
    for _ in 0..<40 {
      let count = numbers.next(below: packed.count - 30)
      try folder.write(Array(packed[..<count]), to: "cut.gz")
      let cut = try OpenFile(reading: folder["cut.gz"])
      let (index, _) = try GzipIndex.of(cut, spacing: spacing)
      let whole = try GzipReader(cut, index: index).bytes(at: 0, count: index.byteCount)
      #expect(bytes.starts(with: whole))
      #expect(throws: TrainerError.self) { try GzipReader(cut, index: index).bytes(at: index.byteCount, count: 1) }
    }
  }

  @Test("Several locations are one data set, remembered as one, in the order in which they are given; a run on them goes on")
  func severalLocations() throws {
    let folder = try TemporaryFolder()
    for name in ["grey.png", "color.png"] { try folder.write(try fixture(name), to: "a/\(name)") }
    try folder.write(try fixture("source.png"), to: "b/source.png")
    try tar(["-cf", folder["c.tar"], "-C", folder["a"], "grey.png"])
    let locations = [folder["c.tar"], folder["b"], folder["a"]]
    let dataset = try ImageDataset(locations)
    #expect(
      try (0..<4).map(dataset.image)
        == ["grey.png", "source.png", "color.png", "grey.png"].map { try Image(decoding: fixture($0)) })
    for name in ["a", "b", "c.tar"] { try age(folder[name], seconds: 100) }
    try FileManager.default.createDirectory(atPath: folder["run"], withIntermediateDirectories: true)
    try ImageDataset(locations, runFolder: folder["run"]).saveIndex(in: folder["run"])
    let remembered = try ImageDataset(locations, runFolder: folder["run"])
    #expect(remembered.isFromIndex && remembered.count == 4)
    #expect(try (0..<4).map(remembered.image) == (0..<4).map(dataset.image))
    #expect(try !ImageDataset(locations.reversed(), runFolder: folder["run"]).isFromIndex)

    let words = [
      "fit", "--data", locations[0], "--data", locations[1], "--data", locations[2], "--epochs", "2", "--val", locations[1],
      "--val", locations[2],
    ]
    #expect(train(words + ["--out", folder["whole"]]) == 0)
    #expect(train(words + ["--out", folder["cut"], "--limit-steps", "1"]) == 0)
    #expect(train("fit", "--resume", folder["cut"]) == 0)
    #expect(try tensors(folder["cut/checkpoint.safetensors"]) == tensors(folder["whole/checkpoint.safetensors"]))
    #expect(train(["fit", "--data", locations[0], "--data", "synthetic", "--out", folder["mixed"]]) == 1)
  }

  @Test("What is left out of a folder is counted")
  func leftOut() throws {
    let folder = try TemporaryFolder()
    for name in ["a.png", "notes.txt", "labels.csv", "more.tar.xz", "more.zip", "shard.tar"] {
      try folder.write([1], to: "d/\(name)")
    }
    for (link, target) in [("class", "nowhere"), ("lost.png", "nowhere"), ("again", "../d")] {
      try FileManager.default.createSymbolicLink(atPath: folder["d/\(link)"], withDestinationPath: target)
    }
    #expect(mkfifo(folder["d/pipe.png"], 0o600) == 0)
    let leftOut = try ImageDataset(folder["d"]).leftOut
    for (kind, count) in [
      (LeftOut.Kind.otherFile, 2), (.otherArchive, 2), (.archiveBesideImages, 1), (.danglingLink, 1), (.repeatedFolder, 1),
      (.specialFile, 1),
    ] { #expect(leftOut.count(kind) == count, "\(kind)") }
    #expect(leftOut.sentence?.contains("1 link that leads nowhere, such as") == true)
    // One that is named like an image is reported when it is read.
    #expect(try ImageDataset(folder["d"]).count == 2)
  }

  @Test("Of a shard that is cut off, what is whole is used; archives beside images are left alone")
  func cutShards() throws {
    let folder = try TemporaryFolder()
    for name in ["1.png", "2.png", "3.png"] { try folder.write(try fixture("source.png"), to: "data/\(name)") }
    try FileManager.default.createDirectory(atPath: folder["shards"], withIntermediateDirectories: true)
    try tar(["-cf", folder["shards/a.tar"], "-C", folder["data"], "1.png", "2.png", "3.png"])
    let whole = Array(try folder.read("shards/a.tar"))
    try folder.write(Array(whole[..<(2 * 6656 + 3000)]), to: "shards/b.tar")
    try folder.write([], to: "shards/c.tar")
    try folder.write([0x1F, 0x8B] + Array(repeating: 7, count: 600), to: "shards/d.tar")
    let dataset = try ImageDataset(folder["shards"])
    #expect(dataset.count == 5)
    for index in 0..<5 { #expect(try dataset.image(at: index) == Image(decoding: try fixture("source.png"))) }
    try folder.write(try fixture("grey.png"), to: "shards/image.png")
    #expect(try ImageDataset(folder["shards"]).count == 1)
  }

  /// The names of a data set's images, from the folder `path` on.
  private func names(_ dataset: ImageDataset, under path: String) throws -> [String] {
    let path = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
    return (0..<dataset.count).map { index in
      let name = dataset.name(at: index)
      return name.hasPrefix(path + "/") ? String(name.dropFirst(path.count + 1)) : name
    }
  }

  /// Sets the time of a folder's last change, in seconds since 1970.
  private func age(_ path: String, to time: Double) throws {
    try FileManager.default.setAttributes([.modificationDate: Date(timeIntervalSince1970: time)], ofItemAtPath: path)
  }

  /// Moves the time of a folder's last change into the past.
  private func age(_ path: String, seconds: Double) throws {
    try FileManager.default.setAttributes([.modificationDate: Date(timeIntervalSinceNow: -seconds)], ofItemAtPath: path)
  }

  private func batches(_ source: any ImageSource, threads: Int) throws -> [[Float]] {
    let augmentation = Augmentation(recipe: Recipe(), width: 24, height: 16, channels: 3)
    let staging = TestStaging(slots: 2, samples: 3, augmentation: augmentation)
    let loader = try BatchLoader(
      source: source, order: EpochOrder(images: source.count, batch: 3, seed: 4), staging: staging, augmentation: augmentation,
      steps: 0..<6, threads: threads)
    defer { loader.stop() }
    return try (0..<6).map { _ in
      _ = try loader.next()
      return staging.input
    }
  }
}

/// Runs a line of the shell, and returns what it prints.
@discardableResult
func shell(_ line: String) throws -> String {
  let process = Process()
  process.executableURL = URL(fileURLWithPath: "/bin/sh")
  process.arguments = ["-c", line]
  let output = Pipe()
  process.standardOutput = output
  try process.run()
  let bytes = try output.fileHandleForReading.readToEnd() ?? Data()
  process.waitUntilExit()
  guard process.terminationStatus == 0 else { throw TrainerError("\(line) failed") }
  return String(decoding: bytes, as: UTF8.self)
}

/// Runs the system's tar.
func tar(_ arguments: [String]) throws {
  let process = Process()
  process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
  process.arguments = ["tar"] + arguments
  try process.run()
  process.waitUntilExit()
  guard process.terminationStatus == 0 else { throw TrainerError("tar \(arguments.joined(separator: " ")) failed") }
}
