/// The features of images, and what the images show.
package struct FeatureTable: Sendable {
  /// Numbers of a feature.
  package let width: Int
  /// The features, one image after the other.
  package var values: [Float]
  /// The class of each image, or nothing where no classes are known.
  package var labels: [Int32]

  package init(width: Int, values: [Float] = [], labels: [Int32] = []) {
    (self.width, self.values, self.labels) = (width, values, labels)
  }

  /// How many images there are.
  package var count: Int { values.count / max(1, width) }
}
