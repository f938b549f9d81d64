import Foundation
import TestSupport
import Testing
import WaMIMRuntime

/// What a pre-trained encoder is good for: neighbours, probes, features, and a classifier that begins with it.
struct EncoderTests {
  private static let size = ["image=16", "patch=8", "dim=24", "depth=2", "heads=2", "batch=4"]
  private static let classes = ["a b", "grün", "red"]

  /// Pictures in which the channel of their class's number is the strongest.
  private func writeImages(_ workshop: borrowing Workshop, _ name: String, count: Int) throws {
    for (index, category) in Self.classes.enumerated() {
      let folder = workshop.path("\(name)/\(category)")
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      for number in 0..<count {
        var color = [UInt8](repeating: UInt8(20 + 5 * number), count: 3)
        color[index] = UInt8(180 + 7 * number)
        let image = Image(width: 20, height: 18, channels: 3, pixels: (0..<20 * 18).flatMap { _ in color })
        try Data(try image.encodedAsPNG()).write(to: URL(fileURLWithPath: "\(folder)/\(number).png"))
      }
    }
  }

  private func run(_ workshop: borrowing Workshop, _ trainer: String, _ words: String...) throws -> CommandResult {
    let result = try workshop.run(workshop.path(trainer), words)
    try #require(result.status == 0, "\(words): \(result.errors)")
    return result
  }

  @Test func anEncoderIsCompared() throws {
    let workshop = try Workshop()
    try writeImages(workshop, "train", count: 6)
    try writeImages(workshop, "val", count: 2)
    let levels = ["taps=[1, 2]", "levels=[1, 2]", "weights=[1.0, 1.0]", "decoder_dim=16", "decoder_heads=2"]
    try workshop.compile("wamim_vit_demo", Self.size + levels, to: "pretrain")
    let trained = try run(
      workshop, "pretrain", "fit", "--data", "train", "--knn", "train", "--val", "val", "--epochs", "2", "--out", "run")
    #expect(trained.output.contains("of neighbours after step"), "\(trained.output)")
    let metrics = try String(contentsOfFile: workshop.path("run/metrics.jsonl"), encoding: .utf8)
    #expect(metrics.components(separatedBy: "\"knn_accuracy\":{\"top1\":").count == 3)
    #expect(metrics.components(separatedBy: "\"validation_loss\":").count == 3)
    try writeImages(workshop, "three", count: 1)
    let few = try workshop.run(workshop.path("pretrain"), ["fit", "--data", "train", "--knn", "three", "--out", "few"])
    #expect(
      few.status == 1 && few.errors.contains("at least 5 images") && !FileManager.default.fileExists(atPath: workshop.path("few")),
      "\(few.errors)")

    // Colours are far apart even for an encoder that has hardly been trained.
    let neighbours = try run(
      workshop, "pretrain", "knn", "--checkpoint", "run", "--train", "train", "--val", "val", "--k", "1,200")
    #expect(neighbours.output.contains("k 1     top-1 100.00 %"), "\(neighbours.output)")
    #expect(neighbours.errors.contains("--k 200 asks for more neighbours than the 18 images"))
    for (data, file) in [("train", "t.safetensors"), ("val", "v.safetensors")] {
      _ = try run(workshop, "pretrain", "features", "--checkpoint", "run", "--data", data, "--labelled", "-o", file)
    }
    let kept = try run(workshop, "pretrain", "knn", "--train", "t.safetensors", "--val", "v.safetensors", "--k", "1,200")
    #expect(kept.output == neighbours.output)
    #expect(try TestSupport.Safetensors(contentsOf: workshop.path("v.safetensors")).tensors["features"]?.shape == [6, 24])
    let probe = try run(
      workshop, "pretrain", "probe", "--train", "t.safetensors", "--val", "v.safetensors", "--base-lr", "20", "--threads", "1")
    let again = try run(
      workshop, "pretrain", "probe", "--train", "t.safetensors", "--val", "v.safetensors", "--base-lr", "20", "--threads", "3")
    #expect(probe.output.contains("6 images: top-1 100.00 %") && probe.output == again.output, "\(probe.output)")

