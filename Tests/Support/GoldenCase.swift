import Foundation

/// A small model with parameters and images, and what the reference implementation made of them.
public struct GoldenCase {
  public var model = WaMIMModel()
  /// Parameters, `images` and `noise`.
  public var input: Safetensors
  /// `loss`, `loss.K`, `target.K`, `grad.NAME`, and after three steps `adamw.losses` and `adamw.NAME`.
  public var output: Safetensors

  /// Reads the fixture beside the tests.
  public init(file: String = #filePath) throws {
    let folder = URL(fileURLWithPath: file).deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Golden")
    input = try Safetensors(contentsOf: folder.appendingPathComponent("vit-tiny.in.safetensors").path)
    output = try Safetensors(contentsOf: folder.appendingPathComponent("vit-tiny.out.safetensors").path)
  }
}
