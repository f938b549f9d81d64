/// What the machine can do at most, by measurement.
package struct MachineLimits: Encodable, Sendable {
  /// Threads that the limits of all threads together are for.
  package var threads: Int
  /// Multiplications and additions a second that one thread makes in registers, and that all make together.
  package var oneThreadFlops: Double
  package var allThreadsFlops: Double
  /// What matrix units make together: AMX, as float32 numbers, or a GPU's tensor cores, of bf16 ones; nil where the program uses none.
  package var matrixUnitFlops: Double?
  /// What BLAS makes of it in products of 384 x 768 by 768 x 768, one for each thread: a library that was asked for, else the OpenBLAS
  /// that the program is linked with, else the machine's; nil where there is none.
  package var productFlops: Double?
  /// Bytes a second that all threads read and write together in `a = b + 3 c` on arrays that no cache holds.
  package var bandwidth: Double

  package init(
    threads: Int, oneThreadFlops: Double, allThreadsFlops: Double, matrixUnitFlops: Double? = nil, productFlops: Double?,
    bandwidth: Double
  ) {
    self.threads = threads
    self.oneThreadFlops = oneThreadFlops
    self.allThreadsFlops = allThreadsFlops
    self.matrixUnitFlops = matrixUnitFlops
    self.productFlops = productFlops
    self.bandwidth = bandwidth
  }

  private enum CodingKeys: String, CodingKey {
    case threads
    case oneThreadFlops = "flops_one_thread"
    case allThreadsFlops = "flops_all_threads"
    case matrixUnitFlops = "matrix_unit_flops"
    case productFlops = "sgemm_flops"
    case bandwidth = "bytes_per_second"
  }

  /// Multiplications and additions a second that all threads can make together: matrix units have another rate than vectors,
  /// and BLAS may have better instructions than those that the program was compiled for.
  package var arithmetic: Double { max(allThreadsFlops, matrixUnitFlops ?? 0, productFlops ?? 0) }

  /// The share of the limit that binds `flops` and `bytes`, done in `seconds` of one thread while the others do the same.
  package func share(flops: Int, bytes: Int, seconds: Double) -> (share: Double, bound: Bound) {
    let arithmetic = Double(flops) * Double(threads) / self.arithmetic
    let memory = Double(bytes) * Double(threads) / bandwidth
    guard seconds > 0 else { return (0, .arithmetic) }
    return (max(arithmetic, memory) / seconds, arithmetic >= memory ? .arithmetic : .memory)
  }

  /// The limit that a piece of work would reach first.
  package enum Bound: String, Encodable, Sendable {
    case arithmetic, memory
  }
}
