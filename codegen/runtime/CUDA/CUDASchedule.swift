import CCUDA
import CProgram
import WaMIMManifest

/// A schedule as a GPU runs it: calls in order, in two parts where the loss decides whether the second one follows.
final class CUDASchedule {
  /// One call of the program.
  struct Call {
    let launches: [CUDALaunch]
    let call: wamim_call
    let units: Int
    let phase: Int
  }

  /// Calls that are made without a question between them, and their graph, once they have run.
  final class Part {
    let calls: [Call]
    fileprivate var graph: CUDAGraph?

    init(_ calls: [Call]) { self.calls = calls }
  }

  let parts: [Part]
  /// Bytes from the start of the arena to the loss that decides after the first part.
  let lossOffset: Int?

  /// - Parameter addresses: Where each storage begins, by its number.
  init(
    _ schedule: wamim_schedule, _ description: Manifest.Schedule, calls manifestCalls: [Manifest.Call], image: CUDAImage,
    module: CUDAModule, addresses: [UInt32: wamim_cuda_address]
  ) throws(TrainerError) {
    let lossGuard = LossGuard(description)
    var calls: [Call] = []
    for (phase, groups) in schedule.allPhases.enumerated() {
      for group in groups.allGroups {
        for call in UnsafeBufferPointer(start: group.calls, count: Int(group.call_count)) {
          let index = Int(call.description)
          let name = index < manifestCalls.count ? manifestCalls[index].name : "call \(index)"
          let launches = try Self.launches(of: call, called: name, image: image, module: module, addresses: addresses)
          calls.append(Call(launches: launches, call: call, units: Int(group.units), phase: phase))
        }
      }
    }
    let first = lossGuard.map { known in calls.prefix { $0.phase <= known.phase } } ?? calls[...]
    parts = [Part(Array(first)), Part(Array(calls[first.endIndex...]))].filter { !$0.calls.isEmpty }
    lossOffset = parts.count > 1 ? lossGuard?.offset : nil
  }

  /// Calls of one run.
  var callCount: Int { parts.reduce(0) { $0 + $1.calls.count } }

  private static func launches(
    of call: wamim_call, called name: String, image: CUDAImage, module: CUDAModule, addresses: [UInt32: wamim_cuda_address]
  ) throws(TrainerError) -> [CUDALaunch] {
    guard let kernel = call.device_kernels?[image.index] else {
      throw TrainerError("the kernel for \(name) has no code for GPUs; compile the model again")
    }
    let pointers = UnsafeBufferPointer(start: call.arguments, count: Int(call.argument_count)).map { argument in
      addresses[argument.storage, default: 0] + argument.offset
    }
    var launches: [CUDALaunch] = []
    for launch in UnsafeBufferPointer(start: kernel.launches, count: Int(kernel.launch_count)) {
      let function = launch.function.map { String(cString: $0) } ?? ""
      let maps = UnsafeBufferPointer(start: launch.tensor_maps, count: Int(launch.tensor_map_count))
      let title = "\(function) for \(name)"
      launches.append(
        CUDALaunch(
          function: try module.function(function, sharedBytes: Int(launch.shared_bytes)), blocks: Int(launch.blocks),
          threads: Int(launch.threads), parameters: try CUDATensorMaps.parameters(pointers, maps, for: title),
          addressCount: pointers.count, name: title, sharedBytes: Int(launch.shared_bytes)))
    }
    return launches
  }
}

extension CUDASchedule.Part {
  /// Asks `stream` to make all calls, which it does without this machine's help.
  func run(on stream: CUDAStream) throws(TrainerError) {
    if let graph { return try graph.run(on: stream) }
    let captured = try CUDAGraph(of: self, capturedOn: stream)
    graph = captured
    try captured.run(on: stream)
  }
}

/// Launches that the GPU knows as a whole.
final class CUDAGraph {
  private let handle: wamim_cuda_executable_graph
  /// What the graph belongs to, and must not outlive.
  private let context: CUDAContext

  fileprivate init(of part: CUDASchedule.Part, capturedOn stream: CUDAStream) throws(TrainerError) {
    let purpose = "make a graph of \(part.calls.count) calls"
    try CUDAResult.check(wamim_cuStreamBeginCapture(stream.handle, Int32(WAMIM_CUDA_CAPTURE_THREAD_LOCAL)), purpose)
    var problem: TrainerError?
    do throws(TrainerError) {
      for call in part.calls { for launch in call.launches { try launch.run(on: stream) } }
    } catch {
      problem = error
    }
    var graph: wamim_cuda_graph?
    let captured = wamim_cuStreamEndCapture(stream.handle, &graph)
    defer { if let graph { _ = wamim_cuGraphDestroy(graph) } }
    if let problem { throw problem }
    try CUDAResult.check(captured, purpose)
    var handle: wamim_cuda_executable_graph?
    try CUDAResult.check(wamim_cuGraphInstantiateWithFlags(&handle, graph, 0), purpose)
    guard let handle else { throw TrainerError("the GPU's driver gives no graph") }
    self.handle = handle
    context = stream.context
  }

  deinit {
    _ = wamim_cuGraphExecDestroy(handle)
  }

  func run(on stream: CUDAStream) throws(TrainerError) {
    try CUDAResult.check(wamim_cuGraphLaunch(handle, stream.handle), "compute a step")
  }
}
