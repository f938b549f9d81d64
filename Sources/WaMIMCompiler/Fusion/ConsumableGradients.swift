import WaMIMGraph

extension Lowering {
  /// The products over all rows whose results end in updates of one weight and of what the optimiser keeps for it, and nowhere else.
  ///
  /// Updates can then follow each block of rows as it is computed, and no gradient has to be kept.
  func consumableGradients() -> Set<ValueID> {
    let users = graph.users()
    let results = Set(graph.results)
    var states: [ValueID: [ValueID]] = [:]
    for update in graph.updates { states[update.value, default: []].append(update.state) }

    /// The states that are updated by elementwise work on `value`, or nil where anything else is done with it.
    func statesUpdated(from value: ValueID, _ seen: inout Set<ValueID>) -> Set<ValueID>? {
      var updated = Set(states[value] ?? [])
      guard !results.contains(value), updated.allSatisfy(graph.outlivesStep), !(updated.isEmpty && users[value.index].isEmpty)
      else { return nil }
      for user in users[value.index] where seen.insert(user).inserted {
        guard graph[user].operation.isElementwise, graph[user].type.shape == graph[value].type.shape,
          let more = statesUpdated(from: user, &seen)
        else { return nil }
        updated.formUnion(more)
      }
      return updated
    }

    return Set(
      graph.values.filter { value in
        guard case .matmul(transposeLeft: true, _) = graph[value].operation, graph[value].type.shape.rank == 2,
          !storage.accumulated.contains(value)
        else { return false }
        var seen: Set<ValueID> = []
        guard let updated = statesUpdated(from: value, &seen) else { return false }
        // Later blocks would read what earlier ones have written over.
        return graph[value].operands.allSatisfy { !updated.contains(storage[$0].root) }
      })
  }
}
