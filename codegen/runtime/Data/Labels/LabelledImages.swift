/// Images with classes, those among a data set that have one.
package struct LabelledImages: ImageSource {
  private let images: any ImageSource
  package let table: ClassTable
  /// The images of the data set that have a label; nil where all do.
  private let chosen: [Int32]?
  private let categories: [Int32]
  /// What the images weigh, where some weigh anything but 1.
  private let weights: [Float]?

  init(_ images: any ImageSource, classes: ClassTable, chosen: [Int32]? = nil, categories: [Int32], weights: [Float]? = nil) {
    self.images = images
    table = classes
    self.chosen = chosen
    self.categories = categories
    self.weights = weights
  }

  package var count: Int { categories.count }

  private func original(_ index: Int) -> Int { chosen.map { Int($0[index]) } ?? index }

  package func load(at index: Int) throws(TrainerError) -> LoadedImage { try images.load(at: original(index)) }
  package func name(at index: Int) -> String { images.name(at: original(index)) }
  package func shortName(at index: Int) -> String { images.shortName(at: original(index)) }

  package func label(at index: Int) -> Label? {
    Label(category: Int(categories[index]), weight: weights?[index] ?? 1)
  }

  package var classes: ClassTable? { table }

  package var isWeighted: Bool { weights != nil }

  package func reads(_ identity: FileStatus.Identity) -> Bool { images.reads(identity) }
  package func saveIndex(in folder: String) throws(TrainerError) { try images.saveIndex(in: folder) }

  package var indexByteCount: Int {
    images.indexByteCount + 4 * (categories.count + (chosen?.count ?? 0) + (weights?.count ?? 0))
  }

  package var digest: String {
    var sum = BinaryWriter.checksum(images.digest.utf8, continuing: BinaryWriter.emptyChecksum)
    for name in table.names { sum = BinaryWriter.checksum(name.utf8, continuing: BinaryWriter.checksum([0], continuing: sum)) }
    for values in [chosen ?? [], categories, weights?.map { Int32(bitPattern: $0.bitPattern) } ?? []] {
      values.withUnsafeBytes { sum = BinaryWriter.checksum($0, continuing: BinaryWriter.checksum([1], continuing: sum)) }
    }
    return ImageDigest.text(sum)
  }

  /// Images of each class.
  package var counts: [Int] {
    categories.reduce(into: Array(repeating: 0, count: table.count)) { $0[Int($1)] += 1 }
  }
}

extension SyntheticImages {
  /// The drawn images with classes that go round and round, to try classifiers without files.
  package func labelled(classes count: Int) throws(TrainerError) -> LabelledImages {
    LabelledImages(
      self, classes: try ClassTable((0..<count).map { "\($0)" }), categories: (0..<self.count).map { Int32($0 % count) })
  }
}
