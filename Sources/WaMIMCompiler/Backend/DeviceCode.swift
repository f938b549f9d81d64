/// What a program's kernels are on a GPU.
public struct DeviceCode: Sendable {
  /// One launch of a function of the PTX.
  public struct Launch: Hashable, Sendable {
    public var function: String
    public var blocks: Int
    /// Threads of a block.
    public var threads: Int

    public init(function: String, blocks: Int, threads: Int) {
      self.function = function
      self.blocks = blocks
      self.threads = threads
    }
  }

  /// All functions, as the driver compiles them.
  public var ptx: String
  /// The launches of each of the program's kernels, in order.
  public var kernels: [[Launch]]
  /// The least compute capability that the PTX runs on, ten times the major number and the minor one.
  public var computeCapability: Int
  /// The least driver that knows it, as `cuDriverGetVersion` counts.
  public var driverVersion: Int

  public init(ptx: String, kernels: [[Launch]], computeCapability: Int, driverVersion: Int) {
    self.ptx = ptx
    self.kernels = kernels
    self.computeCapability = computeCapability
    self.driverVersion = driverVersion
  }

  /// The least architecture by NVIDIA's name, such as `sm_80`.
  public var architecture: String { "sm_\(computeCapability)" }
}
