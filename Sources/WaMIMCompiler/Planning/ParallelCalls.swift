import WaMIMGraph
import WaMIMManifest

extension LoweredCall {
  /// The call that makes all of `calls`, which do not depend on each other, at the same time.
  ///
  /// - Parameter backend: What says how the kernel of all is carried out.
  private static func parallel(_ calls: [LoweredCall], by backend: any Backend) -> LoweredCall {
    guard var result = calls.last, calls.count > 1 else { return calls[0] }
    (result.kernel, result.bindings) = Kernel.parallel(
      calls.map { ParallelKernel.Member(kernel: $0.kernel, units: $0.units, bindings: $0.bindings) })
    result.units = 1
    result.variant = backend.variant(of: result.kernel, units: 1)
    for call in calls.dropLast() {
      result.reads.formUnion(call.reads)
      result.writes.formUnion(call.writes)
      result.overwrites.formUnion(call.overwrites)
      result.provenance.formUnion(call.provenance)
      result.flops += call.flops
      result.bytes += call.bytes
      result.order = max(result.order, call.order)
    }
    result.name = name(ofAll: calls)
    return result
  }

  /// The calls that make `calls` together: one, or several where a kernel cannot have as many arguments as that takes.
  static func parallelCalls(_ calls: [LoweredCall], by backend: any Backend) -> [LoweredCall] {
    let call = parallel(calls, by: backend)
    let further = calls.reduce(0) { $0 + $1.variant.furtherArguments }
    if calls.count == 1 || call.kernel.arguments.count + further <= backend.parallelArguments { return [call] }
    let half = calls.count / 2
    return parallelCalls(Array(calls[..<half]), by: backend) + parallelCalls(Array(calls[half...]), by: backend)
  }

  /// What calls that are made at the same time are called in dumps and profiles.
  private static func name(ofAll calls: [LoweredCall]) -> String {
    let names = Set(calls.map { Manifest.pattern($0.name) }).sorted()
    return names.count == 1 ? names[0] : "\(names[0]) and \(names.count - 1) others"
  }
}
