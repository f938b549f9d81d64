import Foundation
import Testing
import WaMIMLanguage

/// What the language says about mistakes.
@Suite struct BadInputTests {
  /// A text after the header of a model, and what the message has to contain.
  struct Mistake: Sendable, CustomTestStringConvertible {
    var name: String
    var text: String
    var expected: [String]

    init(_ name: String, _ text: String, _ expected: String...) {
      self.name = name
      self.text = text
      self.expected = expected
    }

    var testDescription: String { name }
  }

  static let header = """
    model m
    input images: f32[2, 3, 32, 32]
    let mask = random_mask(images, patch: 4, ratio: 0.75)

    """

  static let vit = "let taps = vit(images, mask, patch: 4, dim: 16, depth: 2, heads: 2, taps: [1, 2])\n"

  static let mistakes: [Mistake] = [
    Mistake(
      "unknown value", "let x = imagse", "model.wg:4:9: error:", "no value 'imagse'", "did you mean 'images'?", "\n          ^"),
    Mistake("unknown function", "let x = vti(images)", "no function 'vti'", "did you mean 'vit'?"),
    Mistake("unknown label", "let x = linear(images, widht: 3)", "no parameter 'widht'", "did you mean 'width'?"),
    Mistake("unknown word", "let x = dwt(images, wavelet: har, levels: 1..2)", "'har'", "did you mean 'haar'?"),
    Mistake(
      "unknown wavelet", "let x = dwt(images, wavelet: db3, levels: 1..2)",
      "haar, db2, db4, sym4, bior2.2 or bior4.4, not 'db3'", "did you mean 'db2'?"),
    Mistake("unknown wavelet with a point", "let x = dwt(images, wavelet: bior2.4, levels: 1..2)", "did you mean 'bior2.2'?"),
    Mistake(
      "levels of odd extents", "let x = dwt(images, wavelet: db4, levels: 1..9)", "cannot be halved 9 times",
      "after level 5 an extent is odd"),
    Mistake("name with a point", "let bior2.2 = 3", "names have no points in them"),
    Mistake("unknown statement", "ouput \"x\" = images", "did you mean 'output'?"),
    Mistake(
      "missing arguments", "let x = vit(images, mask, patch: 4)", "also needs 'dim' (an integer)", "'heads' (an integer)"),
    Mistake("too many arguments", "let x = gelu(images, images)", "'gelu' takes at most 1 argument: x"),
    Mistake("argument twice", "let x = gelu(images, x: images)", "given 'x' twice"),
    Mistake("wrong type", "let x = linear(images, width: 2.5)", "'width' of 'linear' has to be an integer, not 2.5"),
    Mistake("list for a number", "let x = linear(images, width: [3])", "has to be an integer, not a list of 1 element"),
    Mistake("a mask is no tensor", "let x = mask + 1", "'+' takes numbers or tensors, not a mask and 1"),
    Mistake("function without a call", "let x = gelu", "'gelu' is a function: call it"),
    Mistake("call of a value", "let x = images(3)", "'images' is a value and cannot be called"),
    Mistake("used before", "let x = y\nlet y = 1", "'y' is used before it is declared", "model.wg:5:5: note: it is declared here"),
    Mistake("declared twice", "let x = 1\nlet x = 2", "'x' is declared twice", "note: it is first declared here"),
    Mistake(
      "shapes disagree", "let a = sum(images, axes: [0])\nlet b = reshape(images, shape: [6, 32, 32])\n  let c = a + b",
      "model.wg:6:13: error:", "f32[1, 3, 32, 32] and f32[6, 32, 32]", "model.wg:4:9: note: this operand is f32[1, 3, 32, 32]",
      "model.wg:5:9: note: this operand is f32[6, 32, 32]"),
    Mistake("matmul", "let c = matmul(images, reshape(images, [64, 96]))", "the inner extents 32 and 64 differ", "note:"),
    Mistake("declared type", "let x: f32[2, 3] = images", "'x' is declared f32[2, 3], but is f32[2, 3, 32, 32]"),
    Mistake("unknown element type", "let x: f23[2, 3] = images", "did you mean 'f32'?"),
    Mistake(
      "heads that do not divide", "let x = vit(images, mask, patch: 4, dim: 16, depth: 2, heads: 3, taps: [1, 2])",
      "model.wg:4:9: error: 3 heads do not divide a width of 16"),
    Mistake(
      "taps beyond depth", "let x = vit(images, mask, patch: 4, dim: 16, depth: 2, heads: 2, taps: [1, 3])",
      "there is no layer 3 to tap", "from 1 to 2"),
    Mistake(
      "mask of other units",
      "let x = swin(images, mask, patch: 2, window: 4, dim: 8, depths: [1, 1, 1], heads: [1, 1, 1])",
      "the mask hides patches of 4, but a token of the last stage covers 8 × 8 pixels"),
    Mistake(
      "stages that do not tile", "let x = swin(images, patch: 3, window: 4, dim: 8, depths: [1, 1], heads: [1, 1])",
      "covers 6 × 6 pixels, which do not tile square images"),
    Mistake(
      "stages that are none",
      "let x = swin(images, mask, patch: 2, window: 4, dim: 8, depths: [1, 1], heads: [1, 1], taps: [3])",
      "taps have to be stages from 1 to 2 in ascending order, each once, but are [3]"),
    Mistake(
      "rows that are no map", "let x = grid(reshape(images, shape: [2, 6, 512]))",
      "[batch, side · side, channels], not of f32[2, 6, 512]"),
    Mistake("cells that do not tile", "let x = pixels(images, patch: 5)", "cells of 5 × 5 pixels do not tile images"),
    Mistake(
      "plateaus out of order", "train { schedule: plateaus(epochs: 9, tenth_at: [5, 3]) }", "epochs above 0 in ascending order"),
    Mistake("words", "train { optimizer: adamw(spared: [1]) }", "'spared' has to be a list of strings"),
    Mistake("ratio of one", "let m = random_mask(images, patch: 4, ratio: 1)", "between 0 and 1, but is 1.0"),
    Mistake("ratio below zero", "let m = random_mask(images, patch: 4, ratio: -0.5)", "between 0 and 1, but is -0.5"),
    Mistake("patch that does not divide", "let m = random_mask(images, patch: 5, ratio: 0.5)", "patches of 5 × 5 do not divide"),
    Mistake(
      "target out of reach",
      vit + "let t = reshape(images, [2, 3, 16, 64])\nlet d = decoder(taps[0], mask, dim: 8, heads: 2, like: t)",
      "a target has to be [batch, channels, side, side]"),
    Mistake(
      "target that no power of two reaches",
      vit + "let t = slice(slice(images, axis: 2, start: 0, count: 24, step: 1), axis: 3, start: 0, count: 24, step: 1)\n"
        + "let d = decoder(taps[0], mask, dim: 8, heads: 2, like: t)",
      "model.wg:6:9: error: no power of two leads from the grid of 8 × 8 patches to a target of 24 × 24"),
    Mistake("too deep a level", "let t = dwt(images, levels: 5..6)", "cannot be halved 6 times"),
    Mistake("integer division by zero", "let x = 3 / (2 - 2)", "model.wg:4:11: error: division by zero: 3 / 0", "\n            ^"),
    Mistake("division by zero", "let x = 3.0 / 0", "division by zero"),
    Mistake("remainder by zero", "let x = 3 % 0", "division by zero"),
    Mistake("overflow", "let x = 9223372036854775807 + 1", "does not fit into 64 bits"),
    Mistake("overflow in a literal", "let x = 92233720368547758070", "the integer is too large"),
    Mistake("number too large", "let x = 1e999", "the number is too large"),
    Mistake("float32", "let x = images * 1e300", "out of the range of float32"),
    Mistake("index", "let x = [1, 2][2]", "there is no element 2: the indices of this list run from 0 to 1"),
    Mistake("backward range", "let x = 5..2", "runs backwards"),
    Mistake("member", "let x = mask.hiden", "did you mean 'hidden'?"),
    Mistake("extent", "let x = constant(value: 0, shape: [0])", "every extent has to be positive"),
    Mistake("too large", "let x = constant(value: 0, shape: [1000000, 1000000, 1000000, 1000000])", "too large"),
    Mistake(
      "parameter twice", "let a = linear(images, width: 4, name: \"fc\")\nlet b = linear(images, width: 4, name: \"fc\")",
      "'fc.weight' is declared twice", "model.wg:4:9: note"),
    Mistake("two losses", "loss total(images)\nloss total(images)", "model.wg:5:1: error: the model has a loss already"),
    Mistake("loss that is no scalar", "loss images", "the loss has to be a scalar, but is f32[2, 3, 32, 32]"),
    Mistake("output twice", "output \"a\" = images\noutput \"a\" = images", "'a' is declared twice"),
    Mistake("weights", "loss weighted_sum([total(images)], [1, 2])", "1 losses need as many weights, not 2"),
    Mistake("setting", "train { optimiser: adamw() }", "did you mean 'optimizer'?"),
    Mistake("optimizer", "train { optimizer: adagrad(1) }", "'optimizer' knows no 'adagrad'"),
    Mistake("learning rate", "train { optimizer: adamw(base_lr: -1) }", "'base_lr' has to be 0 or more, but is -1.0"),
    Mistake(
      "area", "train { augment: [random_resized_crop(area: 0.5..2)] }", "'area' has to be a range lower..upper between 0 and 1"),
    Mistake("setting outside", "let x = cosine(epochs: 3)", "a setting of a 'train' block"),
    Mistake("recursion", "func f(x) { f(x) }\nlet x = f(1)", "does the recursion of 'f' run away?", "in this call of 'f'"),
    Mistake("mutual recursion", "func f(x) { g([x, [x]]) }\nfunc g(x) { f(len(x) + 1) }\nlet x = f(1)", "run away?"),
    Mistake("loops", "let x = for i in 0..9999 { for j in 0..9999 { i * j } }", "does a loop or a recursion run away?"),
    Mistake("operations", "let x = for i in 0..99999 { for j in 0..9 { gelu(images) } }", "run away?"),
    Mistake("long loop", "let x = for i in 0..9999999999 { i }", "a list has at most 100000 elements"),
    Mistake(
      "doubling string", "func f(s, k) { if k == 0 { s } else { f(s + s, k - 1) } }\nlet x = f(\"aaaa\", 60)",
      "a string has at most"),
    Mistake(
      "in a function", "func f(x: int, y) { x + y }\nlet a = f(1, 2)\nlet b = f(\"one\", 2)",
      "'x' of 'f' has to be an integer, not a string"),
    Mistake("name of the language", "func gelu(x) { x }", "'gelu' is a function of the language"),
    Mistake("no else", "let x = if true { 1 }", "expected 'else'"),
    Mistake("condition", "let x = if 1 { 1 } else { 2 }", "'if' takes a boolean, not 1"),
    Mistake("no value", "func f(x) {\n  let y = x\n}", "has to end with an expression"),
    Mistake("value not used", "func f(x) {\n  gelu(x)\n  x\n}", "only the last line of the body of a function is an expression"),
    Mistake("string without end", "let x = \"abc\nlet y = 1", "the string does not end on its line"),
    Mistake("unexpected character", "let x = 3 ? 4", "model.wg:4:11: error: unexpected character '?'"),
    Mistake("semicolon", "let x = 3;", "statements end with their line"),
    Mistake("open parenthesis", "let x = (3 + 4", "expected ')'", "the end of the file"),
    Mistake("keyword", "let for = 3", "'for' is a word of the language"),
    Mistake("two on a line", "let x = 3 let y = 4", "expected the end of the line"),
    Mistake("second model", "model other", "a file describes one model", "note: it is named here"),
    Mistake("failed requirement", "require 1 > 2, \"one is small\"", "model.wg:4:1: error: one is small"),
    Mistake("update of a value", "update images = images", "only parameters and states can be updated"),
  ]

