import CCUDA
import WaMIMManifest

/// Products as cuBLASLt makes them, a yardstick for those of a program.
final class CUBLASProducts {
  private let device: CUDADevice
  private let handle: wamim_cublas_object

  /// Those of CUDA 13, 12 and 11.
  private static let libraries = ["libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so.11"]
  private static let workspaceBytes = 32 << 20
  private static let repetitions = 10

  init(on device: CUDADevice) throws(TrainerError) {
    var problem: UnsafePointer<CChar>?
    var handle: wamim_cublas_object?
    var result = Int32(WAMIM_CUBLAS_SUCCESS)
    for library in Self.libraries {
      problem = wamim_cublas_open(library)
      guard problem == nil else { continue }
      // One that is newer than the driver gives no handle; an older one may.
      result = wamim_cublasLtCreate(&handle)
      if result == Int32(WAMIM_CUBLAS_SUCCESS) { break }
    }
    try Self.check(result, "begin")
    if handle == nil, let problem {
      throw TrainerError(
        "this program was compiled to be compared with cuBLASLt (--matmul cublas), which this machine does not have "
          + "(\(String(cString: problem))): 'pip install nvidia-cublas-cu12' brings it, and LD_LIBRARY_PATH tells where it is")
    }
    guard let handle else { throw TrainerError("cuBLASLt gives no handle") }
    (self.device, self.handle) = (device, handle)
  }

  deinit { _ = wamim_cublasLtDestroy(handle) }

  private static func check(_ result: wamim_cublas_result, _ purpose: String) throws(TrainerError) {
    if result != Int32(WAMIM_CUBLAS_SUCCESS) { throw TrainerError("cuBLASLt cannot \(purpose): its result is \(result)") }
  }

  /// Seconds that the library takes for `product`; nil where it proposes no way to make it, or the GPU has no memory left for it.
  func seconds(of product: Manifest.Product) throws(TrainerError) -> Double? {
    // The library has columns one after the other, so it makes the transposed product, with the sides exchanged.
    let plan = try Plan(product)
    let sizes = [product.columns * product.terms, product.rows * product.terms].map {
      $0 * product.count * product.factor.byteCount
    }
    let resultBytes = product.rows * product.columns * product.count * product.result.byteCount
    // Some memory is lost to what the driver rounds up.
    let bytes = sizes[0] + sizes[1] + resultBytes + 2 * Self.workspaceBytes
    guard bytes <= (try device.context.memory().available) else { return nil }
    let left = try CUDAMemory(byteCount: sizes[0], for: "cuBLASLt's products", on: device.context)
    let right = try CUDAMemory(byteCount: sizes[1], for: "cuBLASLt's products", on: device.context)
    let result = try CUDAMemory(byteCount: resultBytes, for: "cuBLASLt's products", on: device.context)
    let workspace = try CUDAMemory(byteCount: Self.workspaceBytes, for: "cuBLASLt's products", on: device.context)
    for memory in [left, right, result] {
      try CUDAResult.check(
        wamim_cuMemsetD8Async(memory.address, 0, memory.byteCount, device.stream.handle), "clear memory of the GPU")
    }
    guard let proposal = try proposal(for: plan) else { return nil }
    var (alpha, beta, way) = (Float(1), Float(0), proposal.algorithm)
    let (start, end) = (try CUDAEvent(on: device.context), try CUDAEvent(on: device.context))
    for repetition in 0...Self.repetitions {
      // The first one loads the library's code.
      if repetition == 1 { try start.record(in: device.stream) }
      try Self.check(
        wamim_cublasLtMatmul(
          handle, plan.product, &alpha, left.address, plan.left, right.address, plan.right, &beta, result.address, plan.result,
          result.address, plan.result, &way, workspace.address, Self.workspaceBytes, device.stream.handle),
        "multiply \(product.rows) x \(product.columns) x \(product.terms)")
    }
    try end.record(in: device.stream)
    try device.stream.wait(for: "multiply with cuBLASLt")
    // To free memory takes time that would be measured.
    withExtendedLifetime((left, right, result, workspace, plan)) {}
    return Double(try end.nanoseconds(since: start)) * 1e-9 / Double(Self.repetitions)
  }