    // An encoder alone has the same features, and those of a run are neither pictures nor a classifier.
    try workshop.compile("features_vit", Self.size, to: "encode")
    let encoded = try run(workshop, "encode", "knn", "--checkpoint", "run", "--train", "train", "--val", "val", "--k", "1,200")
    #expect(encoded.output.hasSuffix(neighbours.output), "\(encoded.output)")
    let refused = try workshop.run(workshop.path("pretrain"), ["evaluate", "--checkpoint", "run", "--data", "val"])
    #expect(refused.status == 1 && refused.errors.contains("is no classifier"))
  }

  @Test func aClassifierBeginsWithAnEncoderOfAnotherGrid() throws {
    let workshop = try Workshop()
    try writeImages(workshop, "train", count: 4)
    let levels = ["taps=[1, 2]", "levels=[1, 2]", "weights=[1.0, 1.0]", "decoder_dim=16", "decoder_heads=2"]
    try workshop.compile("wamim_vit_demo", Self.size + levels, to: "pretrain")
    _ = try run(workshop, "pretrain", "fit", "--data", "train", "--epochs", "1", "--out", "run")
    try workshop.compile("finetune_vit", Self.size + ["image=32", "classes=3"], to: "tune")
    let fit = ["fit", "--data", "train", "--init", "run", "--epochs", "2", "--seed", "5", "--mixup", "0", "--cutmix", "0"]
    let whole = try workshop.run(workshop.path("tune"), fit + ["--out", "whole", "--threads", "1"])
    try #require(whole.status == 0, "\(whole.errors)")
    #expect(whole.output.contains("resized: pos_embed from the sine-cosine table of 2² to 4² positions"), "\(whole.output)")
    #expect(whole.output.contains("begun afresh: fc_norm (2 tensors), head (2 tensors)"), "\(whole.output)")
    // Interrupted and resumed on other threads, it ends with the same bits.
    let part = try workshop.run(workshop.path("tune"), fit + ["--out", "part", "--threads", "3", "--limit-steps", "2"])
    try #require(part.status == 0, "\(part.errors)")
    _ = try run(workshop, "tune", "fit", "--resume", "part", "--threads", "2")
    let tensors = try ["whole", "part"].map {
      try TestSupport.Safetensors(contentsOf: workshop.path("\($0)/checkpoint.safetensors")).tensors
    }
    #expect(tensors[0] == tensors[1] && tensors[0]["head.weight"]?.shape == [3, 24])
    let exported = try run(workshop, "tune", "export", "--timm", "--checkpoint", "whole", "-o", "timm.safetensors")
    #expect(exported.output.contains("embed_dim=24, depth=2, num_heads=2, global_pool='avg', num_classes=3)"), "\(exported.output)")
    let timm = try TestSupport.Safetensors(contentsOf: workshop.path("timm.safetensors")).tensors
    #expect(timm["pos_embed"] == tensors[0]["pos_embed"] && timm["head.bias"] == tensors[0]["head.bias"])
    #expect(timm["fc_norm.weight"]?.shape == [24] && timm["norm.weight"] == nil && timm.count == 4 + 2 * 12 + 4)

    // As MAE publishes encoders: with a decoder, and a norm in the place of `fc_norm`; as timm does: with a head for other classes,
    // which need not have a bias.
    var published = timm.filter { !$0.key.hasPrefix("fc_norm") && !$0.key.hasPrefix("head") }
    for name in ["norm.weight", "norm.bias"] { published[name] = timm["cls_token"] }
    for name in ["decoder_blocks.0.norm1.weight", "decoder_blocks.0.norm1.bias", "decoder_embed.bias", "mask_token"] {
      published[name] = timm["cls_token"]
    }
    published["head.bias"] = TestSupport.Safetensors.Tensor(shape: [1], elements: [1])
    published["head.weight"] = TestSupport.Safetensors.Tensor(shape: [1, 24], elements: [Double](repeating: 1, count: 24))
    for prefix in ["", "model."] {
      if !prefix.isEmpty { published["head.bias"] = nil }
      let tensors = Dictionary(uniqueKeysWithValues: published.map { (prefix + $0.key, $0.value) })
      try Data(TestSupport.Safetensors.bytes(of: tensors))
        .write(to: URL(fileURLWithPath: workshop.path("published.safetensors")))
      let words = [
        "fit", "--data", "train", "--init", "published.safetensors", "--limit-steps", "1", "--mixup", "0", "--cutmix", "0",
      ]
      let begun = try workshop.run(workshop.path("tune"), words + ["--out", "begun", "--overwrite"])
      try #require(begun.status == 0, "\(begun.errors)")
      #expect(begun.output.contains("begun afresh: fc_norm (2 tensors), head (2 tensors)"), "\(begun.output)")
      let surplus = ["decoder_blocks (2 tensors)", "decoder_embed.bias"].map { prefix + $0 }.joined(separator: ", ")
      #expect(begun.output.contains("in it, but not in this model: \(surplus)"), "\(begun.output)")
    }
  }
}
