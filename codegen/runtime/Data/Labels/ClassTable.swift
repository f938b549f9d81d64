import FoundationEssentials

/// The classes of a data set by name, in the order of a model's outputs.
package struct ClassTable: Sendable, Equatable {
  package let names: [String]
  /// The classes by the bytes of their names, as texts that look alike need not be the same.
  private let indices: [[UInt8]: Int32]

  package init(_ names: [String]) throws(TrainerError) {
    var indices: [[UInt8]: Int32] = [:]
    for (index, name) in names.enumerated() {
      guard indices.updateValue(Int32(index), forKey: Array(name.utf8)) == nil else {
        throw TrainerError("two classes are called \(name); rename one, as names that are not UTF-8 can look alike")
      }
    }
    self.names = names
    self.indices = indices
  }

  package var count: Int { names.count }

  /// The class called `name`; a name that is no UTF-8 goes by the text that stands for it.
  func index(of name: [UInt8]) -> Int32? {
    indices[name] ?? indices[Array(FilePath.text(name).utf8)]
  }

  /// Whether a class is called by a number.
  var hasNumericNames: Bool { names.contains { Self.number(Array($0.utf8)) != nil } }

  /// The number that `name` writes in digits, without leading zeros; the largest one that there is for those beyond it.
  static func number(_ name: some Collection<UInt8>) -> Int? {
    guard !name.isEmpty, name.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
      name.count == 1 || name.first != UInt8(ascii: "0")
    else { return nil }
    return Int(String(decoding: name, as: UTF8.self)) ?? .max
  }

  /// The table as the metadata of a checkpoint holds it.
  package var json: String {
    get throws(TrainerError) { try JSON.encode(names) }
  }

  /// The table that the metadata of a checkpoint holds.
  package init(json: String) throws(TrainerError) {
    guard let names = try? JSONDecoder().decode([String].self, from: Data(json.utf8)) else {
      throw TrainerError("its table of classes cannot be read")
    }
    try self.init(names)
  }
}

/// What a sample is.
package struct Label: Sendable, Equatable {
  /// Its class, by number.
  package var category: Int
  /// What its loss weighs beside others.
  package var weight: Float

  package init(category: Int, weight: Float = 1) {
    (self.category, self.weight) = (category, weight)
  }
}
