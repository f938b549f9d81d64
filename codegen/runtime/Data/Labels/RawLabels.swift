/// What the containers of images say of their classes, before the classes have numbers.
struct RawLabels {
  /// Where names of classes come from.
  enum Origin {
    case folders, entries, file
  }

  /// The names that occur.
  private(set) var names: [[UInt8]] = []
  /// The name of each image among `names`, or `none`.
  private(set) var indices: [Int32]
  /// What each image weighs, where some weigh anything but 1.
  private(set) var weights: [Float]?
  let origin: Origin

  static let none: Int32 = -1

  private var known: [[UInt8]: Int32] = [:]

  init(images: Int, origin: Origin) {
    indices = Array(repeating: Self.none, count: images)
    self.origin = origin
  }

  /// The number of the class `name` among `names`.
  mutating func number(of name: [UInt8]) -> Int32 {
    if let number = known[name] { return number }
    known[name] = Int32(names.count)
    names.append(name)
    return Int32(names.count - 1)
  }

  func isLabelled(_ image: Int) -> Bool { indices[image] != Self.none }

  /// Says that an image is of the class of that number among `names`, and what it weighs.
  mutating func set(_ image: Int, to number: Int32, weight: Float = 1) {
    indices[image] = number
    if weight != 1 && weights == nil { weights = Array(repeating: 1, count: indices.count) }
    weights?[image] = weight
  }

  /// Whether an image with a label weighs more than 0.
  var weighsAnything: Bool {
    guard let weights else { return true }
    return indices.indices.contains { isLabelled($0) && weights[$0] > 0 }
  }

  /// Images without a label.
  var unlabelled: (count: Int, first: Int)? {
    guard let first = indices.firstIndex(of: Self.none) else { return nil }
    return (indices[first...].reduce(0) { $0 + ($1 == Self.none ? 1 : 0) }, first)
  }

  /// The first image of the class of number `number` among `names`.
  func firstImage(of number: Int) -> Int? { indices.firstIndex(of: Int32(number)) }
}
