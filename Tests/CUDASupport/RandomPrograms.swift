import TestSupport
import WaMIMTraining

/// Programs drawn at random, by a seed that draws the same again.
package enum RandomPrograms {
  package static func model(seed: UInt64, precision: String) throws -> Model {
    var model = Model(try RandomRowGraph.draw(seed: seed))
    model.recipe[choice: .precision] = precision
    return model
  }

  /// Numbers in them are about 1, and results may be near 0.
  package static let limits = [
    "f32": ProgramAgreement.Limits(whole: 1e-4, call: 1e-5, magnitude: 1),
    "bf16": ProgramAgreement.Limits(whole: 2e-2, call: 1e-2, magnitude: 1),
  ]
}
