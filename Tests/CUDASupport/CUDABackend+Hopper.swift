import WaMIMCUDA

extension CUDABackend {
  /// A backend for Hopper, whose warp groups multiply whatever they can with the tile of a number.
  package static func hopper(tile: Int) throws -> CUDABackend {
    var backend = CUDABackend(architectures: [try .named("sm_90a")])
    backend.warpGroupTile = tile
    return backend
  }
}
