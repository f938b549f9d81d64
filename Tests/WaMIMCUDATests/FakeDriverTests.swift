import CCUDA
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
}
