import CCUDA
import CUDASupport
import Foundation
import Testing

/// What the driver of the tests is for: to find what a program forgets to wait for.
@Suite(.serialized) struct FakeDriverTests {
  private static let library = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
    .appendingPathComponent("libFakeCUDA.so").path

  /// A context with memory of the device and pinned memory, of some bytes each.
  private final class Scene {
    static let bytes = 64
    private(set) var device: wamim_cuda_address = 0
    private(set) var from: UnsafeMutableRawPointer
    private(set) var to: UnsafeMutableRawPointer
    private var context: wamim_cuda_context?

    init() throws {
      var message: UnsafePointer<CChar>?
      try #require(wamim_cuda_open(FakeDriverTests.library, &message) == WAMIM_CUDA_OPENED)
      var pinned: [UnsafeMutableRawPointer?] = [nil, nil]
      try #require(wamim_cuInit(0) == 0 && wamim_cuDevicePrimaryCtxRetain(&context, 0) == 0)
      try #require(wamim_cuMemAlloc(&device, Scene.bytes) == 0)
      for index in pinned.indices { try #require(wamim_cuMemHostAlloc(&pinned[index], Scene.bytes, 0) == 0) }
      (from, to) = (try #require(pinned[0]), try #require(pinned[1]))
      memset(from, 7, Scene.bytes)
    }

    deinit {
      _ = wamim_cuMemFreeHost(from)
      _ = wamim_cuMemFreeHost(to)
      _ = wamim_cuMemFree(device)
      _ = wamim_cuDevicePrimaryCtxRelease(0)
    }

    func stream() throws -> wamim_cuda_stream {
      var stream: wamim_cuda_stream?
      try #require(wamim_cuStreamCreate(&stream, UInt32(WAMIM_CUDA_STREAM_NON_BLOCKING)) == 0)
      return try #require(stream)
    }

    func copyDown(on stream: wamim_cuda_stream) -> wamim_cuda_result { wamim_cuMemcpyHtoDAsync(device, from, Scene.bytes, stream) }
    func copyUp(on stream: wamim_cuda_stream) -> wamim_cuda_result { wamim_cuMemcpyDtoHAsync(to, device, Scene.bytes, stream) }

    /// The first byte that has come up.
    var arrived: UInt8 { to.load(as: UInt8.self) }
  }

  @Test func whatIsReadWithoutAWaitIsNotThere() throws {
    let scene = try Scene()
    let stream = try scene.stream()
    #expect(scene.copyDown(on: stream) == 0 && scene.copyUp(on: stream) == 0)
    #expect(scene.arrived == 0xa5)
    #expect(wamim_cuStreamSynchronize(stream) == 0)
    #expect(scene.arrived == 7)
  }

  @Test func memoryThatIsReusedTooEarlyIsFound() throws {
    let scene = try Scene()
    let stream = try scene.stream()
    #expect(scene.copyDown(on: stream) == 0)
    memset(scene.from, 8, 1)
    #expect(wamim_cuStreamSynchronize(stream) != 0)
  }

  @Test func aRaceBetweenStreamsShows() throws {
    let scene = try Scene()
    let (first, second) = (try scene.stream(), try scene.stream())
    #expect(scene.copyDown(on: first) == 0 && scene.copyUp(on: second) == 0)
    #expect(wamim_cuStreamSynchronize(second) == 0)
    // What nobody has written is not a number.
    #expect(scene.arrived == 0xff)
    var event: wamim_cuda_event?
    #expect(wamim_cuEventCreate(&event, 0) == 0 && wamim_cuEventRecord(event, first) == 0)
    #expect(wamim_cuStreamWaitEvent(second, event, 0) == 0 && scene.copyUp(on: second) == 0)
    #expect(wamim_cuStreamSynchronize(second) == 0)
    #expect(scene.arrived == 7)
  }

  @Test func capturedWorkIsDoneWhenTheGraphRuns() throws {
    let scene = try Scene()
    let stream = try scene.stream()
    var (graph, executable): (wamim_cuda_graph?, wamim_cuda_executable_graph?)
    #expect(wamim_cuStreamBeginCapture(stream, Int32(WAMIM_CUDA_CAPTURE_THREAD_LOCAL)) == 0 && scene.copyDown(on: stream) == 0)
    #expect(wamim_cuStreamSynchronize(stream) != 0)
    #expect(wamim_cuStreamEndCapture(stream, &graph) == 0 && wamim_cuGraphInstantiateWithFlags(&executable, graph, 0) == 0)
    #expect(scene.copyUp(on: stream) == 0 && wamim_cuStreamSynchronize(stream) == 0 && scene.arrived == 0xff)
    #expect(wamim_cuGraphLaunch(executable, stream) == 0 && scene.copyUp(on: stream) == 0)
    #expect(wamim_cuStreamSynchronize(stream) == 0 && scene.arrived == 7)
  }

  @Test func whatIsOutOfBoundsOrNotPinnedIsRefused() throws {
    let scene = try Scene()
    let stream = try scene.stream()
    #expect(wamim_cuMemcpyHtoDAsync(scene.device, scene.from, Scene.bytes + 1, stream) != 0)
    #expect(wamim_cuMemsetD8Async(scene.device + 1, 0, Scene.bytes, stream) != 0)
    var other: UInt8 = 0
    #expect(wamim_cuMemcpyDtoHAsync(&other, scene.device, 1, stream) != 0)
  }

  /// Each of 64 threads takes 16 bytes of a tile to the result.
  private static let tileKernel = """
    .version 8.0
    .target sm_90a
    .address_size 64
    .extern .shared .align 1024 .b8 tiles[];
    .visible .entry tile(.param .u64 tile_param_0, .param .align 64 .b8 tile_param_1[128])
    {
      .reg .pred %p<3>;
      .reg .b32 %r<9>;
      .reg .b64 %rd<9>;
      .shared .align 8 .b8 barrier[8];
      mov.u32 %r1, tiles;
      mov.u32 %r2, barrier;
      mov.u32 %r3, %tid.x;
      setp.ne.u32 %p1, %r3, 0;
      @%p1 bra ready;
      mbarrier.init.shared::cta.b64 [%r2], 1;
      fence.mbarrier_init.release.cluster;
      mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r2], 1024;
      mov.b64 %rd1, tile_param_1;
      cvta.param.u64 %rd2, %rd1;
      cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%r1], [%rd2, {0, 0}], [%r2];
    ready:
      bar.sync 0;
    again:
      mbarrier.try_wait.parity.shared::cta.b64 %p2, [%r2], 0;
      @!%p2 bra again;
      shl.b32 %r4, %r3, 4;
      add.s32 %r5, %r1, %r4;
      ld.shared.v2.u64 {%rd3, %rd4}, [%r5];
      ld.param.u64 %rd5, [tile_param_0];
      cvta.to.global.u64 %rd6, %rd5;
      cvt.u64.u32 %rd7, %r4;
      add.s64 %rd8, %rd6, %rd7;
      st.global.v2.u64 [%rd8], {%rd3, %rd4};
      ret;
    }
    """

  /// Lines of 60 numbers, seven of them, of which the copy engine makes eight of 64: zeros beyond, each 16 bytes where the swizzle puts
  /// them.
  @Test func aTileComesThroughTheDriver() throws {
    setenv("FAKE_CUDA_CAPABILITY", "90", 1)
    defer { unsetenv("FAKE_CUDA_CAPABILITY") }
    let scene = try Scene()
    let stream = try scene.stream()
    var (array, result): (wamim_cuda_address, wamim_cuda_address) = (0, 0)
    try #require(wamim_cuMemAlloc(&array, 1024) == 0 && wamim_cuMemAlloc(&result, 1024) == 0)
    defer { for address in [array, result] { _ = wamim_cuMemFree(address) } }
    var pinned: UnsafeMutableRawPointer?
    try #require(wamim_cuMemHostAlloc(&pinned, 2048, 0) == 0)
    defer { _ = wamim_cuMemFreeHost(pinned) }
    let numbers = try #require(pinned).bindMemory(to: UInt16.self, capacity: 1024)
    for index in 0..<512 { numbers[index] = UInt16(1 + index) }
    #expect(wamim_cuMemcpyHtoDAsync(array, numbers, 1024, stream) == 0)

    let map = UnsafeMutableRawPointer.allocate(byteCount: 128, alignment: 64)
    defer { map.deallocate() }
    func describe(stride: UInt64) -> wamim_cuda_result {
      wamim_cuTensorMapEncodeTiled(
        map, Int32(WAMIM_CUDA_TENSOR_BFLOAT16), 2, UnsafeMutableRawPointer(bitPattern: UInt(array)), [60, 7], [stride], [64, 8],
        [1, 1], Int32(WAMIM_CUDA_TENSOR_NO_INTERLEAVE), Int32(WAMIM_CUDA_TENSOR_SWIZZLE_128_BYTES),
        Int32(WAMIM_CUDA_TENSOR_PROMOTE_256_BYTES), Int32(WAMIM_CUDA_TENSOR_ZEROS_BEYOND))
    }
    #expect(describe(stride: 120) != 0)
    #expect(describe(stride: 128) == 0)

    var (module, function): (wamim_cuda_module?, wamim_cuda_function?)
    try #require(wamim_cuModuleLoadDataEx(&module, Self.tileKernel, 0, nil, nil) == 0)
    defer { _ = wamim_cuModuleUnload(module) }
    try #require(wamim_cuModuleGetFunction(&function, module, "tile") == 0)
    #expect(wamim_cuFuncSetAttribute(function, Int32(WAMIM_CUDA_MOST_SHARED_BYTES), 1024) == 0)
    withUnsafeMutablePointer(to: &result) { result in
      var parameters: [UnsafeMutableRawPointer?] = [UnsafeMutableRawPointer(result), map]
      #expect(wamim_cuLaunchKernel(function, 1, 1, 1, 64, 1, 1, 1025, stream, &parameters, nil) != 0)
      #expect(wamim_cuLaunchKernel(function, 1, 1, 1, 64, 1, 1, 1024, stream, &parameters, nil) == 0)
    }
    #expect(wamim_cuMemcpyDtoHAsync(numbers + 512, result, 1024, stream) == 0 && wamim_cuStreamSynchronize(stream) == 0)
    for line in 0..<8 {
      for element in 0..<64 {
        let place = 64 * line + (element / 8 ^ line) * 8 + element % 8
        let expected = line < 7 && element < 60 ? UInt16(1 + 64 * line + element) : 0
        #expect(numbers[512 + place] == expected, "line \(line), element \(element)")
      }
    }
  }

  @Test func codeForOtherGPUsIsRefused() throws {
    let scene = try Scene()
    var module: wamim_cuda_module?
    #expect(wamim_cuModuleLoadDataEx(&module, Self.tileKernel, 0, nil, nil) != 0)
    withExtendedLifetime(scene) {}
  }

  /// What `make gpu-check` runs on a GPU: small programs, and a model call by call.
  @Test func programsRunAsEmulated() throws {
    let device = try DriverDevice(library: Self.library)
    let outcomes = try Calibration.run { try DriverKernels(ptx: $0, on: device) }
    for outcome in outcomes { #expect(outcome.isGood && outcome.equalWords == outcome.words, "\(outcome)") }
    #expect(outcomes.count == 6)
    guard hasDeviceCompiler else { return }
    let model = try SmallModels.model(
      "features_vit", ["size=demo", "image=16", "patch=8", "dim=12", "depth=1", "heads=2", "batch=2"])
    let agreement = try ProgramAgreement(model) { try DriverKernels(ptx: $0, on: device) }
    var calls = 0
    try agreement.check(.init(whole: 1e-5, call: 1e-5)) { finding in
      calls += finding.subject.contains("call of") ? 1 : 0
      #expect(finding.isGood, "\(finding)")
    }
    #expect(calls > 5)
  }
}
