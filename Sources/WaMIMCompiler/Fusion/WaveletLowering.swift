import WaMIMGraph

extension Lowering {
  /// The call of one level of a wavelet analysis, which computes those subbands that anybody reads; nil where nobody does.
  func lowerAnalysis(_ value: ValueID, _ wavelet: Wavelet) -> LoweredCall? {
    let results = ([value] + slices(of: value)).filter(stored.values.contains)
    guard !results.isEmpty else { return nil }
    let (operand, shape) = (graph[value].operands[0], graph[value].type.shape)
    var arguments = ArgumentList(graph, units: shape[0])
    let pictures = planes(storage[operand], .read, &arguments)
    var bands = [WaveletKernel.Planes?](repeating: nil, count: shape[2])
    for result in results {
      for (index, band) in (graph.subbands(of: result) ?? 0..<0).enumerated() {
        bands[band] = planes(storage[result].sliced(axis: 2, start: index, count: 1, step: 1), .write, &arguments)
      }
    }
    let kernel = WaveletKernel(
      direction: .analysis, wavelet: wavelet, channels: shape[1], rows: shape[3], columns: shape[4], pictures: pictures,
      bands: bands, workspace: 0)
    return call(kernel, arguments, reads: operand, writes: results, of: value)
  }

  /// The slices of subbands that the analysis which computes `value` writes itself.
  func slices(of value: ValueID) -> [ValueID] {
    storage.separated.filter { graph[$0].operands == [value] }.sorted()
  }

  /// The call of the adjoint of one level.
  func lowerAdjoint(_ value: ValueID, _ wavelet: Wavelet) -> LoweredCall {
    let (operand, shape) = (graph[value].operands[0], graph[value].type.shape)
    let source = storage[operand]
    var arguments = ArgumentList(graph, units: shape[0])
    let bands = (0..<source.shape[2]).map { planes(source.sliced(axis: 2, start: $0, count: 1, step: 1), .read, &arguments) }
    let kernel = WaveletKernel(
      direction: .adjoint, wavelet: wavelet, channels: shape[1], rows: source.shape[3], columns: source.shape[4],
      pictures: planes(storage[value], .write, &arguments), bands: bands, workspace: 0)
    return call(kernel, arguments, reads: operand, writes: [value], of: value)
  }

  /// Where a view [samples, channels, …, rows, columns] lies, whose other axes have extent 1.
  private func planes(
    _ view: View, _ access: KernelArgument.Access, _ arguments: inout ArgumentList
  ) -> WaveletKernel.Planes {
    let argument = arguments.number(of: view.root, unitStride: view.strides[0], access)
    return WaveletKernel.Planes(
      argument: argument, offset: view.offset, channelStride: view.strides[1], rowStride: view.strides[view.shape.rank - 2])
  }

  private func call(
    _ kernel: WaveletKernel, _ arguments: ArgumentList, reads operand: ValueID, writes results: [ValueID], of value: ValueID
  ) -> LoweredCall {
    var (kernel, arguments) = (kernel, arguments)
    kernel.workspace = arguments.workspace()
    return LoweredCall(
      kernel: Kernel(arguments: arguments.arguments, body: .wavelet(kernel)), bindings: arguments.bindings, units: arguments.units,
      reads: [clustering.base(operand)], writes: Set(results), name: graph.callName(value),
      flops: kernel.flops * arguments.units, order: value.index, region: graph[value].region)
  }
}

extension Graph {
  /// Whether `value` is a wavelet analysis of which all `users` take slices of subbands, no subband in two of them.
  func isReadBySubbands(_ value: ValueID, _ users: [ValueID]) -> Bool {
    guard case .waveletAnalysis = self[value].operation else { return false }
    var taken: Set<Int> = []
    return users.allSatisfy { user in
      guard let bands = subbands(of: user) else { return false }
      return bands.allSatisfy { taken.insert($0).inserted }
    }
  }

  /// The subbands, counted in the order LL, LH, HL and HH, that a wavelet analysis or a slice of one along their axis holds.
  fileprivate func subbands(of value: ValueID) -> Range<Int>? {
    switch self[value].operation {
    case .waveletAnalysis: 0..<self[value].type.shape[2]
    case .slice(2, let start, let count, 1): start..<start + count
    default: nil
    }
  }
}
