extension Manifest {
  /// A text that operations are asked for in, with the lines of it that are known.
  public struct Source: Codable, Sendable, Hashable {
    public var file: String
    /// In ascending order; none where the text is not known.
    public var lines: [Line]

    public init(file: String, lines: [Line]) {
      self.file = file
      self.lines = lines
    }

    /// A line of a text; its number counts from 1.
    public struct Line: Codable, Sendable, Hashable {
      public var number: Int
      public var text: String

      public init(number: Int, text: String) {
        self.number = number
        self.text = text
      }
    }
  }

  /// Where operations of a call come from, and their share of its work.
  public struct Origin: Sendable, Hashable {
    /// An index in `layers`.
    public var layer: Int
    /// An index in `sources`, or nil where no source asks for the operations.
    public var source: Int?
    /// The line of the source, from 1.
    public var line: Int
    /// An index in `regions`.
    public var region: Int
    /// The share of the call's work, of the sum over the call's origins.
    public var share: Int

    public init(layer: Int, source: Int?, line: Int, region: Int, share: Int) {
      self.layer = layer
      self.source = source
      self.line = line
      self.region = region
      self.share = share
    }
  }

  /// The origins of a call, which a manifest has many of: five numbers each in one list.
  public struct Origins: Codable, Sendable, Hashable {
    public var entries: [Origin]

    public init(_ entries: [Origin] = []) {
      self.entries = entries
    }

    public init(from decoder: any Decoder) throws {
      let numbers = try decoder.singleValueContainer().decode([Int].self)
      entries = stride(from: 0, to: numbers.count - 4, by: 5).map { start in
        Origin(
          layer: numbers[start], source: numbers[start + 1] < 0 ? nil : numbers[start + 1], line: numbers[start + 2],
          region: numbers[start + 3], share: numbers[start + 4])
      }
    }

    public func encode(to encoder: any Encoder) throws {
      var container = encoder.singleValueContainer()
      try container.encode(entries.flatMap { [$0.layer, $0.source ?? -1, $0.line, $0.region, $0.share] })
    }

    /// The origins with their shares, which add up to 1; where no work is known, all have the same.
    public var shares: [(origin: Origin, share: Double)] {
      let total = entries.reduce(0) { $0 + $1.share }
      return entries.map { ($0, total > 0 ? Double($0.share) / Double(total) : 1 / Double(entries.count)) }
    }
  }

  /// Where the operations of the calls come from: what the numbers of origins stand for.
  public struct OriginTables: Codable, Sendable, Hashable {
    /// The paths of layers, such as `blocks.3.mlp.fc1`; the empty one is the model itself.
    public var layers: [String]
    /// The texts that describe the model.
    public var sources: [Source]
    /// The regions of a step, in its order: `forward`, `backward`, `update`.
    public var regions: [String]

    public init(layers: [String] = [], sources: [Source] = [], regions: [String] = []) {
      self.layers = layers
      self.sources = sources
      self.regions = regions
    }
  }
}

extension Manifest {
  /// A layer's path with `*` for each component that is a number, such as `blocks.*.mlp.fc1`.
  public static func pattern(_ name: String) -> String {
    name.split(separator: ".", omittingEmptySubsequences: false).map { component in
      !component.isEmpty && component.allSatisfy(\.isNumber) ? "*" : String(component)
    }.joined(separator: ".")
  }
}
