/// Numbers on a grid for each of some channels, [channels, height, width].
package struct Planes: Sendable, Equatable {
  package var channels: Int
  package var height: Int
  package var width: Int
  package var values: [Float]

  package init(channels: Int, height: Int, width: Int, values: [Float]) {
    self.channels = channels
    self.height = height
    self.width = width
    self.values = values
  }

  /// Planes of zeros.
  package init(channels: Int, height: Int, width: Int) {
    self.init(channels: channels, height: height, width: width, values: [Float](repeating: 0, count: channels * height * width))
  }

  package subscript(channel: Int, row: Int, column: Int) -> Float {
    get { values[(channel * height + row) * width + column] }
    set { values[(channel * height + row) * width + column] = newValue }
  }
}
