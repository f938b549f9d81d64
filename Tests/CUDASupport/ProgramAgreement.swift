import TestSupport
import WaMIMCUDA
import WaMIMCompiler
import WaMIMGraph
import WaMIMInterpreter
import WaMIMManifest
import WaMIMTraining
import WaMIMTypes

/// A whole program as CUDA, run and compared with the interpreter.
package struct ProgramAgreement {
  /// What was compared, and by how much it differs.
  package struct Finding {
    /// The model's name, the schedule's, and the call's or the result's.
    package var subject: String
    /// The largest difference beside a tensor's largest number; infinite where a result is missing.
    package var error: Double
    package var limit: Double

    package var isGood: Bool { error < limit }
  }

  /// How much may differ.
  package struct Limits {
    /// What a whole schedule leaves, beside each tensor's largest number.
    package var whole: Double
    /// What one call writes, given what it finds; nil where calls are not compared.
    package var call: Double?
    /// A number in proportion to which there is rounding, where results may be near 0.
    package var magnitude: Double

    package init(whole: Double = 2e-5, call: Double? = nil, magnitude: Double = 0) {
      (self.whole, self.call, self.magnitude) = (whole, call, magnitude)
    }
  }

  private let model: Model
  private let program: Program
  private let graphs: [ScheduleRole: Graph]
  private let run: ProgramRun

  /// - Parameter load: Makes the program's functions of their PTX.
  package init(
    _ model: Model, _ backend: CUDABackend = CUDABackend(), _ load: (_ ptx: String) throws -> any DeviceFunctions
  ) throws {
    var graphs: [ScheduleRole: Graph] = [:]
    program = try Compilation(backend: backend).program(for: model, text: "", compiler: "test") { role, _, graph in
      graphs[role] = graph
    }
    run = try ProgramRun(program, backend, load)
    (self.model, self.graphs) = (model, graphs)
  }

  /// Compares every output of every schedule, and what steps leave in states, with the interpreter's, each call with its kernel, and the
  /// bits of every order of threads with those of the first.
  ///
  /// - Parameter note: Called with each comparison.
  package func check(
    orders: ClosedRange<UInt64> = 0...0, seed: UInt64 = 1, _ limits: Limits, note: (Finding) -> Void
  ) throws {
    var generator = SeededGenerator(seed: seed)
    for description in program.manifest.schedules {
      let role = description.role
      guard let graph = graphs[role] else { throw DeviceError(description: "\(model.name): '\(role.rawValue)' has no graph") }
      let sources = sources(of: graph, using: &generator)
      let expected = try Interpreter(graph).evaluate(sources)
      var first: [String: [Double]] = [:]
      for order in orders {
        let results = try results(of: role, sources, expected, order, order == orders.lowerBound ? limits : nil, note)
        if order == orders.lowerBound {
          first = results
          try compare(results, with: expected, graph, sources, role, limits, note)
        } else if results != first {
          note(Finding(subject: "\(model.name), \(role.rawValue), bits of order \(order)", error: .infinity, limit: 0))
        }
      }
    }
  }

  private func sources(of graph: Graph, using generator: inout SeededGenerator) -> [String: [Double]] {
    var sources = graph.randomSources(using: &generator)
    for state in program.manifest.states {
      guard case .rounded(let parameter) = state.role, let drawn = sources[state.tensor.name] else { continue }
      // Weights that are all positive would amplify what is rounded.
      let numbers = sources[parameter] ?? drawn.map { 0.8 * $0 - 0.4 }
      sources[state.tensor.name] = numbers.map { Double(BFloat16.rounded(Float($0))) }
    }
    return sources
  }

  /// What a schedule makes of `sources`, each call compared where there are limits.
  private func results(
    of role: ScheduleRole, _ sources: [String: [Double]], _ expected: Evaluation, _ order: UInt64, _ limits: Limits?,
    _ note: (Finding) -> Void
  ) throws -> [String: [Double]] {
    run.upload(sources)
    if let limits, let limit = limits.call {
      try run.run(role, order: order, magnitude: Float(limits.magnitude)) { call, error in
        note(Finding(subject: "\(model.name), \(role.rawValue), call of \(call)", error: error, limit: limit))
      }
    } else {
      try run.run(role, order: order)
    }
    return run.outputs(of: role).merging(run.states.filter { expected.updates[$0.key] != nil }) { output, _ in output }
  }

  private func compare(
    _ results: [String: [Double]], with expected: Evaluation, _ graph: Graph, _ sources: [String: [Double]], _ role: ScheduleRole,
    _ limits: Limits, _ note: (Finding) -> Void
  ) throws {
    let errors = expected.results.map { name, tensor in
      let magnitude = [limits.magnitude]
      return (name, results[name].map { relativeError($0 + magnitude, tensor.elements + magnitude) } ?? .infinity)
    }
    let isGood = errors.allSatisfy { $1 < limits.whole }
    let uncertain = isGood ? [:] : try uncertainty(of: expected, graph, sources, limits.magnitude)
    for (name, error) in errors {
      let beside = error < limits.whole ? "" : ", beside \(uncertain[name] ?? 0) of the interpreter itself"
      note(Finding(subject: "\(model.name), \(role.rawValue), \(name)\(beside)", error: error, limit: limits.whole))
    }
  }

  /// By how much results of the interpreter itself differ when what it is given differs in the last bit of float32.
  ///
  /// It tells, where a result is wrong, how much of that rounding may be: a number that lies near the middle between two of bf16 is
  /// rounded to either, and what follows makes much of that in some models.
  private func uncertainty(
    of expected: Evaluation, _ graph: Graph, _ sources: [String: [Double]], _ magnitude: Double
  ) throws -> [String: Double] {
    try (0..<3 as Range<UInt64>).reduce(into: [:]) { largest, trial in
      var generator = SeededGenerator(seed: trial)
      let moved = sources.mapValues { numbers in
        numbers.map { Double(Float($0 * (1 + 0x1p-23 * Double.random(in: -1...1, using: &generator)))) }
      }
      let results = try Interpreter(graph).evaluate(moved).results
      for (name, tensor) in expected.results {
        guard let other = results[name] else { continue }
        largest[name] = max(largest[name] ?? 0, relativeError(other.elements + [magnitude], tensor.elements + [magnitude]))
      }
    }
  }
}
