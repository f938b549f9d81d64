import CCUDA
import WaMIMCUDA
import WaMIMCompiler

/// A GPU that the driver runs functions on.
package final class DriverDevice {
  package let name: String
  /// Ten times the major number and the minor one.
  package let capability: Int
  fileprivate let stream: wamim_cuda_stream
  private let device: wamim_cuda_device

  /// Opens the first GPU of the driver in `library`.
  ///
  /// - Throws: `DeviceError` where there is none.
  package init(library: String = "libcuda.so.1") throws {
    var message: UnsafePointer<CChar>?
    guard wamim_cuda_open(library, &message) == WAMIM_CUDA_OPENED else {
      throw DeviceError(description: "no driver: \(message.map { String(cString: $0) } ?? library)")
    }
    var (device, context, stream): (wamim_cuda_device, wamim_cuda_context?, wamim_cuda_stream?) = (0, nil, nil)
    try Self.check(wamim_cuInit(0), "start the driver")
    try Self.check(wamim_cuDeviceGet(&device, 0), "open GPU 0")
    try Self.check(wamim_cuDevicePrimaryCtxRetain(&context, device), "use GPU 0")
    try Self.check(wamim_cuCtxSetCurrent(context), "use GPU 0")
    try Self.check(wamim_cuStreamCreate(&stream, UInt32(WAMIM_CUDA_STREAM_NON_BLOCKING)), "make a stream")
    guard let stream else { throw DeviceError(description: "the driver gives no stream") }
    (self.stream, self.device) = (stream, device)
    let (major, minor) = try (
      Self.attribute(Int32(WAMIM_CUDA_CAPABILITY_MAJOR), device), Self.attribute(Int32(WAMIM_CUDA_CAPABILITY_MINOR), device)
    )
    capability = 10 * major + minor
    var text = [CChar](repeating: 0, count: 256)
    try Self.check(wamim_cuDeviceGetName(&text, Int32(text.count), device), "ask for the GPU's name")
    name = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit {
    _ = wamim_cuStreamDestroy(stream)
    _ = wamim_cuDevicePrimaryCtxRelease(device)
  }

  private static func attribute(_ attribute: Int32, _ device: wamim_cuda_device) throws -> Int {
    var value: Int32 = 0
    try check(wamim_cuDeviceGetAttribute(&value, attribute, device), "ask for the GPU's properties")
    return Int(value)
  }

  fileprivate static func check(_ result: wamim_cuda_result, _ purpose: String) throws {
    guard result != 0 else { return }
    var text: UnsafePointer<CChar>?
    _ = wamim_cuGetErrorString(result, &text)
    throw DeviceError(description: "cannot \(purpose): \(text.map { String(cString: $0) } ?? "error \(result)")")
  }
}

/// Functions in PTX, which the driver compiles for its GPU.
package final class DriverKernels: DeviceFunctions {
  private let device: DriverDevice
  private let module: wamim_cuda_module
  /// Copies of memory by its address here.
  private var copies: [UnsafeMutableRawPointer: DeviceCopy] = [:]

  package init(ptx: String, on device: DriverDevice) throws {
    self.device = device
    var log = [CChar](repeating: 0, count: 8 << 10)
    var module: wamim_cuda_module?
    let result = log.withUnsafeMutableBytes { log in
      var options = [Int32(WAMIM_CUDA_ERROR_LOG), Int32(WAMIM_CUDA_ERROR_LOG_BYTES)]
      // Numbers are handed over in place of pointers.
      var values = [log.baseAddress, UnsafeMutableRawPointer(bitPattern: log.count - 1)]
      return ptx.withCString { wamim_cuModuleLoadDataEx(&module, $0, UInt32(options.count), &options, &values) }
    }
    let said = String(decoding: log.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    try DriverDevice.check(result, "compile the PTX\(said.isEmpty ? "" : " (\(said))")")
    guard let module else { throw DeviceError(description: "the driver gives no module") }
    self.module = module
  }

  deinit {
    copies = [:]
    _ = wamim_cuModuleUnload(module)
  }

  /// Memory goes to the GPU before the function runs, and comes back after, whatever of it the function touches.
  package func launch(
    _ name: String, blocks: Int, threads: Int, sharedBytes: Int, _ pointers: [UnsafeMutableRawPointer],
    tensorMaps: [DeviceCode.TensorMap], isTable: Bool, memory: [UnsafeMutableRawBufferPointer], order: UInt64
  ) throws {
    let used = try memory.compactMap { buffer in
      try buffer.baseAddress.map { try copy(of: $0, count: buffer.count) }
    }
    let addresses = try pointers.map { pointer in
      guard let address = used.lazy.compactMap({ $0.address(of: pointer) }).first else {
        throw DeviceError(description: "\(name): an argument lies in no memory that the GPU has")
      }
      return address
    }
    for copy in used { try copy.goDown(on: device.stream) }
    let parameters = try DeviceCode.TensorMap.parameters(addresses, tensorMaps, Self.words)
    try launch(name, blocks, threads, sharedBytes, parameters, addressCount: addresses.count, tensorMaps.count)
    for copy in used { try copy.comeUp(on: device.stream) }
    try DriverDevice.check(wamim_cuStreamSynchronize(device.stream), "run \(name)")
    for copy in used { copy.arrive() }
  }

  private func copy(of start: UnsafeMutableRawPointer, count: Int) throws -> DeviceCopy {
    if let known = copies[start], known.count == count { return known }
    let copy = try DeviceCopy(of: start, count: count)
    copies[start] = copy
    return copy
  }

  /// Asks for a function with `parameters`, of which descriptions of arrays stand behind the addresses; one that takes all as a table
  /// reads on from the first.
  private func launch(
    _ name: String, _ blocks: Int, _ threads: Int, _ sharedBytes: Int, _ parameters: [UInt64], addressCount: Int, _ mapCount: Int
  ) throws {
    var function: wamim_cuda_function?
    try DriverDevice.check(wamim_cuModuleGetFunction(&function, module, name), "find the function \(name)")
    if sharedBytes > 0 {
      try DriverDevice.check(
        wamim_cuFuncSetAttribute(function, Int32(WAMIM_CUDA_MOST_SHARED_BYTES), Int32(sharedBytes)), "give \(name) shared memory")
    }
    let mapWords = DeviceCode.TensorMap.wordCount
    let starts = Array(0..<addressCount) + (0..<mapCount).map { parameters.count - (mapCount - $0) * mapWords }
    var values = parameters
    let result = values.withUnsafeMutableBufferPointer { values in
      var pointers = starts.map { start in values.baseAddress.map { UnsafeMutableRawPointer($0 + start) } }
      return wamim_cuLaunchKernel(
        function, UInt32(blocks), 1, 1, UInt32(threads), 1, 1, UInt32(sharedBytes), device.stream, &pointers, nil)
    }
    try DriverDevice.check(result, "launch \(name)")
  }

  /// What the driver makes of a description of an array in an argument at `address`.
  private static func words(of map: DeviceCode.TensorMap, at address: UInt64) throws -> [UInt64] {
    let count = DeviceCode.TensorMap.wordCount
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 8 * count, alignment: 64)
    defer { bytes.deallocate() }
    let axes = map.extents.count
    try DriverDevice.check(
      wamim_cuTensorMapEncodeTiled(
        bytes.baseAddress, Int32(WAMIM_CUDA_TENSOR_BFLOAT16), UInt32(axes),
        UnsafeMutableRawPointer(bitPattern: UInt(address + UInt64(map.offset))), map.extents.map { UInt64($0) },
        map.strides.map { UInt64($0) }, map.box.map { UInt32($0) }, [UInt32](repeating: 1, count: axes),
        Int32(WAMIM_CUDA_TENSOR_NO_INTERLEAVE), Int32(WAMIM_CUDA_TENSOR_SWIZZLE_128_BYTES),
        Int32(WAMIM_CUDA_TENSOR_PROMOTE_256_BYTES), Int32(WAMIM_CUDA_TENSOR_ZEROS_BEYOND)), "describe an array to the copy engine")
    return Array(bytes.bindMemory(to: UInt64.self))
  }
}

/// Memory of the GPU that stands for some of this machine's, with pinned memory for what goes between them.
private final class DeviceCopy {
  let start: UnsafeMutableRawPointer
  let count: Int
  private var address: wamim_cuda_address = 0
  /// What goes down and what comes up, each in memory of its own, as copies wait in the stream.
  private var (down, up): (UnsafeMutableRawPointer?, UnsafeMutableRawPointer?)

  init(of start: UnsafeMutableRawPointer, count: Int) throws {
    (self.start, self.count) = (start, count)
    try DriverDevice.check(wamim_cuMemAlloc(&address, count), "take \(count) bytes of the GPU's memory")
    try DriverDevice.check(wamim_cuMemHostAlloc(&down, count, 0), "take \(count) bytes of pinned memory")
    try DriverDevice.check(wamim_cuMemHostAlloc(&up, count, 0), "take \(count) bytes of pinned memory")
  }

  deinit {
    if address != 0 { _ = wamim_cuMemFree(address) }
    for pinned in [down, up] { _ = pinned.map { wamim_cuMemFreeHost($0) } }
  }

  /// Where on the GPU `pointer` leads, nil where it leads beyond the memory.
  func address(of pointer: UnsafeMutableRawPointer) -> wamim_cuda_address? {
    pointer >= start && pointer < start + count ? address + UInt64(pointer - start) : nil
  }

  func goDown(on stream: wamim_cuda_stream) throws {
    down?.copyMemory(from: start, byteCount: count)
    try DriverDevice.check(wamim_cuMemcpyHtoDAsync(address, down, count, stream), "copy memory to the GPU")
  }

  func comeUp(on stream: wamim_cuda_stream) throws {
    try DriverDevice.check(wamim_cuMemcpyDtoHAsync(up, address, count, stream), "copy memory from the GPU")
  }

  /// Takes what has come up, once the stream has been waited for.
  func arrive() {
    if let up { start.copyMemory(from: up, byteCount: count) }
  }
}
