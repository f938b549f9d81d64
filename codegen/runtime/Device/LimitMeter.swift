import WaMIMManifest

/// Measures what a device can do at most.
package protocol LimitMeter {
  /// Measures rates of arithmetic in registers, of which the highest ones count; to be called before and after what is held against them.
  mutating func measureArithmetic() throws(TrainerError)

  /// The limits, with those of BLAS and of the memory, which are measured now.
  ///
  /// - Parameter library: The shared library whose BLAS is measured, or nil for what there is.
  func limits(blas library: String?) throws(TrainerError) -> MachineLimits

  /// Opens the device's own library for products, before anything is measured that would be lost where there is none.
  mutating func openLibrary() throws(TrainerError)

  /// Seconds that the library takes for each of some products; nil for those that it cannot make or has no memory for.
  func librarySeconds(of products: [Manifest.Product]) throws(TrainerError) -> [Double?]
}

extension LimitMeter {
  package mutating func openLibrary() throws(TrainerError) {}

  package func librarySeconds(of products: [Manifest.Product]) throws(TrainerError) -> [Double?] { products.map { _ in nil } }
}
