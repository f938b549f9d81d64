import KernelSupport
import TestSupport
import WaMIMCompiler
import WaMIMTypes

/// What one call of a kernel makes of the memory that it finds, beside what the kernel means.
///
/// Programs that round to bf16 are compared call by call: a number near the middle between two of bf16 is rounded to either, and what
/// follows in the program makes so much of it that the whole says little of each kernel.
struct CallAgreement {
  /// Where a number lies.
  private struct Address: Hashable {
    var storage: Placement.Storage
    var offset: Int

    init(_ memory: Placement, _ element: Int, _ type: ElementType) {
      (storage, offset) = (memory.storage, memory.offset + element * type.byteCount)
    }

    /// The same place, some bytes on.
    func advanced(by bytes: Int) -> Address {
      var moved = self
      moved.offset += bytes
      return moved
    }
  }

  /// The arguments in which the call leaves something.
  private let writtenArguments: [Int]
  /// What they should hold, in the same order; nil where another argument says that.
  private let expected: [[Float?]]
  /// What sums over columns are rounded in proportion to where their terms cancel, in the same order.
  private let termMagnitudes: [Float]

  /// - Parameters:
  ///   - arrays: What the arguments hold before the call.
  ///   - memory: Where each of them lies; those of kernels that run at the same time may share an array.
  ///   - units: As many as the call has.
  init(_ kernel: Kernel, _ arrays: [[Float]], in memory: [Placement], units: Int) {
    var reference = KernelReference(kernel, arrays: arrays)
    reference.run(0..<units)
    let unwanted = kernel.argumentsOfUnwantedProducts
    writtenArguments = kernel.arguments.indices.filter { kernel.arguments[$0].access.writes && !unwanted.contains($0) }
    termMagnitudes = writtenArguments.map { reference.termMagnitudes[$0] ?? 0 }
    var changes: [Address: (number: Float, type: ElementType)] = [:]
    for argument in writtenArguments {
      let type = kernel.arguments[argument].element
      for (element, number) in reference.arrays[argument].enumerated()
      where number.bitPattern != arrays[argument][element].bitPattern {
        changes[Address(memory[argument], element, type)] = (number, type)
      }
    }
    expected = writtenArguments.map { argument in
      let type = kernel.arguments[argument].element
      return arrays[argument].enumerated().map { element, before in
        let address = Address(memory[argument], element, type)
        // A slice of an array may be said to be as long as the array, and reach into what is behind it, of another type maybe.
        if let change = changes[address] { return change.type == type ? change.number : nil }
        let overlapping = changes[address.advanced(by: type.byteCount == 2 ? -2 : 2)]
        return overlapping.map { $0.type.byteCount != type.byteCount } == true ? nil : before
      }
    }
  }

  /// Elements of an argument that a call on `units` units may touch.
  static func count(of argument: KernelArgument, units: Int) -> Int {
    argument.count + argument.unitStride * max(units - 1, 0)
  }

  /// The largest difference of what the call wrote, beside its tensor's largest number, or the terms' of a sum.
  ///
  /// - Parameters:
  ///   - arrays: What the arguments hold after the call.
  ///   - magnitude: A number in proportion to which there is rounding, where results may be near 0.
  func error(of arrays: [[Float]], magnitude: Float = 0) -> Double {
    writtenArguments.indices.reduce(0) { largest, index in
      max(largest, error(arrays[writtenArguments[index]], expected[index], max(magnitude, termMagnitudes[index])))
    }
  }

  /// The difference of numbers that are there; what nobody has written yet is not a number in both.
  private func error(_ actual: [Float], _ expected: [Float?], _ magnitude: Float) -> Double {
    let known = zip(actual, expected).compactMap { number, expected in expected.map { (number, $0) } }
    let pairs = known.filter { $0.bitPattern != $1.bitPattern }
    guard !pairs.isEmpty else { return 0 }
    let scale = known.reduce(magnitude) { $1.1.isFinite ? max($0, abs($1.1)) : $0 }
    return pairs.reduce(0) { largest, pair in
      let difference = Double(abs(pair.0 - pair.1)) / Double(max(scale, .leastNormalMagnitude))
      return difference.isNaN ? .infinity : max(largest, difference)
    }
  }
}

extension Kernel {
  /// The arguments that products would go to which only epilogues want, so that nothing may be written there.
  fileprivate var argumentsOfUnwantedProducts: Set<Int> {
    switch body {
    case .matmul(let matmul) where !matmul.keepsProduct:
      let stored = matmul.epilogue?.stages.flatMap(\.stores).map(\.access.argument) ?? []
      return Set([matmul.result.argument]).subtracting(stored)
    case .parallel(let parallel):
      return parallel.groups.reduce(into: []) { all, group in
        let own = group.kernel.argumentsOfUnwantedProducts
        for member in 0..<group.count {
          for (operand, argument) in zip(group.operands, group.arguments(of: member)) where own.contains(operand) {
            all.insert(argument)
          }
        }
      }
    default: return []
    }
  }
}

extension KernelArgument.Access {
  /// Whether others see what is written there.
  fileprivate var writes: Bool { self == .write || self == .update }
}
