import WaMIMGraph

extension Graph {
  /// The graph with no weight decay of parameters whose names have one of `words` in them.
  func sparing(_ words: [String]) -> Graph {
    var graph = self
    for value in values {
      guard case .parameter(let name, let shape, let initializer, var group) = self[value].operation,
        words.contains(where: name.contains)
      else { continue }
      group.decay = .never
      graph[value].operation = .parameter(name: name, shape: shape, initializer: initializer, group: group)
    }
    return graph
  }
}
