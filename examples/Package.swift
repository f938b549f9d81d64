// swift-tools-version: 6.1
import PackageDescription

let package = Package(
  name: "examples",
  dependencies: [.package(name: "wamimc", path: "..")],
  targets: [
    .executableTarget(name: "PixelAutoencoder", dependencies: [.product(name: "WaMIM", package: "wamimc")])
  ]
)
