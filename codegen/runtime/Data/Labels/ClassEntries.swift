import FoundationEssentials

/// What the entries beside the images of an archive say of their classes: a `.cls` file, or else a `.json` file.
struct ClassEntries {
  /// The files that name classes.
  enum Ending: String {
    case cls, json
  }

  /// The class that an entry names, nil where its JSON names none.
  private struct Entry {
    var ending: Ending
    var className: [UInt8]?
    /// The file whose JSON cannot be read.
    var damaged: [UInt8]?
  }

  private let archive: [UInt8]
  /// By the key of the images that they belong to.
  private var entries: [ArraySlice<UInt8>: Entry] = [:]
  private let keys: Set<ArraySlice<UInt8>>

  /// - Parameters:
  ///   - keys: Those of images; entries of others say nothing.
  ///   - archive: The path that messages name.
  init(of keys: Set<ArraySlice<UInt8>>, archive: [UInt8]) {
    self.keys = keys
    self.archive = archive
  }

  /// Takes in the file called `name`; throws where it contradicts another one or is empty.
  mutating func add(
    _ name: [UInt8], key: ArraySlice<UInt8>, _ ending: Ending, bytes: () throws(TrainerError) -> [UInt8]
  ) throws(TrainerError) {
    guard keys.contains(key) else { return }
    let earlier = entries[key]
    // A .cls file counts more, wherever it stands.
    if earlier?.ending == .cls && ending == .json { return }
    let entry = try entry(name, ending, bytes())
    if let earlier, earlier.ending == ending, earlier.className != entry.className {
      let classes = [earlier, entry].map { $0.className.map { FilePath.text($0) } ?? "none" }
      throw TrainerError(
        "\(text(archive)) holds two .\(ending) files for \(text(Array(key))), one of the class \(classes[0]) and one of \(classes[1]); "
          + "leave one of them")
    }
    entries[key] = entry
  }

  /// The class of the images of `key`, or nil where nothing names it; throws where that is as its JSON cannot be read.
  func className(of key: ArraySlice<UInt8>) throws(TrainerError) -> [UInt8]? {
    guard let entry = entries[key] else { return nil }
    if let damaged = entry.damaged {
      throw TrainerError("\(text(archive)): \(text(damaged)) is not JSON, and should name a class")
    }
    return entry.className
  }

  private func entry(_ name: [UInt8], _ ending: Ending, _ bytes: [UInt8]) throws(TrainerError) -> Entry {
    switch ending {
    case .cls:
      let className = Self.trimmed(bytes)
      guard !className.isEmpty else { throw TrainerError("\(text(archive)): \(text(name)) is empty, and should name a class") }
      return Entry(ending: ending, className: className)
    case .json:
      do {
        let className = try JSONDecoder().decode(Description.self, from: Data(bytes)).className
        return Entry(ending: ending, className: className.map { Array($0.utf8) })
      } catch {
        return Entry(ending: ending, damaged: name)
      }
    }
  }

  private func text(_ bytes: [UInt8]) -> String { FilePath.text(bytes) }

  private static func trimmed(_ bytes: [UInt8]) -> [UInt8] {
    let isBlank = { (byte: UInt8) in byte <= UInt8(ascii: " ") }
    let start = bytes.drop(while: isBlank)
    return Array(start[..<((start.lastIndex { !isBlank($0) } ?? start.startIndex - 1) + 1)])
  }

  /// What a JSON file can say of a class: the first of these fields that is a name or a whole number.
  private struct Description: Decodable {
    private enum Field: String, CodingKey, CaseIterable {
      case `class`, label, cls
    }

    let className: String?

    init(from decoder: any Decoder) throws {
      // JSON that is no object, such as a list, names no class.
      guard let fields = try? decoder.container(keyedBy: Field.self) else {
        className = nil
        return
      }
      let names = Field.allCases.lazy.compactMap { (field) -> String? in
        if let number = try? fields.decode(Int.self, forKey: field) { return "\(number)" }
        return try? fields.decode(String.self, forKey: field)
      }
      className = names.first { !$0.isEmpty }
    }
  }
}
