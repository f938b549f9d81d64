/// Where training images come from; safe to ask from several threads at once.
package protocol ImageSource: Sendable {
  /// How many images there are.
  var count: Int { get }
  /// The image of number `index`; an error where its file cannot be read or its header is damaged.
  func load(at index: Int) throws(TrainerError) -> LoadedImage
  /// What the image of number `index` is; nil where nothing is known of that.
  func label(at index: Int) -> Label?
  /// The classes of the images; nil where they have none.
  var classes: ClassTable? { get }
  /// Whether some images weigh more than others.
  var isWeighted: Bool { get }
  /// What an error or a warning calls the image of number `index`.
  func name(at index: Int) -> String
  /// What files call the image of number `index`: its path below the data.
  func shortName(at index: Int) -> String
  /// What tells lists of images apart, wherever they lie.
  var digest: String { get }
  /// Whether images are read from the file that `identity` names.
  func reads(_ identity: FileStatus.Identity) -> Bool
  /// Bytes that are held to find the images.
  var indexByteCount: Int { get }
  /// Keeps in the folder of a run what was found out about the images, so that its next start need not look again.
  func saveIndex(in folder: String) throws(TrainerError)
}

extension ImageSource {
  package func shortName(at index: Int) -> String { name(at: index) }

  package func label(at index: Int) -> Label? { nil }

  package var classes: ClassTable? { nil }

  package var isWeighted: Bool { false }

  package var indexByteCount: Int { 0 }

  package func saveIndex(in folder: String) throws(TrainerError) {}

  package func reads(_ identity: FileStatus.Identity) -> Bool { false }

  package var digest: String {
    ImageDigest.text(
      (0..<count).reduce(BinaryWriter.emptyChecksum) { BinaryWriter.checksum(name(at: $1).utf8, continuing: $0) })
  }

  /// Throws where no image can be read, or the machine fails.
  ///
  /// Looks at the headers of images until one can be read, and leaves it to the work itself to find out where many cannot.
  ///
  /// - Parameter name: What messages call the images.
  package func requireReadable(called name: String) throws(TrainerError) {
    let tried = Swift.min(count, 1000)
    var problem: TrainerError?
    for index in 0..<tried {
      do throws(TrainerError) {
        _ = try load(at: index)
        return
      } catch {
        guard !error.isSystemFailure else { throw error }
        problem = problem ?? error
      }
    }
    guard let problem, tried == count else { return }
    throw TrainerError(
      "\(name): none of its \(Format.counted(count, "image")) can be read, such as \(self.name(at: 0)): \(problem.message)")
  }

  /// All pixels of the image of number `index`; an error where its file is damaged.
  package func image(at index: Int) throws(TrainerError) -> Image { try load(at: index).image() }
}
