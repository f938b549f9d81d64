/// What a search for images has passed over, so that nothing is left out without a word.
package struct LeftOut: Sendable, Equatable {
  /// Why something is no image of the data set.
  package enum Kind: Int, CaseIterable, Sendable {
    case otherFile, specialFile, danglingLink, repeatedFolder, archiveLink, sparseFile, otherArchive, archiveBesideImages

    /// What there are `count` of, as a phrase of a sentence.
    func phrase(_ count: Int) -> String {
      let (one, many) =
        switch self {
        case .otherFile: ("file that is no image", "files that are no images")
        case .specialFile: ("pipe, socket or device", "pipes, sockets or devices")
        case .danglingLink: ("link that leads nowhere", "links that lead nowhere")
        case .repeatedFolder: ("further path to a folder that is taken once", "further paths to folders that are taken once")
        case .archiveLink: ("link in an archive", "links in archives")
        case .sparseFile: ("sparse file in an archive", "sparse files in archives")
        case .otherArchive:
          ("archive that is neither a tar nor a gzipped tar", "archives that are neither tars nor gzipped tars")
        case .archiveBesideImages: ("tar archive beside the images", "tar archives beside the images")
        }
      return "\(count) \(count == 1 ? one : many)"
    }
  }

  private var counts = [Int](repeating: 0, count: Kind.allCases.count)
  private var examples = [String](repeating: "", count: Kind.allCases.count)

  package init() {}

  package func count(_ kind: Kind) -> Int { counts[kind.rawValue] }

  /// Takes note of something called `name`.
  mutating func add(_ kind: Kind, _ name: @autoclosure () -> String) {
    if counts[kind.rawValue] == 0 { examples[kind.rawValue] = name() }
    counts[kind.rawValue] += 1
  }

  /// Adds what `other` has.
  mutating func add(_ other: LeftOut) {
    for kind in Kind.allCases where other.count(kind) > 0 {
      if count(kind) == 0 { examples[kind.rawValue] = other.examples[kind.rawValue] }
      counts[kind.rawValue] += other.count(kind)
    }
  }

  /// All of it as a phrase of a sentence; nil where nothing was left out.
  package var sentence: String? {
    let phrases = Kind.allCases.filter { count($0) > 0 }.map { "\($0.phrase(count($0))), such as \(examples[$0.rawValue])" }
    return phrases.isEmpty ? nil : phrases.joined(separator: "; ")
  }

  /// Says in one sentence what was left out of `location`, where anything was: a warning, unless it is what lies beside images anywhere.
  func tell(location: String) {
    guard let sentence else { return }
    let text = "left out of \(location): \(sentence)"
    if counts[1...].allSatisfy({ $0 == 0 }) { Console.print(text) } else { Console.warn(text) }
  }
}
