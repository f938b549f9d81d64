import WaMIMCompiler

extension KernelWriter {
  /// A wavelet transform: a block for each channel of a unit.
  func function(of wavelet: WaveletKernel) -> CUDAFunction {
    function("wavelet", blocks: units * wavelet.channels) { source in
      source.line("const int i0 = block / \(wavelet.channels), channel = block % \(wavelet.channels);")
      writePointers(to: &source)
      writeWavelet(wavelet, to: &source)
    }
  }

  /// The members one after the other: a block for each unit.
  func function(of sequence: SequenceKernel) -> CUDAFunction {
    var function = function("sequence", blocks: units) { source in
      source.line("const int i0 = block;")
      writePointers(to: &source)
      for (number, member) in sequence.members.enumerated() {
        if number > 0 { source.line("block_barrier();") }
        switch member {
        case .wavelet(let wavelet):
          source.loop("channel", below: "\(wavelet.channels)") { writeWavelet(wavelet, to: &$0) }
        case .rows(let rows): source.block("") { writeRowsOfUnit(rows, to: &$0) }
        }
      }
    }
    // Few processors get more than one unit; for eight of them, compilers would rather keep numbers in memory than in registers.
    function.residentBlocks = 4
    return function
  }

  /// Writes a pointer to the unit's own part of the workspace.
  private func writePointers(to source: inout SourceText) {
    guard let argument = kernel.arguments.firstIndex(where: { $0.access == .workspace }) else { return }
    source.line("a\(argument) += \(workspace.unitCount) * i0;")
    source.line("float* between = a\(argument) + \(workspace.kept);")
  }

  private func pointer(_ planes: WaveletKernel.Planes) -> String {
    let unit = kernel.arguments[planes.argument].unitStride
    return "a\(planes.argument) + " + affine(planes.offset, [unit, planes.channelStride], ["i0", "channel"])
  }

  private func writeWavelet(_ wavelet: WaveletKernel, to source: inout SourceText) {
    switch wavelet.direction {
    case .analysis: writeAnalysis(wavelet, to: &source)
    case .adjoint: writeAdjoint(wavelet, to: &source)
    }
  }

  /// Where a filter's pass over a channel keeps its numbers: two planes, as high as a subband and as wide as a picture.
  private func between(_ wavelet: WaveletKernel, pass: Int) -> String {
    let plane = wavelet.rows * 2 * wavelet.columns
    return "between + \(2 * plane) * channel" + (pass > 0 ? " + \(plane)" : "")
  }

  /// The sum of taps, each times an element.
  private func sum(_ taps: [WaveletKernel.Tap], _ element: (WaveletKernel.Tap) -> String) -> String {
    taps.map { "\($0.coefficient.cuda) * \(element($0))" }.joined(separator: " + ")
  }

  /// Where in a line of `count` numbers, which goes on from its begin, a tap of element `index` lies.
  private static func place(_ index: String, _ tap: WaveletKernel.Tap, _ count: Int) -> String {
    let place = "2 * \(index) + \(tap.offset)"
    return (0...1).contains(tap.offset) ? "(\(place))" : "wrapped(\(place), \(count))"
  }

  private func writeAnalysis(_ wavelet: WaveletKernel, to source: inout SourceText) {
    let (height, width) = (2 * wavelet.rows, 2 * wavelet.columns)
    let passes = [wavelet.verticalFilters.low, wavelet.verticalFilters.high]
    let wanted = (0...1).filter { pass in wavelet.bands[pass] != nil || wavelet.bands[2 + pass] != nil }
    // The pass before has been read by all.
    source.line("block_barrier();")
    source.loop("e", from: "threadIdx.x", below: "\(wavelet.rows * width)", by: "blockDim.x") { source in
      source.line("const int row = e / \(width), column = e % \(width);")
      for pass in wanted {
        let terms = sum(passes[pass]) { tap in
          number(
            wavelet.pictures.argument,
            "(\(pointer(wavelet.pictures)))[\(Self.place("row", tap, height)) * \(wavelet.pictures.rowStride) + column]")
        }
        source.line("(\(between(wavelet, pass: pass)))[e] = \(terms);")
      }
    }
    source.line("block_barrier();")
    source.loop("e", from: "threadIdx.x", below: "\(wavelet.rows * wavelet.columns)", by: "blockDim.x") { source in
      source.line("const int row = e / \(wavelet.columns), column = e % \(wavelet.columns);")
      for (band, planes) in wavelet.bands.enumerated() {
        guard let planes else { continue }
        let taps = band < 2 ? wavelet.horizontalFilters.low : wavelet.horizontalFilters.high
        let terms = sum(taps) { tap in
          "(\(between(wavelet, pass: band % 2)))[row * \(width) + \(Self.place("column", tap, width))]"
        }
        source.line("(\(pointer(planes)))[row * \(planes.rowStride) + column] = \(converted("(\(terms))", for: planes.argument));")
      }
    }
  }

  /// Writes the adjoint: along the rows, then down the columns; an element takes of each tap what lies at an even distance.
  private func writeAdjoint(_ wavelet: WaveletKernel, to source: inout SourceText) {
    let width = 2 * wavelet.columns
    func taken(_ tap: WaveletKernel.Tap, _ index: String, _ count: Int, _ element: (String) -> String) -> String {
      let distance = "\(index) - (\(tap.offset))"
      let at = element("wrapped((\(distance)) >> 1, \(count))")
      return "((\(distance) & 1) ? 0.0f : \(tap.coefficient.cuda) * \(at))"
    }
    source.line("block_barrier();")
    source.loop("e", from: "threadIdx.x", below: "\(wavelet.rows * width)", by: "blockDim.x") { source in
      source.line("const int row = e / \(width), column = e % \(width);")
      for pass in 0...1 {
        let terms = (0...1).flatMap { across -> [String] in
          guard let planes = wavelet.bands[2 * across + pass] else { return [] }
          let taps = across == 0 ? wavelet.horizontalFilters.low : wavelet.horizontalFilters.high
          return taps.map { tap in
            taken(tap, "column", wavelet.columns) { at in
              number(planes.argument, "(\(pointer(planes)))[row * \(planes.rowStride) + \(at)]")
            }
          }
        }
        source.line("(\(between(wavelet, pass: pass)))[e] = \(terms.isEmpty ? "0.0f" : terms.joined(separator: " + "));")
      }
    }
    source.line("block_barrier();")
    source.loop("e", from: "threadIdx.x", below: "\(2 * wavelet.rows * width)", by: "blockDim.x") { source in
      source.line("const int row = e / \(width), column = e % \(width);")
      let terms = zip(0...1, [wavelet.verticalFilters.low, wavelet.verticalFilters.high]).flatMap { pass, taps in
        taps.map { tap in
          taken(tap, "row", wavelet.rows) { "(\(between(wavelet, pass: pass)))[\($0) * \(width) + column]" }
        }
      }
      let pictures = wavelet.pictures
      source.line(
        "(\(pointer(pictures)))[row * \(pictures.rowStride) + column] = "
          + "\(converted("(\(terms.joined(separator: " + ")))", for: pictures.argument));")
    }
  }
}
