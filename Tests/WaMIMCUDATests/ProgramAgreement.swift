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

  /// Compares every output of every schedule, and what steps leave in states, with the interpreter's.
  ///
  /// - Parameters:
  ///   - limit: The largest difference beside a tensor's largest number.
  ///   - magnitude: A number in proportion to which there is rounding, where results may be near 0.
  static func check(
    _ model: Model, _ backend: CUDABackend = CUDABackend(), orders: ClosedRange<UInt64> = 0...0, seed: UInt64 = 1,
    limit: Double = 2e-5, magnitude: [Double] = []
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
        try run.run(role, order: order)
        let results = try run.outputs(of: role).merging(run.states.filter { expected.updates[$0.key] != nil }) { output, _ in output
        }
        if order == orders.lowerBound {
          first = results
          for (name, tensor) in expected.results {
            let actual = try #require(results[name], "\(model.name), \(role.rawValue): no result \(name)")
            let error = relativeError(actual + magnitude, tensor.elements + magnitude)
            #expect(error < limit, "\(model.name), \(role.rawValue), \(name): \(error)")
          }
        }
        #expect(results == first, "\(model.name), \(role.rawValue): order \(order) gives other bits")
      }
    }
  }
}
