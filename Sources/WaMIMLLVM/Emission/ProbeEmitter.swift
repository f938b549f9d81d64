import CLLVM

/// Writes the functions of `wamim_probes`: what the machine can do at most, with the vectors and registers that kernels use.
struct ProbeEmitter {
  let builder: IRBuilder
  /// The fastest way in which kernels use AMX, if they do.
  let amx: AMXTiling?

  /// The table of the functions.
  func emit() -> Value {
    builder.structure([
      builder.pointer(to: multiplyAdd()), builder.pointer(to: triad()), builder.index(2 * repetitions * sums * builder.lanes),
      amx.map { builder.pointer(to: multiplyMatrices($0)) } ?? builder.nullPointer,
      builder.index(amx == nil ? 0 : matrixRoundFlops),
    ])
  }

  /// Sums that are independent of each other: more than a processor has multiply-adds under way, and fewer than it has registers.
  private var sums: Int { builder.processor.instructionSet.registerCount * 3 / 4 }

  /// How often a round adds to each sum, so that the loop around it costs nothing.
  private let repetitions = 4

  /// Makes each sum half of itself plus a quarter, again and again: it stays a normal number, and depends on all before it.
  private func multiplyAdd() -> Function {
    let lanes = builder.lanes
    let parameters = [builder.floatPointer, builder.int64]
    return builder.define("probe_multiply_add", parameters, returning: builder.void) { function in
      // Sums that begin alike would be taken for one.
      let initial = (0..<sums).map { builder.constant(Float($0), lanes: lanes) }
      let (factor, addend) = (builder.constant(0.5, lanes: lanes), builder.constant(0.25, lanes: lanes))
      let results = builder.loop(from: builder.index(0), to: function.parameter(1), carrying: initial) { _, carried in
        (0..<repetitions).reduce(carried) { sums, _ in sums.map { builder.multiplyAdd($0, factor, addend) } }
      }
      let total = results.dropFirst().reduce(results[0], builder.add)
      builder.store(total, Address(base: function.parameter(0), index: builder.index(0)))
      builder.returnNothing()
    }
  }

  /// Registers of AMX that a tile's sums take, one below the other and side by side.
  private let matrixSums = 2

  /// Multiplications and additions of numbers that a round's products of splits stand for.
  private var matrixRoundFlops: Int {
    2 * matrixSums * matrixSums * AMXRegister.elements * AMXTiling.blockTerms
  }

  private func multiplyMatrices(_ tiling: AMXTiling) -> Function {
    builder.define("probe_multiply_matrices", [builder.floatPointer, builder.int64], returning: builder.void) { function in
      builder.configureAMX()
      builder.loop(from: builder.index(0), to: function.parameter(1)) { _, _ in
        for _ in tiling.products {
          for (row, column) in (0..<matrixSums).flatMap({ row in (0..<matrixSums).map { (row, $0) } }) {
            builder.addProducts(AMXTiles.left(row), AMXTiles.right(column), to: AMXTiles.sum(row, column))
          }
        }
        return []
      }
      builder.releaseAMX()
      builder.returnNothing()
    }
  }

  private func triad() -> Function {
    let lanes = builder.lanes
    let vectors = 4
    let parameters = [builder.floatPointer, builder.floatPointer, builder.floatPointer, builder.int64]
    return builder.define("probe_triad", parameters, returning: builder.void) { function in
      builder.loop(from: builder.index(0), to: function.parameter(3), step: vectors * lanes) { start, _ in
        let addresses = (0..<3).map { Address(base: function.parameter($0), index: start) }
        for vector in 0..<vectors {
          let (left, right) = (builder.advance(addresses[1], by: vector * lanes), builder.advance(addresses[2], by: vector * lanes))
          let sum = builder.multiplyAdd(
            builder.load(builder.float, right, lanes: lanes), builder.constant(3, lanes: lanes),
            builder.load(builder.float, left, lanes: lanes))
          builder.store(sum, builder.advance(addresses[0], by: vector * lanes))
        }
        return []
      }
      builder.returnNothing()
    }
  }
}