  @Test("a mistake is named with its position", arguments: mistakes)
  func message(mistake: Mistake) throws {
    let message = try #require(complaint(about: Self.header + mistake.text))
    for expected in mistake.expected { #expect(message.contains(expected), "\(message)") }
    #expect(message.contains("model.wg:"))
  }

  @Test("several statements that cannot be read are all named")
  func severalMistakes() throws {
    let message = try #require(complaint(about: Self.header + "let x = )\nlet y = 3\nlet z = [1, 2\nloss *\n"))
    #expect(message.contains("model.wg:4:9: error: expected an expression, but found ')'"))
    #expect(message.contains("model.wg:7:1: error"))
  }

  @Test("nesting has a limit", arguments: ["(", "[", "-", "!", "if ", "f(", "[1][", "for i in ", "if true { 1 } else "])
  func nesting(opening: String) throws {
    for count in [90, 1_000, 100_000] {
      let message = try #require(complaint(about: Self.header + "let x = " + String(repeating: opening, count: count)))
      #expect(message.contains("error:"))
    }
  }

  @Test("long chains of operators are no nesting", arguments: ["+ 1 ", "* 1 ", "|| false ", "&& true "])
  func chains(link: String) throws {
    let first = link.contains("1") ? "1 " : "true "
    #expect(complaint(about: Self.header + "let x = " + first + String(repeating: link, count: 20_000)) == nil)
  }

  @Test("deep recursion of deep expressions does not exhaust the stack")
  func deepEvaluation() throws {
    let deep = String(repeating: "[", count: 90) + "f(x)" + String(repeating: "]", count: 90)
    let message = try #require(complaint(about: Self.header + "func f(x) { \(deep) }\nlet y = f(1)"))
    #expect(message.contains("run away?"))
  }

  @Test("models that run away are stopped soon")
  func time() {
    let clock = ContinuousClock()
    for mistake in Self.mistakes where mistake.expected.contains(where: { $0.contains("run away") }) {
      let time = clock.measure { _ = complaint(about: Self.header + mistake.text) }
      // Half a second where nothing else runs; the others' tests run meanwhile.
      #expect(time < .seconds(30), "\(mistake.name): \(time)")
    }
  }
}

/// What the language says about options and files.
@Suite struct OverrideAndFileTests {
  static let source = """
    model m
    let dim = 64
    let ratio = 0.75
    let taps = [3, 6]
    let weights = [0.5, 1]
    let kind = haar
    let half = dim / 2
    input images: f32[2, 3, dim, dim]
    let x = images * ratio
    output "x" = sum(images, axes: [0]) * weights[0]
    """

