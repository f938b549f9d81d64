import Foundation
import WaMIMLanguage
import WaMIMTraining

/// The models of `graphs`, each so small that it can be emulated whole.
package enum SmallModels {
  /// Where the files of `graphs` are.
  private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("graphs")

  private static let vit = ["image=32", "patch=4", "dim=48", "heads=3", "batch=2"]
  private static let levels = [
    "depth=4", "taps=[1, 2, 3, 4]", "levels=[1, 2, 3, 4]", "weights=[0.8, 0.9, 1.1, 1.2]", "decoder_dim=32", "decoder_heads=4",
  ]
  private static let swin = ["image=32", "patch=1", "window=4", "dim=8", "depths=[2, 1, 2, 1]", "heads=[1, 2, 2, 4]", "batch=2"]
  private static let swinLevels = ["decoder_dim=8", "decoder_heads=2", "levels=[1, 2, 3, 3]"]

  /// What makes the model of each file small.
  package static let settings: [String: [String]] = [
    "wamim_vit_demo": vit + levels,
    "wamim_vit_tiny": vit + levels + ["wavelet=db2", "subbands=all"],
    "wamim_vit_small": vit + levels + ["normalization=token", "batch=3", "ratio=0.6"],
    "wamim_vit_base": vit + levels + ["wavelet=bior4.4", "batch=1"],
    "wamim_vit_large": vit + levels + ["wavelet=sym4", "normalization=none"],
    "wamim_swin_demo": swin + swinLevels,
    "wamim_swin_tiny": swin + swinLevels + ["tap=stage", "batch=3"],
    "wamim_swin_small": swin + swinLevels + ["ratio=0.5", "subbands=all"],
    "wamim_swin_base": swin + swinLevels + ["batch=1", "depths=[1, 2, 1, 2]"],
    "mae_vit": vit + ["depth=2", "decoder_dim=32", "decoder_depth=2", "decoder_heads=4"],
    "simmim_vit": vit + ["depth=3", "unit=8", "drop_path=0.4"],
    "localmim_vit": vit + ["depth=4", "taps=[1, 2, 3, 4]", "cells=[2, 4, 8, 16]", "decoder_dim=32", "decoder_heads=4"],
    "simmim_swin": swin,
    "localmim_swin": swin + ["widths=[8, 16, 16, 16]", "decoder_heads=2", "ratio=0.6"],
    "greenmim_swin": swin + ["decoder_dim=24", "decoder_heads=4"],
    "finetune_vit": vit + ["depth=2", "classes=5", "drop_path=0.3"],
    "finetune_swin": swin + ["classes=5", "drop_path=0.3"],
    "probe_vit": vit + ["depth=2", "classes=5"],
    "probe_swin": ["image=16"] + swin.dropFirst().dropLast() + ["classes=5", "batch=6"],
    "features_vit": vit + ["depth=2"],
    "features_swin": swin,
  ]

  /// What is asked of all of them: each call within what is asked of one kernel, and the whole, where roundings to bf16 add up, within
  /// twice that.
  package static let limits = [
    "f32": ProgramAgreement.Limits(whole: 1e-5, call: 1e-5), "bf16": ProgramAgreement.Limits(whole: 2e-2, call: 1e-2),
  ]

  /// The names of all files of `graphs`.
  package static func files() throws -> Set<String> {
    let files = try FileManager.default.contentsOfDirectory(atPath: folder.path)
    return Set(files.filter { $0.hasSuffix(".wg") }.map { String($0.dropLast(3)) })
  }

  /// The model of a file of `graphs`.
  package static func model(_ name: String, _ settings: [String], precision: String = "f32") throws -> Model {
    let path = folder.appendingPathComponent(name + ".wg").path
    var model = try Language.model(source: Language.text(at: path), file: path, overrides: settings.map { try Override($0) })
    model.recipe[choice: .precision] = precision
    return model
  }
}
