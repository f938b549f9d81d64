import WaMIMManifest

/// A kernel's product beside a library's.
package struct ProductComparison: Encodable, Sendable {
  /// Where in the model the product is made, and by which kernel.
  var name: String
  var kernel: Int
  /// The product's extents, and how many of them there are.
  var shape: [Int]
  var factor: String
  /// Seconds of one call, with what follows the product in the kernel, and of the library's product alone; nil where it makes none.
  var seconds: Double
  var librarySeconds: Double?

  private enum CodingKeys: String, CodingKey {
    case name, kernel, shape, factor, seconds
    case librarySeconds = "cublas_seconds"
  }

  /// Those of `products` that `profile` has times of, the slowest kernel first.
  static func all(
    _ products: [Manifest.Product], seconds: [Double?], in profile: KernelProfile
  ) -> [ProductComparison] {
    let times = Dictionary(zip(products.map(\.kernel), zip(products, seconds))) { first, _ in first }
    return profile.kernels.compactMap { row in
      guard let kernel = row.kernel, let (product, seconds) = times[kernel], row.calls > 0 else { return nil }
      return ProductComparison(
        name: row.name, kernel: kernel, shape: [product.rows, product.columns, product.terms, product.count],
        factor: product.factor.rawValue, seconds: row.seconds / Double(row.calls), librarySeconds: seconds)
    }
  }
}