  @Test(
    "options of the right type are taken",
    arguments: [
      "dim=72", "dim=3*24", "ratio=1", "taps=[1,2,3]", "taps=1..3", "weights=[1, 2]", "kind=detail", "kind=bior2.2",
      "half=dim", " dim = 72",
    ])
  func taken(option: String) throws {
    #expect(complaint(about: Self.source, [try Override(option)]) == nil)
  }

  @Test("an option replaces the value")
  func replaced() throws {
    let model = try Language.model(source: Self.source, file: "model.wg", overrides: [Override("dim=72")])
    #expect(model.graph.nodes[0].type.shape == [2, 3, 72, 72])
  }

  @Test(
    "other options are refused",
    arguments: [
      ("dmi=3", "did you mean 'dim'?"), ("dmi=3", "dim, ratio, taps, weights, kind, half"),
      ("dim=[3]", "'dim' has to be an integer"),
      ("dim=2.5", "not 2.5"), ("taps=3", "'taps' has to be a list of integers"), ("taps=[1.5]", "a list with a number in it"),
      ("kind=3", "'kind' has to be a word"), ("kind=har", "did you mean 'haar'?"),
      ("kind=bior22", "'kind' has to be haar, db2, db4, sym4, bior2.2 or bior4.4, not 'bior22': did you mean 'bior2.2'?"),
      ("x=3", "nothing called 'x'"),
      ("dim=", "not of the form NAME=VALUE"), ("dim", "not of the form NAME=VALUE"), ("dim=3 4", "--set dim:1:3: error"),
      ("dim=1/0", "division by zero"), ("ratio=true", "'ratio' has to be a number"),
    ])
  func refused(option: String, expected: String) throws {
    do {
      let override = try Override(option)
      let message = try #require(complaint(about: Self.source, [override]))
      #expect(message.contains(expected), "\(message)")
    } catch {
      #expect("\(error)".contains(expected), "\(error)")
    }
  }

  @Test("files that are no text are refused")
  func files() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("wamim-\(UInt64.random(in: 0...(.max)))")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    func complaint(_ name: String, _ bytes: Data?) throws -> String {
      let path = folder.appendingPathComponent(name).path
      if let bytes { try bytes.write(to: URL(fileURLWithPath: path)) }
      return #expect(throws: DiagnosticError.self) { try Language.model(contentsOf: path) }?.description ?? ""
    }
    #expect(try complaint("missing.wg", nil).contains("no such file"))
    #expect(try complaint("empty.wg", Data()).contains("empty"))
    #expect(try complaint("space.wg", Data("  // nothing\n".utf8)).contains("empty"))
    #expect(try complaint("zero.wg", Data(count: 100)).contains("not text"))
    #expect(try complaint("binary.wg", Data([0xFF, 0xD8, 0xFF, 0xE0])).contains("not text"))
    #expect(try complaint("large.wg", Data(repeating: 32, count: 100_000_000)).contains("larger than"))
    #expect(try complaint(".", nil).contains("folder"))
  }
}
