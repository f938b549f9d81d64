extension Access {
  /// The access with its arguments numbered anew, that of a table it picks by included.
  func mappingArguments(_ number: (Int) -> Int) -> Access {
    var access = self
    access.argument = number(argument)
    if let table = pick?.argument { access.pick?.argument = number(table) }
    return access
  }
}

extension RowKernel {
  /// The kernel with `transform` applied to each access.
  package func mappingAccesses(_ transform: (Access) -> Access) -> RowKernel {
    var kernel = self
    kernel.stages = stages.map { $0.mappingAccesses(transform) }
    return kernel
  }
}

extension WaveletKernel {
  /// The kernel with `transform` applied to each access; its workspace stays.
  func mappingPlanes(_ transform: (Planes) -> Planes) -> WaveletKernel {
    var kernel = self
    kernel.pictures = transform(pictures)
    kernel.bands = bands.map { $0.map(transform) }
    return kernel
  }
}
