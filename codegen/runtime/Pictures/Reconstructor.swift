import WaMIMManifest

/// Turns what the schedule `forward` leaves into pictures.
package struct Reconstructor {
  private enum Method {
    case wavelet(WaveletReconstruction)
    case patches(PatchReconstruction)
    /// Cells of several sizes, those of each prediction.
    case cells([PatchReconstruction])
  }

  private let method: Method
  private let model: TrainedModel
  private let batch: ImageBatch
  private let mask: Manifest.Tensor
  private let predictions: [Manifest.Tensor]
  /// Whether targets and predictions of each level are drawn.
  private let showsLevels: Bool

  /// Throws where the model has no pictures, or lacks what they are made from.
  package init(_ model: TrainedModel, batch: ImageBatch, showsLevels: Bool) throws(TrainerError) {
    let manifest = model.program.manifest
    guard let pictures = manifest.pictures else {
      throw TrainerError("the model \(manifest.model) defines no pictures: what it predicts is not said to be wavelets or pixels")
    }
    let method = try Self.method(pictures)
    var predictions: [Manifest.Tensor] = []
    for index in 0..<Self.predictionCount(pictures) {
      predictions.append(try model.output("prediction.\(index)", of: .forward))
    }
    self.model = model
    self.batch = batch
    self.method = method
    self.predictions = predictions
    self.showsLevels = showsLevels
    mask = try model.output("mask", of: .forward)
    try checkShapes()
  }

  /// What the pictures of a row show.
  package var titles: [String] {
    let further: [String]
    switch method {
    case .wavelet(let wavelet) where showsLevels:
      further = wavelet.levels.sorted().flatMap { ["level \($0) target", "prediction"] }
    case .cells(let cells) where showsLevels: further = cells.dropFirst().map { "cells of \($0.patch)" }
    case .wavelet, .patches, .cells: further = []
    }
    return ["input", "masked", "reconstruction"] + further
  }

  /// What the pictures take from the input, for the caption.
  package var explanation: String {
    switch method {
    case .patches(let patches): return patches.explanation
    case .cells(let cells): return cells[0].explanation
    case .wavelet(let wavelet):
      return wavelet.explanation + (showsLevels ? " Levels show their details alone, of predictions the hidden ones." : "")
    }
  }

  /// The pictures of the first `count` samples of the batch that the schedule has just seen.
  ///
  /// - Parameter images: Those samples as they were put into the input, which the schedule may have overwritten since.
  package func rows(images: [Float], count: Int) throws(TrainerError) -> [PictureGrid.Row] {
    let masks = try model.values(mask, samples: count)
    var results: [[Float]] = []
    for prediction in predictions { results.append(try model.values(prediction, samples: count)) }
    var rows: [PictureGrid.Row] = []
    for sample in 0..<count {
      let (channels, height, width) = (batch.augmentation.channels, batch.augmentation.height, batch.augmentation.width)
      let image = planes(images, sample: sample, channels: channels, height: height, width: width)
      let maskValues = Array(masks[sample * mask.shape[1]..<(sample + 1) * mask.shape[1]])
      guard let patchMask = PatchMask(maskValues, height: image.height, width: image.width) else {
        throw TrainerError("the output `mask` of shape \(Format.shape(mask.shape)) doesn't cut the image into square patches")
      }
      let pictures = [
        picture(image), picture(image, hiddenBy: patchMask),
        picture(rebuild(image, from: results, sample: sample, mask: patchMask)),
      ]
      rows.append(pictures + levelPictures(image, from: results, sample: sample, mask: patchMask))
    }
    return rows
  }

  /// The picture that a sample's share of `results`, the elements of each prediction, makes of its input.
  private func rebuild(_ image: Planes, from results: [[Float]], sample: Int, mask: PatchMask) -> Planes {
    switch method {
    case .wavelet(let wavelet):
      return wavelet.rebuild(image, predictions: coefficients(results, sample: sample), mask: mask)
    case .patches(let patches):
      let size = predictions[0].count / predictions[0].shape[0]
      let prediction = Array(results[0][sample * size..<(sample + 1) * size])
      return patches.rebuild(image, prediction: prediction, mask: mask)
    case .cells(let cells):
      return cells[0].rebuild(image, cells: coefficients(results, sample: sample)[0], mask: mask)
    }
  }

  /// Target and prediction of each level, the finest first, or what each further prediction of pixels makes of the image.
  private func levelPictures(_ image: Planes, from results: [[Float]], sample: Int, mask: PatchMask) -> [Image] {
    if case .cells(let cells) = method, showsLevels {
      return zip(cells, coefficients(results, sample: sample)).dropFirst().map { picture($0.rebuild(image, cells: $1, mask: mask)) }
    }
    guard case .wavelet(let wavelet) = method, showsLevels else { return [] }
    return wavelet.details(of: image, predictions: coefficients(results, sample: sample)).flatMap { target, prediction in
      let level = LevelPicture(scaledTo: target, transform: wavelet.transform, width: image.width, height: image.height)
      return [level.draw(target), level.draw(prediction, hiddenBy: mask)]
    }
  }

  /// The predicted coefficients of one sample, of each level.
  private func coefficients(_ results: [[Float]], sample: Int) -> [Planes] {
    zip(predictions, results).map { tensor, values in
      planes(values, sample: sample, channels: tensor.shape[1], height: tensor.shape[2], width: tensor.shape[3])
    }
  }

  /// One sample of a tensor [samples, channels, height, width].
  private func planes(
    _ values: [Float], sample: Int, channels: Int, height: Int, width: Int
  ) -> Planes {
    let size = channels * height * width
    return Planes(channels: channels, height: height, width: width, values: Array(values.dropFirst(sample * size).prefix(size)))
  }

  /// Normalised numbers as pixels, hidden patches in grey.
  private func picture(_ planes: Planes, hiddenBy mask: PatchMask? = nil) -> Image {
    var image = Image(width: planes.width, height: planes.height, channels: planes.channels)
    for row in 0..<planes.height {
      for column in 0..<planes.width {
        let isHidden = mask?.isHidden(row: row, column: column, height: planes.height, width: planes.width) ?? false
        for channel in 0..<planes.channels {
          image.pixels[(row * planes.width + column) * planes.channels + channel] =
            isHidden ? 128 : batch.normalization.byte(planes[channel, row, column], channel: channel)
        }
      }
    }
    return image
  }

  private static func method(_ pictures: Pictures) throws(TrainerError) -> Method {
    switch pictures {
    case .patches(let patch, let normalized): return .patches(PatchReconstruction(patch: patch, isNormalized: normalized))
    case .cells(let patches, let normalized):
      guard !patches.isEmpty, patches.allSatisfy({ $0 > 0 }) else {
        throw TrainerError("pictures cannot be made from cells of \(patches) pixels")
      }
      return .cells(patches.map { PatchReconstruction(patch: $0, isNormalized: normalized, isSample: true) })
    case .wavelet(let wavelet, let levels, let subbands, let normalization):
      guard let normalization = WaveletReconstruction.Normalization(rawValue: normalization) else {
        throw TrainerError("pictures cannot be made from targets of the normalization `\(normalization)`")
      }
      return .wavelet(
        WaveletReconstruction(
          wavelet: wavelet, levels: levels, subbands: subbands == "all" ? 4 : 3, normalization: normalization))
    }
  }

  private static func predictionCount(_ pictures: Pictures) -> Int {
    switch pictures {
    case .wavelet(_, let levels, _, _): levels.count
    case .cells(let patches, _): patches.count
    case .patches: 1
    }
  }

  /// Checks that mask and predictions have the shapes that pictures are made from.
  private func checkShapes() throws(TrainerError) {
    let (samples, channels) = (batch.input.shape[0], batch.input.shape[1])
    let (height, width) = (batch.augmentation.height, batch.augmentation.width)
    guard mask.shape.count == 2, mask.shape[0] == samples else {
      throw TrainerError("the output `mask` has the shape \(Format.shape(mask.shape)), not [\(samples), patches]")
    }
    for (index, tensor) in predictions.enumerated() {
      let expected: [Int]
      switch method {
      case .wavelet(let wavelet):
        let level = wavelet.levels[index]
        guard (1...30).contains(level), height % (1 << level) == 0, width % (1 << level) == 0 else {
          throw TrainerError("images of \(height) x \(width) pixels have no whole level \(level) to make pictures from")
        }
        expected = [samples, channels * wavelet.subbands, height >> level, width >> level]
      case .patches(let patches):
        expected = [samples, height / patches.patch * (width / patches.patch), channels * patches.patch * patches.patch]
      case .cells(let cells):
        let patch = cells[index].patch
        expected = [samples, channels * patch * patch, height / patch, width / patch]
      }
      guard tensor.shape == expected else {
        throw TrainerError("the output `\(tensor.name)` has the shape \(Format.shape(tensor.shape)), not \(Format.shape(expected))")
      }
    }
  }
}
