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

  /// How much farther than the interpreter's results the emulator's may lie, which round everywhere and not in sources alone.
  private static let mostMovement = 4.0

  /// Sources whose float32 numbers differ by somewhat more than rounding makes them, as attention on tensor cores keeps 16 bits of weights.
  private static func roundedOtherwise(
    _ sources: [String: [Double]], in program: Program, using generator: inout SeededGenerator
  ) -> [String: [Double]] {
    let tensors = program.manifest.states.map(\.tensor) + program.manifest.inputs.map(\.tensor)
    let exact = Set(tensors.filter { $0.type != .float32 }.map(\.name))
    return sources.reduce(into: [:]) { result, source in
      result[source.key] =
        exact.contains(source.key)
        ? source.value : source.value.map { $0 * (1 + Double.random(in: -1...1, using: &generator) * 0x1p-20) }
    }
  }

  /// Compares every output of every schedule, and what steps leave in states, with the interpreter's.
  ///
  /// Beyond the limit, the emulator's results may lie some times as far from the interpreter's as those move when its sources are rounded
  /// otherwise: in bf16 small models amplify a number that is rounded to a neighbour.
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
          var unsure: [String: Double] = [:]
          for (name, tensor) in expected.results {
            let actual = try #require(results[name], "\(model.name), \(role.rawValue): no result \(name)")
            let error = relativeError(actual + magnitude, tensor.elements + magnitude)
            if !(error < limit) { unsure[name] = error }
          }
          guard !unsure.isEmpty else { continue }
          let moved = try Interpreter(graph).evaluate(roundedOtherwise(sources, in: program, using: &generator)).results
          for (name, error) in unsure {
            let (elements, others) = (expected.results[name]?.elements ?? [], moved[name]?.elements ?? [])
            let movement = relativeError(others + magnitude, elements + magnitude)
            #expect(error < mostMovement * movement, "\(model.name), \(role.rawValue), \(name): \(error), moves by \(movement)")
          }
        }
        #expect(results == first, "\(model.name), \(role.rawValue): order \(order) gives other bits")
      }
    }
  }
}
