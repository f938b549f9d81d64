import WaMIMGraph
import WaMIMRecipe

/// A rule by which parameters follow their gradients.
public protocol Optimizer {
  /// Declares what the rule is told in every step.
  init(in builder: GraphBuilder)

  /// Adds what `parameter`, called `name`, becomes in a step at the learning rate `rate`, a scalar, and the states kept for it.
  ///
  /// The rate is the parameter's own, scaled as its group says, and `decays` tells whether weight decay shrinks it.
  func update(_ parameter: Tensor, named name: String, by gradient: Tensor, at rate: Tensor, decays: Bool)
}

extension Optimizer {
  /// Adds the update of each parameter by its gradient, as the parameter's group says, at the learning rate `rate`, a scalar.
  ///
  /// Where `decaysByLayer`, the rate of a parameter is multiplied by the layer decay once for each layer above it.
  package static func update(
    _ gradients: [(parameter: Tensor, gradient: Tensor)], rate: Tensor, decaysByLayer: Bool = false, in builder: GraphBuilder
  ) {
    builder.scoped(optimizerScope) {
      let optimizer = Self(in: builder)
      var rates = [0: rate]
      func layerRate(_ layers: Int) -> Tensor {
        guard decaysByLayer else { return rate }
        if let known = rates[layers] { return known }
        let scaled = rate * builder.hyperparameter(ScheduleScalar.layerRateName(layersAbove: layers))
        rates[layers] = scaled
        return scaled
      }
      for (parameter, gradient) in gradients {
        guard case .parameter(let name, let shape, _, let group) = builder.graph[parameter.value].operation else { continue }
        let own = layerRate(group.layersAbove)
        let scaled = group.rateScale == 1 ? own : own * group.rateScale
        // What is done for a parameter belongs to the layer that has it.
        builder.beside(builder.graph[parameter.value]) {
          optimizer.update(parameter, named: name, by: gradient, at: scaled, decays: group.decays(shape))
        }
      }
    }
  }
}

extension Recipe {
  /// The rule of the recipe's optimiser.
  package var optimizerRule: any Optimizer.Type { optimizers[optimizer] ?? AdamW.self }

  /// The recipe's schedule of the learning rate.
  package var schedule: any LearningRateSchedule {
    self[choice: .schedule] == "plateaus" ? PlateauSchedule() : CosineSchedule()
  }
}

/// The rules by the names that settings have for them.
package let optimizers: [String: any Optimizer.Type] = ["adamw": AdamW.self, "lars": LARS.self, "sgd": SGD.self]

/// The scope of optimisers' operations.
package let optimizerScope = "optimizer"

extension GraphBuilder {
  /// Declares a number, a scalar, that a run is told under the name that the recipe's table has for it.
  package func hyperparameter(_ name: String) -> Tensor {
    input(name, [], from: .hyperparameter(name))
  }

  /// Keeps a state for the parameter `name`: the running mean of the powers `order` of its gradients.
  package func moment(_ order: Int, of name: String, _ shape: Shape) -> Tensor {
    // Checkpoints hold the moments under these names.
    let prefix = order == 1 ? "first_moment" : "second_moment"
    return add(.state(name: "\(prefix).\(name)", shape: shape, role: .moment(order: order, of: name)))
  }

  /// Keeps a state for the parameter `name`: its running mean.
  package func average(of name: String, _ shape: Shape) -> Tensor {
    add(.state(name: "ema.\(name)", shape: shape, role: .average(of: name)))
  }
}
