/// A backend's answer for one kernel: how it is carried out, and what that takes.
public struct Variant: Sendable {
  /// What dumps call it.
  public var name: String
  /// Rows or columns of the result in a unit, the last unit possibly having fewer; nil where the kernel's units stay as they are.
  public var block: Int?
  /// Elements of workspace that the code uses as it likes, behind what the kernel itself keeps there.
  public var workspace: Int
  /// What all units together take by estimate, in cycles of one core or whatever else the backend counts; nil where it has no estimate.
  public var cost: Double?
  /// What the variant can be run beside in one go: others for which this is the same; nil where it runs alone.
  ///
  /// Those that have companions use no workspace.
  public var companions: Companions?
  /// Words of 8 bytes that it takes where it runs beside others, on top of one for each of its kernel's arguments.
  public var furtherArguments: Int
  /// What the backend's code generator needs to know, which nobody else reads.
  public var plan: any Sendable

  public init(
    name: String, block: Int? = nil, workspace: Int = 0, cost: Double? = nil, companions: Companions? = nil,
    furtherArguments: Int = 0, plan: any Sendable = ()
  ) {
    self.name = name
    self.block = block
    self.workspace = workspace
    self.cost = cost
    self.companions = companions
    self.furtherArguments = furtherArguments
    self.plan = plan
  }
}

/// Kernels that can run at the same time in one go.
public enum Companions: Hashable, Sendable {
  /// Any that are called the same.
  case any(of: String)
  /// Equal ones, on other memory.
  case equal(Kernel, units: Int)
}

extension Variant {
  /// The variant in dumps: its name, and what it takes.
  public var text: String {
    name + (workspace > 0 ? ", workspace f32[\(workspace)]" : "")
      + (cost.map { ", about \(Int(($0 / 1e3).rounded())) thousand cycles" } ?? "")
  }
}
