/// Tells how many images have been found, where finding them takes more than a moment.
struct ScanProgress {
  private let location: String
  private var lastReport = Clock.seconds

  /// Seconds between two reports.
  private static let interval = 2.0

  /// - Parameter location: What is being looked through.
  init(_ location: String) {
    self.location = location
  }

  /// Takes note that `images` have been found so far.
  mutating func advance(images: Int) {
    guard images & 63 == 0 else { return }
    let now = Clock.seconds
    guard now - lastReport >= Self.interval else { return }
    lastReport = now
    Console.print("looking for images in \(location): \(images) so far")
  }
}
