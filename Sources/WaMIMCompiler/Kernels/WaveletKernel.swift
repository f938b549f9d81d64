import WaMIMGraph

/// One level of a separable wavelet analysis of a unit's pictures, or its adjoint: a filter down the columns, then one along the rows.
public struct WaveletKernel: Hashable, Sendable {
  /// Which way the kernel goes.
  public enum Direction: String, Hashable, Sendable {
    /// From pictures to subbands.
    case analysis
    /// From subbands to pictures, by the same filters.
    case adjoint
  }

  /// Where an array [channels, rows, columns] lies whose columns are neighbours.
  public struct Planes: Hashable, Sendable {
    public var argument: Int
    public var offset: Int
    /// The elements from one channel to the next, and from one row to the next.
    public var channelStride: Int
    public var rowStride: Int

    public init(argument: Int, offset: Int, channelStride: Int, rowStride: Int) {
      self.argument = argument
      self.offset = offset
      self.channelStride = channelStride
      self.rowStride = rowStride
    }
  }

  public var direction: Direction
  public var wavelet: Wavelet
  /// How many pictures a unit has.
  public var channels: Int
  /// The extents of a subband; a picture has twice as many rows and columns.
  public var rows: Int
  public var columns: Int
  public var pictures: Planes
  /// Where LL, LH, HL and HH lie; nil for those that nobody wants of an analysis.
  public var bands: [Planes?]
  /// The argument that is workspace, which the variant alone uses.
  public var workspace: Int

  public init(
    direction: Direction, wavelet: Wavelet, channels: Int, rows: Int, columns: Int, pictures: Planes, bands: [Planes?],
    workspace: Int
  ) {
    self.direction = direction
    self.wavelet = wavelet
    self.channels = channels
    self.rows = rows
    self.columns = columns
    self.pictures = pictures
    self.bands = bands
    self.workspace = workspace
  }
}

extension WaveletKernel {
  /// The names of the subbands, in the order in which they come: the first letter says which filter goes along the rows, the second
  /// which one down the columns.
  public static let bandNames = ["LL", "LH", "HL", "HH"]

  /// One coefficient of a filter: what it takes `offset` numbers after the first of a coefficient's two.
  public struct Tap: Hashable, Sendable {
    public var offset: Int
    public var coefficient: Float
  }

  /// The filters of one of the two passes.
  public struct Filters: Hashable, Sendable {
    public var low: [Tap]
    public var high: [Tap]
    /// What the low filter makes of a row of ones; of that, the high one makes zeros.
    public var gain: Float

    /// All taps.
    public var all: [Tap] { low + high }

    /// The offsets of both filters, each once, in ascending order.
    public var offsets: [Int] { Set(all.map(\.offset)).sorted() }
  }

  /// The filters down the columns, √2 times those of the wavelet: so the numbers of haar and bior2.2 are exact.
  public var verticalFilters: Filters { filters(scaledBy: Double(2).squareRoot(), gain: 2) }

  /// The filters along the rows, which take that factor back.
  public var horizontalFilters: Filters { filters(scaledBy: Double(0.5).squareRoot(), gain: 1) }

  private func filters(scaledBy scale: Double, gain: Float) -> Filters {
    let bank = wavelet.analysis
    func taps(_ filter: WaveletFilter) -> [Tap] {
      filter.coefficients.enumerated().map { Tap(offset: filter.first + $0, coefficient: Float($1 * scale)) }
    }
    return Filters(low: taps(bank.low), high: taps(bank.high), gain: gain)
  }
}
