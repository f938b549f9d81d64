import WaMIMGraph

extension GraphBuilder {
  /// The gradients scaled so that the norm of all together is at most what a run is told, as PyTorch's `clip_grad_norm_` does it.
  package func clipped(_ gradients: [(parameter: Tensor, gradient: Tensor)]) -> [(parameter: Tensor, gradient: Tensor)] {
    scoped("clip") {
      let squares = gradients.map { pair in beside(graph[pair.parameter.value]) { (pair.gradient * pair.gradient).total() } }
      let norm = squares.dropFirst().reduce(squares.first ?? constant(0), +).applying(.squareRoot)
      let factor = (hyperparameter("largest_norm") / (norm + 1e-6)).minimum(constant(1))
      return gradients.map { pair in
        (parameter: pair.parameter, gradient: beside(graph[pair.parameter.value]) { pair.gradient * factor })
      }
    }
  }
}
