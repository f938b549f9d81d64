/// Kernels that need nothing of each other, so that a target can run all of them at the same time.
///
/// None of them uses a workspace.
public struct ParallelKernel: Hashable, Sendable {
  /// Equal kernels on different memory.
  public struct Repetition: Hashable, Sendable {
    /// Each of the kernels, whose argument numbers are its own.
    public var kernel: Kernel
    /// The units of each.
    public var units: Int
    /// How many there are.
    public var count: Int
    /// For each argument that is the same for all of them, by its own number: the number among all arguments.
    public var shared: [Int: Int]
    /// The number of the first argument of the first one that is its own; further ones, and then those of the others, follow.
    public var firstArgument: Int

    /// The kernel's arguments that are memory of others, by their own numbers: all but the workspace.
    package var operands: [Int] { kernel.arguments.indices.filter { kernel.arguments[$0].access != .workspace } }
    /// Those of them that each kernel has for itself.
    package var ownOperands: [Int] { operands.filter { shared[$0] == nil } }

    /// For each of the `operands` of kernel `member`, its number among all arguments.
    package func arguments(of member: Int) -> [Int] {
      var next = firstArgument + member * ownOperands.count
      return operands.map { operand in
        if let number = shared[operand] { return number }
        defer { next += 1 }
        return next
      }
    }
  }

  public var groups: [Repetition]

  /// The kinds of all members, for dumps and profiles.
  var kind: String { Set(groups.map(\.kernel.body.kind)).sorted().joined(separator: "+") }
}

extension ParallelKernel {
  /// One of the kernels to be.
  package struct Member<Memory: Hashable> {
    package var kernel: Kernel
    package var units: Int
    /// What each of the kernel's arguments is bound to.
    package var bindings: [Memory]

    package init(kernel: Kernel, units: Int, bindings: [Memory]) {
      self.kernel = kernel
      self.units = units
      self.bindings = bindings
    }
  }
}

extension Kernel {
  /// The kernel that runs all of `members`, which need nothing of each other, and what its arguments are bound to.
  package static func parallel<Memory>(_ members: [ParallelKernel.Member<Memory>]) -> (kernel: Kernel, bindings: [Memory]) {
    var groups: [[ParallelKernel.Member<Memory>]] = []
    for member in members {
      if let known = groups.firstIndex(where: { $0[0].units == member.units && $0[0].kernel == member.kernel }) {
        groups[known].append(member)
      } else {
        groups.append([member])
      }
    }
    var arguments: [KernelArgument] = []
    var bindings: [Memory] = []
    func add(_ operand: Int, of member: ParallelKernel.Member<Memory>) -> Int {
      arguments.append(member.kernel.arguments[operand].whole(units: member.units))
      bindings.append(member.bindings[operand])
      return arguments.count - 1
    }
    let described = groups.map { members in
      var group = ParallelKernel.Repetition(
        kernel: members[0].kernel, units: members[0].units, count: members.count, shared: [:], firstArgument: 0)
      for operand in group.operands where members.count > 1 {
        // Only what is read can be the same for several.
        guard members.allSatisfy({ $0.bindings[operand] == members[0].bindings[operand] }) else { continue }
        group.shared[operand] = add(operand, of: members[0])
      }
      group.firstArgument = arguments.count
      let own = group.ownOperands
      for member in members { for operand in own { _ = add(operand, of: member) } }
      return group
    }
    return (Kernel(arguments: arguments, body: .parallel(ParallelKernel(groups: described))), bindings)
  }
}

extension KernelArgument {
  /// The argument of all units at once.
  package func whole(units: Int) -> KernelArgument {
    KernelArgument(element: element, access: access, unitStride: 0, count: unitStride * (units - 1) + count)
  }
}
