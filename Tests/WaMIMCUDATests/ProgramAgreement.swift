import Foundation
import TestSupport
import Testing
import WaMIMCUDA
import WaMIMCompiler
import WaMIMGraph
import WaMIMInterpreter
import WaMIMLanguage
import WaMIMTraining
import WaMIMTypes

/// Whole programs as CUDA, emulated, against the interpreter.
enum ProgramAgreement {
  /// Where the files of `graphs` are.
  static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("graphs")

  /// The model of a file of `graphs`.
  static func model(_ name: String, _ settings: [String], precision: String = "f32") throws -> Model {
    let path = folder.appendingPathComponent(name + ".wg").path
    var model = try Language.model(source: Language.text(at: path), file: path, overrides: settings.map { try Override($0) })
    model.recipe[choice: .precision] = precision
    return model
  }

  /// Compares every output of every schedule, and what steps leave in states, with the interpreter's, and each call with its kernel.
  ///
  /// - Parameters:
  ///   - limit: The largest difference beside a tensor's largest number.
  ///   - callLimit: The same for what one call writes, given what it finds.
  ///   - magnitude: A number in proportion to which there is rounding, where results may be near 0.
  static func check(
    _ model: Model, _ backend: CUDABackend = CUDABackend(), orders: ClosedRange<UInt64> = 0...0, seed: UInt64 = 1,
    limit: Double = 2e-5, callLimit: Double? = nil, magnitude: Double = 0
  ) throws {
    var graphs: [ScheduleRole: Graph] = [:]
    let compilation = Compilation(backend: backend)
    let program = try compilation.program(for: model, text: "", compiler: "test") { role, _, graph in graphs[role] = graph }
    var generator = SeededGenerator(seed: seed)
    let run = try ProgramRun(program, backend)
    for description in program.manifest.schedules {
      let role = description.role
      let graph = try #require(graphs[role])
      var sources = graph.randomSources(using: &generator)
      for state in program.manifest.states {
        guard case .rounded(let parameter) = state.role, let drawn = sources[state.tensor.name] else { continue }
        // Weights that are all positive would amplify what is rounded.
        let numbers = sources[parameter] ?? drawn.map { 0.8 * $0 - 0.4 }
        sources[state.tensor.name] = numbers.map { Double(BFloat16.rounded(Float($0))) }
      }
      let expected = try Interpreter(graph).evaluate(sources)
      var first: [String: [Double]] = [:]
      for order in orders {
        run.upload(sources)
        if order == orders.lowerBound, let callLimit {
          try run.run(role, order: order, magnitude: Float(magnitude)) { call, error in
            #expect(error < callLimit, "\(model.name), \(role.rawValue), call of \(call): \(error)")
          }
        } else {
          try run.run(role, order: order)
        }
        let results = try run.outputs(of: role).merging(run.states.filter { expected.updates[$0.key] != nil }) { output, _ in output
        }
        if order == orders.lowerBound {
          first = results
          var errors: [String: Double] = [:]
          for (name, tensor) in expected.results {
            let actual = try #require(results[name], "\(model.name), \(role.rawValue): no result \(name)")
            errors[name] = relativeError(actual + [magnitude], tensor.elements + [magnitude])
          }
          let beyond = errors.filter { !($0.value < limit) }
          let uncertain = beyond.isEmpty ? [:] : try uncertainty(of: expected, graph, sources, magnitude)
          for (name, error) in beyond {
            let context = "\(model.name), \(role.rawValue), \(name)"
            #expect(error < limit, "\(context): \(error), beside \(uncertain[name] ?? 0) of the interpreter itself")
          }
        }
        #expect(results == first, "\(model.name), \(role.rawValue): order \(order) gives other bits")
      }
    }
  }

  /// By how much results of the interpreter itself differ when what it is given differs in the last bit of float32.
  ///
  /// It tells, where a result is wrong, how much of that rounding may be: a number that lies near the middle between two of bf16 is
  /// rounded to either, and what follows makes much of that in some models.
  private static func uncertainty(
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
