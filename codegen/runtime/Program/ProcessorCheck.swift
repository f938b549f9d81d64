import CPlatform
import WaMIMManifest

/// Whether this machine's processor has the instructions that the kernels use.
package enum ProcessorCheck {
  /// Throws an error that names what is missing; to be called before any kernel runs.
  package static func check(_ processor: Manifest.Processor) throws(TrainerError) {
    let missing = processor.features.filter { !wamim_processor_has($0) }
    guard missing.isEmpty else {
      throw TrainerError(
        "this program was compiled for the processor \(processor.name), and this machine's processor lacks "
          + "\(missing.joined(separator: ", ")); compile the model on this machine, or with --cpu and the name of its processor")
    }
  }
}
