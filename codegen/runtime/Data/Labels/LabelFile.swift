/// A file with a line for each image: its path below the data, its class and, where wanted, its weight.
struct LabelFile {
  /// Which column holds what.
  private struct Columns {
    var file = 0
    var category = 1
    var weight: Int? = 2
    /// Whether there may be others.
    var isNamed = false

    private static let fileNames: Set<String> = ["file", "filename", "file_name", "path", "image", "name"]
    private static let classNames: Set<String> = ["class", "label", "cls", "category", "target"]
    private static let weightNames: Set<String> = ["weight", "sample_weight"]

    init() {}

    /// The columns that `row` names; nil where it is no row of names.
    init?(header row: [[UInt8]]) {
      let names = row.map { FilePath.text($0).lowercased() }
      guard let file = names.firstIndex(where: Self.fileNames.contains),
        let category = names.firstIndex(where: Self.classNames.contains)
      else { return nil }
      self.file = file
      self.category = category
      weight = names.firstIndex(where: Self.weightNames.contains)
      isNamed = true
    }
  }

  /// The rows whose image is not there.
  private struct Missing {
    var count = 0
    var example = ""
    var line = 0
  }

  /// Reads the labels of the images of `dataset`, which messages call `name`, from the file at `path`.
  static func labels(in path: String, of dataset: ImageDataset, called name: String) throws(TrainerError) -> RawLabels {
    let bytes = try FileSystem.read(path, limit: 1 << 34)
    let result: Result<RawLabels, TrainerError> = bytes.withUnsafeBufferPointer { bytes in
      Result { () throws(TrainerError) in
        do throws(TrainerError) {
          return try labels(in: bytes, of: dataset, called: name)
        } catch {
          throw TrainerError("\(path): \(error.message)")
        }
      }
    }
    return try result.get()
  }

  private static func labels(
    in bytes: UnsafeBufferPointer<UInt8>, of dataset: ImageDataset, called name: String
  ) throws(TrainerError) -> RawLabels {
    guard !bytes.starts(with: [0xFF, 0xFE]), !bytes.starts(with: [0xFE, 0xFF]) else {
      throw TrainerError("it is UTF-16; save it as UTF-8")
    }
    var labels = RawLabels(images: dataset.count, origin: .file)
    let names = try ImageNames(dataset)
    var rows = DelimitedRows(bytes)
    var columns = Columns()
    var missing = Missing()
    var isFirst = true
    while let row = try rows.next() {
      defer { isFirst = false }
      if isFirst, let named = Columns(header: row) {
        columns = named
        continue
      }
      let (file, category, weight) = try fields(of: row, columns, line: rows.line)
      guard let image = names.index(of: file) else {
        if missing.count == 0 { missing = Missing(example: FilePath.text(file), line: rows.line) }
        missing.count += 1
        continue
      }
      guard !labels.isLabelled(image) else {
        throw TrainerError("line \(rows.line): \(FilePath.text(file)) has a line already; give each image one class")
      }
      labels.set(image, to: labels.number(of: category), weight: weight)
    }
    guard missing.count == 0 else {
      throw TrainerError(
        "line \(missing.line) names \(missing.example), which is not among the images of \(name)"
          + (missing.count > 1 ? ", nor are those of \(Format.counted(missing.count - 1, "more line"))" : "")
          + "; images are named by their paths below it, such as \(FilePath.text(names.name(of: 0)))")
    }
    guard labels.weighsAnything else {
      throw TrainerError("the weight of every image is 0, so that none counts; leave out the weights")
    }
    return labels
  }

  /// Weights besides 0: sums of a batch's, and losses times them, stay far from the ends of float32's range.
  private static let weights: ClosedRange<Float> = 1e-12...1e12

  /// What a row says.
  private static func fields(
    of row: [[UInt8]], _ columns: Columns, line: Int
  ) throws(TrainerError) -> (file: [UInt8], category: [UInt8], weight: Float) {
    guard row.count > max(columns.file, columns.category), columns.isNamed || row.count <= 3 else {
      throw TrainerError(
        "line \(line) has \(Format.counted(row.count, "column")); a line is the image's file, its class and, where wanted, its weight, "
          + "or the first line names the columns, such as file,class,weight")
    }
    let (file, category) = (row[columns.file], row[columns.category])
    guard !file.isEmpty, !category.isEmpty else { throw TrainerError("line \(line) lacks its \(file.isEmpty ? "file" : "class")") }
    guard let column = columns.weight, column < row.count else { return (file, category, 1) }
    let text = FilePath.text(row[column].filter { $0 != UInt8(ascii: " ") })
    guard let weight = Float(text), weight == 0 || weights.contains(weight) else {
      throw TrainerError(
        "line \(line): the weight '\(text)' is not 0, nor a number from \(weights.lowerBound) to \(weights.upperBound)")
    }
    return (file, category, weight)
  }
}
