import Testing
import WaMIMRuntime

@Suite("Images") struct ImageTests {
  @Test(
    "Files are read as other programs read them",
    arguments: [
      ("color.jpg", "color-jpg-pixels.png", 2), ("progressive.jpg", "progressive-jpg-pixels.png", 2),
      ("grey.jpg", "grey-jpg-pixels.png", 2), ("cmyk.jpg", "cmyk-jpg-pixels.png", 3), ("alpha.png", "color.png", 0),
      ("grey16.png", "grey.png", 0), ("palette.png", "palette-png-pixels.png", 0), ("bits.png", "bits-png-pixels.png", 0),
    ])
  func decoding(name: String, expected: String, tolerance: Int) throws {
    let image = try Image(decoding: try fixture(name))
    let reference = try Image(decoding: try fixture(expected))
    #expect((image.width, image.height, image.channels) == (reference.width, reference.height, reference.channels))
    #expect(largestDifference(image, reference) <= tolerance)
  }

  @Test("An image written as PNG is read back the same", arguments: [1, 3])
  func roundTrip(channels: Int) throws {
    var numbers = RandomNumbers(seed: 4, purpose: .synthetic)
    var image = Image(width: 37, height: 21, channels: channels)
    for index in image.pixels.indices { image.pixels[index] = UInt8(numbers.next(below: 256)) }
    #expect(try Image(decoding: try image.encodedAsPNG()) == image)
  }

  @Test(
    "A file that ends early is refused, wherever it ends", arguments: ["color.jpg", "progressive.jpg", "cmyk.jpg", "palette.png"])
  func truncation(name: String) throws {
    let bytes = try fixture(name)
    // The last marker of a JPEG and the last chunk of a PNG hold nothing of the picture.
    for count in stride(from: 0, to: bytes.count - 24, by: 7) {
      #expect(throws: TrainerError.self) { try Image(decoding: Array(bytes[..<count])) }
    }
  }

  @Test(
    "Damaged bytes give an error or some picture, but never a crash",
    arguments: ["color.jpg", "progressive.jpg", "color.png", "palette.png"])
  func damage(name: String) throws {
    let bytes = try fixture(name)
    var numbers = RandomNumbers(seed: 5, purpose: .synthetic)
    for _ in 0..<2000 {
      var damaged = bytes
      for _ in 0...numbers.next(below: 4) { damaged[numbers.next(below: bytes.count)] = UInt8(numbers.next(below: 256)) }
      if let image = try? Image(decoding: damaged, maximumPixels: 1_000_000) {
        #expect(image.pixels.count == image.width * image.height * image.channels)
      }
    }
  }

  @Test("More pixels than allowed are refused before there is memory for them")
  func bombs() throws {
    for name in ["color.png", "color.jpg"] {
      let bytes = try fixture(name)
      let error = #expect(throws: TrainerError.self) { try Image(decoding: bytes, maximumPixels: 700) }
      #expect(error?.message.contains("32 x 24 pixels are too many") == true)
    }
  }

  @Test("Grey becomes colour by repetition, and colour grey by weight")
  func channels() {
    let grey = Image(width: 2, height: 1, channels: 1, pixels: [10, 200])
    #expect(grey.converted(toChannels: 3).pixels == [10, 10, 10, 200, 200, 200])
    #expect(grey.converted(toChannels: 3).converted(toChannels: 1) == grey)
  }

  @Test(
    "Resizing gives Pillow's pixels",
    arguments: [
      ("resized-whole-24x20.png", Resampling.Box(x: 0, y: 0, width: 61, height: 47)),
      ("resized-box-16x16.png", Resampling.Box(x: 7, y: 5, width: 45, height: 39)),
      ("resized-enlarged-96x80.png", Resampling.Box(x: 11, y: 9, width: 29, height: 21)),
    ])
  func resizing(name: String, box: Resampling.Box) throws {
    let source = try Image(decoding: try fixture("source.png"))
    let reference = try Image(decoding: try fixture(name))
    let result = Resampling.resize(source, box: box, width: reference.width, height: reference.height)
    #expect(largestDifference(result, reference) <= 1)
  }

  @Test("Resizing keeps an image of one colour, and one whose size does not change")
  func resizingInvariants() throws {
    let source = try Image(decoding: try fixture("source.png"))
    let whole = Resampling.Box(x: 0, y: 0, width: source.width, height: source.height)
    #expect(Resampling.resize(source, box: whole, width: source.width, height: source.height) == source)
    let flat = Image(width: 33, height: 50, channels: 3, filledWith: 77)
    let box = Resampling.Box(x: 3, y: 4, width: 20, height: 30)
    #expect(Resampling.resize(flat, box: box, width: 64, height: 7).pixels.allSatisfy { $0 == 77 })
  }
}

/// The largest difference of two images' bytes.
func largestDifference(_ a: Image, _ b: Image) -> Int {
  guard a.pixels.count == b.pixels.count else { return Int.max }
  return zip(a.pixels, b.pixels).reduce(0) { max($0, abs(Int($1.0) - Int($1.1))) }
}
