import CLLVM
import WaMIMCompiler
import WaMIMGraph

/// Evaluates a list of instructions where loops stand, for many columns at once.
///
/// What is the same in all columns is evaluated once, as a scalar, when this is made.
struct ExpressionEmitter {
  private let emitter: KernelEmitter
  private let instructions: [Instruction]
  /// The values that are the same in all columns, and nil for the others.
  private var uniform: [Value?] = []
  /// The addresses of the loads that differ from column to column, at column 0.
  private var addresses: [Int: Address] = [:]
  private let loops: LoopIndices

  /// - Parameters:
  ///   - isUniform: Whether there is only one column.
  ///   - scalars: The numbers that earlier stages have left.
  init(
    _ instructions: [Instruction], at loops: LoopIndices, isUniform: Bool, scalars: [Int: Value] = [:], in emitter: KernelEmitter
  ) {
    self.emitter = emitter
    self.instructions = instructions
    self.loops = loops
    for (position, instruction) in instructions.enumerated() {
      uniform.append(uniformValue(of: instruction, isUniform: isUniform, scalars: scalars))
      if uniform[position] == nil, case .load(let access) = instruction {
        addresses[position] = emitter.address(access, at: loops)
      }
    }
  }

  private var builder: IRBuilder { emitter.builder }

  private func uniformValue(of instruction: Instruction, isUniform: Bool, scalars: [Int: Value]) -> Value? {
    switch instruction {
    case .load(let access):
      guard isUniform || !access.variesWithColumn else { return nil }
      return emitter.loadScalar(access.argument, emitter.address(access, at: loops))
    case .constant(let number):
      return builder.constant(number)
    case .scalar(let slot):
      return scalars[slot] ?? builder.constant(0)
    case .unary(let function, let operand):
      return uniform[operand].map { builder.apply(function, to: $0, lanes: 1) }
    case .binary(let function, let left, let right):
      guard let left = uniform[left], let right = uniform[right] else { return nil }
      return builder.apply(function, to: left, right, lanes: 1)
    case .rounded(let operand):
      return uniform[operand].map { builder.nearestBFloat16($0, lanes: 1) }
    }
  }

  /// The value of an instruction that is the same in all columns, or nil.
  func scalar(_ instruction: Int) -> Value? { uniform[instruction] }

  /// About how many machine instructions a vector of columns takes.
  var cost: Int { zip(instructions, uniform).map { $1 == nil ? $0.cost : 0 }.reduce(0, +) }

  /// Evaluates all instructions for runs of `lanes` columns that begin at each of `columns`.
  ///
  /// - Parameter count: How many columns of each run there are; the lanes beyond hold anything.
  /// - Returns: For each instruction, its value in each run.
  func evaluate(columns: [Value], lanes: Int, count: Int) -> [[Value]] {
    var values: [[Value]] = []
    for (position, instruction) in instructions.enumerated() {
      if let scalar = uniform[position] {
        let splat = builder.splat(scalar, lanes: lanes)
        values.append([Value](repeating: splat, count: columns.count))
        continue
      }
      values.append(
        columns.indices.map { run in
          switch instruction {
          case .load(let access):
            load(access, of: position, column: columns[run], lanes: lanes, count: count)
          case .unary(let function, let operand):
            builder.apply(function, to: values[operand][run], lanes: lanes)
          case .rounded(let operand):
            builder.nearestBFloat16(values[operand][run], lanes: lanes)
          case .binary(let function, let left, let right):
            if let argument = argumentOfOnePlusErrorFunction(instruction) {
              hasGaussian(of: argument)
                ? builder.onePlusErrorFunctionBesideGaussian(values[argument][run], lanes: lanes)
                : builder.onePlusErrorFunction(values[argument][run], lanes: lanes)
            } else {
              builder.apply(function, to: values[left][run], values[right][run], lanes: lanes)
            }
          case .constant, .scalar:
            builder.constant(0, lanes: lanes)
          }
        })
    }
    return values
  }

  /// What the error function is taken of, if `instruction` adds 1 to one.
  private func argumentOfOnePlusErrorFunction(_ instruction: Instruction) -> Int? {
    guard case .binary(.add, let left, let right) = instruction else { return nil }
    switch (instructions[left], instructions[right]) {
    case (.unary(.errorFunction, let argument), .constant(1)), (.constant(1), .unary(.errorFunction, let argument)):
      return argument
    default: return nil
    }
  }

  /// Whether e to the power of -x² is computed too, x being the value of `argument`, as a GELU's gradient needs it.
  private func hasGaussian(of argument: Int) -> Bool {
    instructions.contains { instruction in
      guard case .unary(.exponential, let exponent) = instruction, case .unary(.negate, let square) = instructions[exponent] else {
        return false
      }
      return instructions[square] == .binary(.multiply, argument, argument)
    }
  }

  private func load(_ access: Access, of position: Int, column: Value, lanes: Int, count: Int) -> Value {
    let address = addresses[position] ?? emitter.address(access, at: loops)
    return emitter.load(access, from: address, column: column, at: loops, lanes: lanes, count: count)
  }
}

extension Access {
  /// Whether it means different elements in different columns.
  var variesWithColumn: Bool { strides.last != 0 || (pick?.strides.last ?? 0) != 0 }
}

extension Instruction {
  /// About how many machine instructions it becomes.
  var cost: Int {
    switch self {
    case .unary(let function, _) where function.isTranscendental: 20
    case .unary(.squareRoot, _), .unary(.reciprocalSquareRoot, _), .binary(.divide, _, _): 4
    case .load, .unary, .binary: 1
    case .rounded: 3
    case .constant, .scalar: 0
    }
  }
}
