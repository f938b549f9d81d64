/// What a program's kernels are on GPUs.
public struct DeviceCode: Sendable {
  /// One launch of a function of the PTX.
  public struct Launch: Hashable, Sendable {
    public var function: String
    public var blocks: Int
    /// Threads of a block, and bytes of shared memory that it has beside what its code names.
    public var threads: Int
    public var sharedBytes: Int
    /// Parameters behind the kernel's arguments.
    public var tensorMaps: [TensorMap]

    public init(function: String, blocks: Int, threads: Int, sharedBytes: Int = 0, tensorMaps: [TensorMap] = []) {
      self.function = function
      self.blocks = blocks
      self.threads = threads
      self.sharedBytes = sharedBytes
      self.tensorMaps = tensorMaps
    }
  }

  /// An array of bf16 numbers whose tiles a GPU's tensor copy engine brings to shared memory, in lines of 128 bytes that it swizzles.
  public struct TensorMap: Hashable, Sendable {
    /// The argument with the array, and bytes from its begin to the array's.
    public var argument: Int
    public var offset: Int
    /// Numbers along each axis, the one whose numbers are neighbours first; at least two axes.
    public var extents: [Int]
    /// Bytes from a number to the next along each axis but the first.
    public var strides: [Int]
    /// Numbers of a tile along each axis.
    public var box: [Int]

    /// What strides and addresses are multiples of, in bytes.
    public static let alignment = 16
    /// Words of 8 bytes that a description takes among a launch's parameters, which begin at multiples of 64 bytes.
    public static let wordCount = 16
    /// The most axes.
    public static let mostAxes = 4

    public init(argument: Int, offset: Int, extents: [Int], strides: [Int], box: [Int]) {
      self.argument = argument
      self.offset = offset
      self.extents = extents
      self.strides = strides
      self.box = box
    }
  }

  /// The kernels for an architecture.
  public struct Image: Sendable {
    /// The architecture by NVIDIA's name, such as `sm_80`.
    public var architecture: String
    /// Its compute capability, ten times the major number and the minor one.
    public var computeCapability: Int
    /// Whether the code runs on GPUs of that compute capability alone; on newer ones too, otherwise.
    public var isExact: Bool
    /// The least driver that knows the PTX, as `cuDriverGetVersion` counts.
    public var driverVersion: Int
    /// All functions, as the driver compiles them.
    public var ptx: String
    /// The launches of each of the program's kernels, in order.
    public var kernels: [[Launch]]

    public init(
      architecture: String, computeCapability: Int, isExact: Bool, driverVersion: Int, ptx: String, kernels: [[Launch]]
    ) {
      self.architecture = architecture
      self.computeCapability = computeCapability
      self.isExact = isExact
      self.driverVersion = driverVersion
      self.ptx = ptx
      self.kernels = kernels
    }
  }

  /// Of which a GPU takes the best that it can run.
  public var images: [Image]

  public init(images: [Image]) { self.images = images }
}
