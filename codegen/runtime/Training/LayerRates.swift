import WaMIMManifest

extension Manifest {
  /// The most layers above one whose learning rate is not that of the last layer; 0 where there is one rate.
  var layersWithRates: Int {
    inputs.compactMap { input in
      if case .hyperparameter(let name) = input.binding { ScheduleScalar.layersAbove(inRateName: name) } else { nil }
    }.max() ?? 0
  }
}
