/// Guesses what a misspelt name was meant to be.
package enum Spelling {
  /// The candidate that is nearest to `name`, where one is near enough to be meant.
  package static func nearest(to name: String, among candidates: some Sequence<String>) -> String? {
    let letters = Array(name.lowercased().utf8)
    guard letters.count <= longest else { return nil }
    var best: (name: String, distance: Int)?
    let limit = max(1, letters.count / 3)
    for candidate in candidates where candidate != name && candidate.utf8.count <= longest {
      let other = Array(candidate.lowercased().utf8)
      guard abs(other.count - letters.count) <= limit else { continue }
      let distance = distance(letters, other)
      guard distance <= limit, distance < max(letters.count, other.count) else { continue }
      if let best, (best.distance, best.name) <= (distance, candidate) { continue }
      best = (candidate, distance)
    }
    return best?.name
  }

  /// A half-sentence that suggests the nearest candidate, or nothing.
  package static func suggestion(for name: String, among candidates: some Sequence<String>) -> String {
    nearest(to: name, among: candidates).map { ": did you mean '\($0)'?" } ?? ""
  }

  /// Longer names are not compared.
  private static let longest = 64

  /// How many letters have to be put in, left out, replaced or swapped with their neighbour.
  private static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
    var (before, previous) = ([Int](), Array(0...right.count))
    for (i, letter) in left.enumerated() {
      var current = [i + 1]
      for (j, other) in right.enumerated() {
        var cost = min(previous[j] + (letter == other ? 0 : 1), previous[j + 1] + 1, current[j] + 1)
        if i > 0, j > 0, letter == right[j - 1], left[i - 1] == other { cost = min(cost, before[j - 1] + 1) }
        current.append(cost)
      }
      (before, previous) = (previous, current)
    }
    return previous[right.count]
  }
}
