import FoundationEssentials
import WaMIMManifest

/// Features in a safetensors file: `features`, `labels` where there are classes, and names in the metadata.
package struct FeatureFile {
  package var table: FeatureTable
  /// The images' paths.
  package var files: [String]
  /// The classes that labels number.
  package var classes: ClassTable?

  package init(table: FeatureTable, files: [String], classes: ClassTable?) {
    (self.table, self.files, self.classes) = (table, files, classes)
  }

  private enum Key {
    static let features = "features"
    static let labels = "labels"
    static let files = "files"
    static let classes = "classes"
  }

  package func write(to file: ReplacedFile) throws(TrainerError) {
    var metadata = [Key.files: try JSON.encode(files)]
    var layouts = [Safetensors.Layout(name: Key.features, shape: [table.count, table.width], byteCount: 4 * table.values.count)]
    if let classes {
      metadata[Key.classes] = try classes.json
      layouts.append(Safetensors.Layout(name: Key.labels, type: "I32", shape: [table.count], byteCount: 4 * table.labels.count))
    }
    try Safetensors.write(layouts, metadata: metadata, to: file) { (index, file) throws(TrainerError) in
      try file.write(index == 0 ? table.values.withUnsafeBytes { Array($0) } : table.labels.withUnsafeBytes { Array($0) })
    }
  }

  /// Reads the file at `path`, which has to hold labels.
  package init(labelledAt path: String) throws(TrainerError) {
    let reader = try SafetensorsReader(path)
    guard let features = reader.header.entries[Key.features], features.type == "F32", features.shape.count == 2 else {
      throw TrainerError("\(path) holds no `\(Key.features)` of type F32 and shape [images, width]: `features` writes such a file")
    }
    guard let labels = reader.header.entries[Key.labels], labels.type == "I32", labels.shape == [features.shape[0]],
      let json = reader.header.metadata[Key.classes]
    else { throw TrainerError("\(path) holds no classes: write it with `features --labelled`") }
    let classes = try ClassTable(json: json)
    var numbers = [Int32](repeating: 0, count: labels.shape[0])
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 4 * numbers.count, alignment: 8)
    defer { bytes.deallocate() }
    try reader.read(Key.labels, into: bytes)
    for index in numbers.indices { numbers[index] = bytes.loadUnaligned(fromByteOffset: 4 * index, as: Int32.self) }
    guard numbers.allSatisfy({ $0 >= 0 && $0 < classes.count }) else {
      throw TrainerError("\(path): a label is none of the \(classes.count) classes")
    }
    table = FeatureTable(width: features.shape[1], values: try reader.floats(Key.features), labels: numbers)
    files = []
    self.classes = classes
  }
}
