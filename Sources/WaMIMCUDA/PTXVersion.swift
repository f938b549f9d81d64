/// A version of PTX, of which newer drivers know newer ones.
struct PTXVersion: Hashable, Sendable {
  var major: Int
  var minor: Int

  /// The first driver that knows the version, as `cuDriverGetVersion` counts: 11020 is that of CUDA 11.2.
  var driverVersion: Int {
    // CUDA 12.6 brought no version of its own.
    let minor = major == 8 && minor >= 6 ? minor + 1 : minor
    return 1000 * (major + 4) + 10 * minor
  }

  /// The version as the directive of PTX has it.
  var text: String { "\(major).\(minor)" }

  init(_ major: Int, _ minor: Int) {
    self.major = major
    self.minor = minor
  }

  /// The version that PTX says of itself; nil where it says none.
  init?(of ptx: String) {
    guard let found = ptx.firstMatch(of: #/(?m)^\.version (?<major>\d+)\.(?<minor>\d+)/#),
      let major = Int(found.major), let minor = Int(found.minor)
    else { return nil }
    self.init(major, minor)
  }
}
