import CPlatform
import WaMIMManifest

/// Whether this machine's processor has the instructions that the kernels use.
package enum ProcessorCheck {
  /// Throws an error that names what is missing; to be called before any kernel runs.
  package static func check(_ processor: Manifest.Processor) throws(TrainerError) {
    let missing = processor.features.filter { feature in
      // LLVM writes features as `avx2` or `+avx2`; a minus sign says that code doesn't use one.
      guard !feature.hasPrefix("-") else { return false }
      let name = feature.hasPrefix("+") ? String(feature.dropFirst()) : feature
      return wamim_processor_feature(name) == Int32(WAMIM_FEATURE_ABSENT)
    }
    guard missing.isEmpty else {
      throw TrainerError(
        "this program was compiled for the processor \(processor.name), and this machine's processor lacks "
          + "\(missing.joined(separator: ", ")); compile the model on this machine, or with --cpu and the name of its processor")
    }
  }
}