  /// The way that the library thinks best.
  private func proposal(for plan: Plan) throws(TrainerError) -> wamim_cublas_proposal? {
    var preference: wamim_cublas_object?
    try Self.check(wamim_cublasLtMatmulPreferenceCreate(&preference), "describe what is wanted")
    defer { _ = wamim_cublasLtMatmulPreferenceDestroy(preference) }
    var bytes = Self.workspaceBytes
    try Self.check(
      wamim_cublasLtMatmulPreferenceSetAttribute(
        preference, Int32(WAMIM_CUBLAS_WORKSPACE_BYTES), &bytes, MemoryLayout<Int>.size), "take a workspace")
    var proposal = wamim_cublas_proposal()
    var count: Int32 = 0
    let result = wamim_cublasLtMatmulAlgoGetHeuristic(
      handle, plan.product, plan.left, plan.right, plan.result, plan.result, preference, 1, &proposal, &count)
    if result == Int32(WAMIM_CUBLAS_NOT_SUPPORTED) { return nil }
    try Self.check(result, "propose a way to multiply")
    return count > 0 ? proposal : nil
  }
}

/// A product as the library describes it.
private final class Plan {
  let product: wamim_cublas_object?
  let left: wamim_cublas_object?
  let right: wamim_cublas_object?
  let result: wamim_cublas_object?

  init(_ product: Manifest.Product) throws(TrainerError) {
    func check(_ result: wamim_cublas_result) throws(TrainerError) {
      if result != Int32(WAMIM_CUBLAS_SUCCESS) { throw TrainerError("cuBLASLt cannot describe a product: its result is \(result)") }
    }
    func matrix(_ rows: Int, _ columns: Int, _ type: ElementType) throws(TrainerError) -> wamim_cublas_object? {
      var matrix: wamim_cublas_object?
      let number = Int32(type == .bfloat16 ? WAMIM_CUBLAS_BFLOAT16 : WAMIM_CUBLAS_FLOAT32)
      try check(wamim_cublasLtMatrixLayoutCreate(&matrix, number, UInt64(rows), UInt64(columns), Int64(rows)))
      var (count, stride) = (Int32(product.count), Int64(rows * columns))
      try check(wamim_cublasLtMatrixLayoutSetAttribute(matrix, Int32(WAMIM_CUBLAS_BATCH_COUNT), &count, 4))
      try check(wamim_cublasLtMatrixLayoutSetAttribute(matrix, Int32(WAMIM_CUBLAS_BATCH_STRIDE), &stride, 8))
      return matrix
    }
    var description: wamim_cublas_object?
    try check(
      wamim_cublasLtMatmulDescCreate(&description, Int32(WAMIM_CUBLAS_COMPUTE_FLOAT32), Int32(WAMIM_CUBLAS_FLOAT32)))
    var (left, right) = (Int32(product.isRightTransposed ? 1 : 0), Int32(product.isLeftTransposed ? 1 : 0))
    try check(wamim_cublasLtMatmulDescSetAttribute(description, Int32(WAMIM_CUBLAS_TRANSPOSE_LEFT), &left, 4))
    try check(wamim_cublasLtMatmulDescSetAttribute(description, Int32(WAMIM_CUBLAS_TRANSPOSE_RIGHT), &right, 4))
    let (rows, columns, terms) = (product.rows, product.columns, product.terms)
    self.product = description
    self.left = try product.isRightTransposed ? matrix(terms, columns, product.factor) : matrix(columns, terms, product.factor)
    self.right = try product.isLeftTransposed ? matrix(rows, terms, product.factor) : matrix(terms, rows, product.factor)
    result = try matrix(columns, rows, product.result)
  }

  deinit {
    for matrix in [left, right, result] { _ = wamim_cublasLtMatrixLayoutDestroy(matrix) }
    _ = wamim_cublasLtMatmulDescDestroy(product)
  }
}
