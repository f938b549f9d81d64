/// How the classes of a data set are found, and what is wrong with them.
package struct LabelSearch {
  /// What the images are for.
  package enum Purpose: Sendable {
    case training, evaluation
  }

  let dataset: ImageDataset
  /// What messages call the images.
  let name: String
  /// The file that tells the classes, or nil where folders and shards do.
  let file: String?
  /// The option that takes such a file.
  let fileOption: String
  /// The classes of the training, by whose numbers these images are labelled; nil where these images define them.
  let classes: ClassTable?
  /// The classes that the program has, or nil where it takes as many as there are.
  let count: Int?
  let purpose: Purpose

  package init(
    _ dataset: ImageDataset, name: String, file: String? = nil, fileOption: String = "--labels", classes: ClassTable? = nil,
    count: Int?, purpose: Purpose
  ) {
    (self.dataset, self.name, self.classes) = (dataset, name, classes)
    (self.file, self.fileOption) = (file, fileOption)
    (self.count, self.purpose) = (count, purpose)
  }

  /// The images that have a label; throws where labels are missing that should be there, and where classes do not fit the program.
  package func labelled() throws(TrainerError) -> LabelledImages {
    let raw: RawLabels
    if let file {
      raw = try LabelFile.labels(in: file, of: dataset, called: name)
    } else {
      raw = try ContainerLabels.labels(of: dataset)
    }
    try checkUnlabelled(raw)
    try checkFolders(raw)
    let table: ClassTable
    if let classes { table = classes } else { table = try newTable(raw) }
    let numbers = try numbers(of: raw, in: table)
    let chosen = raw.unlabelled == nil ? nil : raw.indices.indices.filter { raw.isLabelled($0) }.map { Int32($0) }
    let kept = chosen ?? raw.indices.indices.map { Int32($0) }
    let images = LabelledImages(
      dataset, classes: table, chosen: chosen, categories: kept.map { numbers[Int(raw.indices[Int($0)])] },
      weights: raw.weights.map { weights in kept.map { weights[Int($0)] } })
    warnOfClassesWithoutImages(images)
    return images
  }

  private func checkUnlabelled(_ raw: RawLabels) throws(TrainerError) {
    guard let (missing, first) = raw.unlabelled else { return }
    let example = dataset.name(at: first)
    let images = "\(missing) of \(Format.counted(dataset.count, "image"))"
    switch raw.origin {
    case .file:
      guard missing < dataset.count else { throw TrainerError("\(file ?? "") has no line for any image of \(name)") }
      Console.warn("\(images) of \(name) have no line in \(file ?? "") and are left out, such as \(example)")
    case .folders:
      throw TrainerError(
        "\(images) have no class, such as \(example): put the images of each class into a folder of its name in \(name), "
          + "or say which image is of which class with \(fileOption) FILE")
    case .entries:
      throw TrainerError(
        "\(images) in \(name) have no class, such as \(example): their archives hold no .cls or .json beside them that names one")
    }
  }

  private func checkFolders(_ raw: RawLabels) throws(TrainerError) {
    guard raw.origin == .folders else { return }
    let empty = ContainerLabels.emptyClasses(of: dataset, labels: raw)
    guard let first = empty.first else { return }
    let folders =
      "\(Format.counted(empty.count, "class folder")) of \(name) \(empty.count == 1 ? "holds" : "hold") no images: \(first)"
    guard purpose == .evaluation else { throw TrainerError("\(folders); fill or remove what is empty") }
    Console.warn(folders)
  }

  /// The table of classes that the images define.
  private func newTable(_ raw: RawLabels) throws(TrainerError) -> ClassTable {
    let numbers = raw.origin == .folders ? [] : raw.names.compactMap(ClassTable.number)
    if !raw.names.isEmpty, numbers.count == raw.names.count { return try numberedTable(numbers, raw) }
    warnOfNegativeNumbers(raw, others: numbers.count)
    let names = raw.names.sorted { $0.lexicographicallyPrecedes($1) }.map { FilePath.text($0) }
    if let count, names.count != count {
      throw TrainerError(
        "\(name) has \(names.count == 1 ? "1 class" : "\(names.count) classes") and the program \(count): "
          + "compile the model for as many, with --set classes=\(names.count)")
    }
    return try ClassTable(names)
  }

  /// Classes that are called by numbers are fewer, where the program does not say how many there are.
  private static let mostNumberedClasses = 1_000_000

  /// The table of the classes 0, 1, … where `numbers` are the names of `raw`.
  private func numberedTable(_ numbers: [Int], _ raw: RawLabels) throws(TrainerError) -> ClassTable {
    guard let largest = numbers.enumerated().max(by: { $0.element < $1.element }) else { return try ClassTable([]) }
    guard largest.element < count ?? Self.mostNumberedClasses else {
      let example = raw.firstImage(of: largest.offset).map { ", of \(dataset.name(at: $0))," } ?? ""
      let limit =
        count.map { "the program's \($0) classes, which are 0 to \($0 - 1)" }
        ?? "\(Self.mostNumberedClasses - 1), the largest number of a class"
      throw TrainerError("the label \(FilePath.text(raw.names[largest.offset]))\(example) is beyond \(limit)")
    }
    return try ClassTable((0..<(count ?? largest.element + 1)).map { "\($0)" })
  }

  /// Says that numbers below 0 make names of all labels, which is rarely meant where there are `others` that are numbers from 0 on.
  private func warnOfNegativeNumbers(_ raw: RawLabels, others: Int) {
    let negative = raw.names.indices.filter {
      raw.names[$0].first == UInt8(ascii: "-") && ClassTable.number(raw.names[$0].dropFirst()) != nil
    }
    guard raw.origin != .folders, others > 1, let first = negative.first, negative.count + others == raw.names.count else { return }
    let example = raw.firstImage(of: first).map { ", of \(dataset.name(at: $0))," } ?? ""
    Console.warn(
      "the label \(FilePath.text(raw.names[first]))\(example) is below 0 and counts as the name of a class; "
        + "if it stands for no class, leave out the images that have it")
  }

  /// The class in `table` of each of the names that occur.
  private func numbers(of raw: RawLabels, in table: ClassTable) throws(TrainerError) -> [Int32] {
    if let count, table.count != count {
      throw TrainerError("the training had \(table.count) classes, and the program has \(count)")
    }
    // Numbers stand for the model's outputs, except where classes are called by numbers.
    let areNumbers = !table.hasNumericNames && raw.origin != .folders && raw.names.allSatisfy { ClassTable.number($0) != nil }
    var unknown: [Int] = []
    let numbers = raw.names.enumerated().map { index, name -> Int32 in
      if let number = table.index(of: name) { return number }
      if areNumbers, let number = ClassTable.number(name), number < table.count { return Int32(number) }
      unknown.append(index)
      return 0
    }
    guard let first = unknown.first else { return numbers }
    let example = raw.firstImage(of: first).map { " (\(dataset.name(at: $0)))" } ?? ""
    let known = table.names.prefix(5).joined(separator: ", ") + (table.count > 5 ? ", …" : "")
    throw TrainerError(
      "\(name): the class \(FilePath.text(raw.names[first]))\(example) is none of those of the training, which are \(known)"
        + (unknown.count > 1 ? "; nor are \(unknown.count - 1) more" : ""))
  }

  private func warnOfClassesWithoutImages(_ images: LabelledImages) {
    let empty = zip(images.table.names, images.counts).filter { $0.1 == 0 }
    guard let first = empty.first else { return }
    Console.warn("\(empty.count) of \(images.table.count) classes have no images in \(name), such as \(first.0)")
  }
}
