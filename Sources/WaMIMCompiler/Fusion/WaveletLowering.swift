import WaMIMGraph

extension Lowering {
  /// The call of one level of a wavelet analysis or of its adjoint.
  func lowerWavelet(_ value: ValueID, _ wavelet: Wavelet, _ direction: WaveletKernel.Direction) -> LoweredCall {
    let operand = graph[value].operands[0]
    let (source, result) = (storage[operand], storage[value])
    let (pictures, bands) = direction == .analysis ? (source, result) : (result, source)
    var arguments = ArgumentList(graph, units: result.shape[0])
    func planes(_ view: View) -> WaveletKernel.Planes {
      let access: KernelArgument.Access = view.root == result.root ? .write : .read
      let argument = arguments.number(of: view.root, unitStride: view.strides[0], access)
      return WaveletKernel.Planes(
        argument: argument, offset: view.offset, channelStride: view.strides[1], rowStride: view.strides[view.shape.rank - 2])
    }
    var kernel = WaveletKernel(
      direction: direction, wavelet: wavelet, channels: result.shape[1], rows: bands.shape[3], columns: bands.shape[4],
      pictures: planes(pictures), bands: planes(bands), bandStride: bands.strides[2], workspace: 0)
    kernel.workspace = arguments.workspace(kernel.workspaceCount)
    // Each filter of a pass costs as many products as it has taps, for half of the pictures' elements.
    let taps = kernel.verticalFilters.all.count + kernel.horizontalFilters.all.count
    return LoweredCall(
      kernel: Kernel(arguments: arguments.arguments, body: .wavelet(kernel)), bindings: arguments.bindings, units: arguments.units,
      reads: [clustering.base(operand)], writes: [value], name: graph.callName(value), flops: taps * result.shape.count,
      order: value.index)
  }
}
