import CPlatform
import WaMIMManifest

/// Whether this machine's processor has the instructions that the kernels use.
package enum ProcessorCheck {
  /// Throws an error that names what is missing; to be called before any kernel runs.
  package static func check(_ processor: Manifest.Processor) throws(TrainerError) {
    let missing = processor.features.filter { !wamim_processor_has($0) }
    guard missing.isEmpty else {
      // Here the processor may have them and the system not let this process use them, which the compiler doesn't see.
      let isAMX = missing.allSatisfy { $0.hasPrefix("amx-") }
      throw TrainerError(
        "this program was compiled for the processor \(processor.name), and this machine's processor "
          + "\(isAMX ? "or its system " : "")lacks \(missing.joined(separator: ", ")); compile the model "
          + (isAMX ? "with --cpu x86-64-v4" : "on this machine, or with --cpu and the name of its processor"))
    }
  }
}
