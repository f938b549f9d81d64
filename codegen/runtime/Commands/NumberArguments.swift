import ArgumentParser

/// Two positive numbers, the lower one first, such as `0.2..1.0`.
struct NumberRange: ExpressibleByArgument, Equatable {
  let lower: Double
  let upper: Double

  init?(argument: String) {
    guard let gap = argument.firstRange(of: ".."), let lower = Double(argument[..<gap.lowerBound]),
      let upper = Double(argument[gap.upperBound...]), lower > 0, lower <= upper, upper.isFinite
    else { return nil }
    self.lower = lower
    self.upper = upper
  }

  var text: String { "\(lower)..\(upper)" }
}

/// The area of random crops, or the middle of each image instead.
enum CropArea: ExpressibleByArgument, Equatable {
  case center
  case range(NumberRange)

  init?(argument: String) {
    if argument == "none" {
      self = .center
    } else if let range = NumberRange(argument: argument) {
      self = .range(range)
    } else {
      return nil
    }
  }

  var text: String {
    switch self {
    case .center: "none"
    case .range(let range): range.text
    }
  }
}

/// Numbers with commas between them, such as `0.5,0.5,0.5`.
struct NumberList: ExpressibleByArgument, Equatable {
  let values: [Double]

  init?(argument: String) {
    let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
    let values = parts.compactMap { Double($0) }
    guard values.count == parts.count, values.allSatisfy(\.isFinite) else { return nil }
    self.values = values
  }

  var text: String { values.map { "\($0)" }.joined(separator: ",") }
}
