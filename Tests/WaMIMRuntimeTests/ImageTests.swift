import Testing
import WaMIMRuntime

@Suite("Images") struct ImageTests {
  @Test(
    "Files are read as other programs read them",
    arguments: [
      ("color.jpg", "color-jpg-pixels.png", 2), ("progressive.jpg", "progressive-jpg-pixels.png", 2),
      ("grey.jpg", "grey-jpg-pixels.png", 2), ("cmyk.jpg", "cmyk-jpg-pixels.png", 3), ("alpha.png", "color.png", 0),
      ("grey16.png", "grey.png", 0), ("palette.png", "palette-png-pixels.png", 0), ("bits.png", "bits-png-pixels.png", 0),
      ("ycck.jpg", "ycck-jpg-pixels.png", 3), ("lossy.webp", "lossy-webp-pixels.png", 1), ("lossless.webp", "color.png", 0),
      ("extended.webp", "extended-webp-pixels.png", 1), ("animated.webp", "animated-webp-pixels.png", 1),
      ("animated-part.webp", "animated-part-webp-pixels.png", 0), ("cmyk-unmarked.jpg", "cmyk-unmarked-jpg-pixels.png", 3),
      ("ycck-unmarked.jpg", "ycck-unmarked-jpg-pixels.png", 3), ("scans.jpg", "scans-jpg-pixels.png", 2),
      ("restarts.jpg", "restarts-jpg-pixels.png", 2), ("arithmetic.jpg", "arithmetic-jpg-pixels.png", 2),
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
    "A file that ends early is refused, wherever it ends",
    arguments: [
      "color.jpg", "progressive.jpg", "cmyk.jpg", "scans.jpg", "restarts.jpg", "arithmetic.jpg", "palette.png", "lossless.webp",
      "extended.webp",
    ])
  func truncation(name: String) throws {
    let bytes = try fixture(name)
    // The last marker of a JPEG and the last chunk of a PNG hold nothing of the picture.
    for count in stride(from: 0, to: bytes.count - 24, by: 7) {
      #expect(throws: TrainerError.self) { try Image(decoding: Array(bytes[..<count])) }
    }
    let whole = try Image(decoding: bytes)
    for count in bytes.count - 24..<bytes.count {
      if let image = try? Image(decoding: Array(bytes[..<count])) { #expect(image == whole, "the first \(count) bytes") }
    }
  }

  @Test(
    "All pixels of a JPEG file are used, whatever comes after them and whether or not their end is marked",
    arguments: ["color.jpg", "progressive.jpg", "cmyk.jpg", "grey.jpg", "scans.jpg", "restarts.jpg", "picture.jpg"])
  func missingEnd(name: String) throws {
    let bytes = try fixture(name)
    let whole = try Image(decoding: bytes)
    let pixels = Array(bytes.dropLast(2))
    try #require(Array(bytes.suffix(2)) == [0xFF, 0xD9])
    var numbers = RandomNumbers(seed: 8, purpose: .synthetic)
    let noise = (0..<900).map { _ in UInt8(numbers.next(below: 256)) }
    // Another image, as in photographs with a moving picture; zeros, as file systems leave them; text; anything.
    let trailers: [[UInt8]] = [
      [], Array(try fixture("color.jpg")), Array(repeating: 0, count: 700), Array("end of file\n".utf8), noise,
    ]
    for trailer in trailers {
      #expect(try Image(decoding: bytes + trailer) == whole)
      #expect(try Image(decoding: pixels + trailer) == whole)
      let file = try ImageFile(pixels + trailer)
      #expect(try file.decoded(eighths: 3) == ImageFile(bytes).decoded(eighths: 3))
    }
  }

  @Test("A WebP file that ends after its pixels, and an animation that ends after its first frame, are read")
  func missingChunks() throws {
    let upright = try Image(decoding: try fixture("upright.png"))
    let still = try fixture("exif.webp")
    let metadata = try #require(still.indices.dropLast(4).first { still[$0..<$0 + 4].elementsEqual("EXIF".utf8) })
    for count in metadata..<still.count { #expect(try Image(decoding: Array(still[..<count])) == upright) }
    let animation = try fixture("animated-part.webp")
    let frames = animation.indices.dropLast(4).filter { animation[$0..<$0 + 4].elementsEqual("ANMF".utf8) }
    try #require(frames.count == 2)
    let first = try Image(decoding: animation)
    for count in frames[1]..<animation.count { #expect(try Image(decoding: Array(animation[..<count])) == first) }
    for count in 12..<frames[1] - 1 { #expect(throws: TrainerError.self) { try Image(decoding: Array(animation[..<count])) } }
  }

  @Test("Inks are read alike with and without a profile and with any number of other segments")
  func profiles() throws {
    for name in ["cmyk.jpg", "cmyk-unmarked.jpg", "ycck.jpg", "ycck-unmarked.jpg", "color.jpg"] {
      let bytes = try fixture(name)
      let profile = Array("ICC_PROFILE".utf8) + [0, 1, 1] + [UInt8](repeating: 0x55, count: 300)
      let segment = [0xFF, 0xE2, UInt8((profile.count + 2) >> 8), UInt8((profile.count + 2) & 255)] + profile
      let changed = bytes[..<2] + segment + segment + bytes[2...]
      #expect(try Image(decoding: Array(changed)) == Image(decoding: bytes), "\(name)")
    }
  }

  @Test(
    "Damaged bytes give an error or some picture, but never a crash",
    arguments: [
      "color.jpg", "progressive.jpg", "color.png", "palette.png", "lossy.webp", "lossless.webp", "extended.webp",
      "exif.jpg", "xmp.jpg", "exif.png", "exif-profile.png", "exif.webp", "animated-part.webp", "scans.jpg",
    ])
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
    for name in ["color.png", "color.jpg", "lossy.webp", "lossless.webp", "extended.webp"] {
      let bytes = try fixture(name)
      let error = #expect(throws: TrainerError.self) { try Image(decoding: bytes, maximumPixels: 700) }
      #expect(error?.message.contains("32 x 24 pixels are too many") == true)
    }
  }

  @Test(
    "What is not read is named",
    arguments: [
      ("GIF89a", "GIF"), ("BM....", "BMP"), ("II*\0....", "TIFF"), ("<html>", "neither"), ("", "empty"), ("\0\0\0\0", "zeros"),
    ])
  func unknownFormats(text: String, message: String) {
    let error = #expect(throws: TrainerError.self) { try Image(decoding: Array(text.utf8)) }
    #expect(error?.message.contains(message) == true)
  }

  @Test(
    "Decoding at a fraction of the size hardly differs from decoding whole and resizing as Pillow does",
    arguments: [
      ("picture-half.png", Resampling.Box(x: 24, y: 16, width: 400, height: 300), 3),
      ("picture-quarter.png", Resampling.Box(x: 0, y: 0, width: 448, height: 336), 2),
      ("picture-odd.png", Resampling.Box(x: 37, y: 21, width: 270, height: 297), 3),
    ])
  func fractions(name: String, box: Resampling.Box, eighths: Int) throws {
    let file = try ImageFile(try fixture("picture.jpg"))
    let reference = try Image(decoding: try fixture(name))
    let (width, height) = (reference.width, reference.height)
    #expect(file.sufficientEighths(for: box, width: width, height: height) == eighths)
    let reduced = try LoadedImage.file(file).resized(box, width: width, height: height)
    let whole = try LoadedImage.pixels(file.decoded()).resized(box, width: width, height: height)
    #expect(largestDifference(whole, reference) <= 3)
    #expect(meanDifference(reduced, reference) < 1.2)
    #expect(largestDifference(reduced, reference) < 32)
  }

  @Test("Only JPEG files are decoded at a fraction, and only where enough pixels are left")
  func sufficientFractions() throws {
    let box = Resampling.Box(x: 0, y: 0, width: 400, height: 300)
    let picture = try ImageFile(try fixture("picture.jpg"))
    for width in 1...400 {
      let height = max(1, width * 3 / 4)
      let eighths = picture.sufficientEighths(for: box, width: width, height: height)
      #expect((1...8).contains(eighths))
      #expect(eighths == 8 || (2 * 400 * eighths >= 3 * 8 * width && 2 * 300 * eighths >= 3 * 8 * height))
      #expect(eighths == 8 || width < 200)
    }
    let other = try ImageFile(try fixture("source.png"))
    #expect(other.sufficientEighths(for: Resampling.Box(x: 0, y: 0, width: 61, height: 47), width: 4, height: 4) == 8)
  }

  @Test(
    "An image decoded at a fraction has that fraction's size",
    arguments: ["picture.jpg", "progressive.jpg", "cmyk.jpg", "grey.jpg"])
  func fractionSizes(name: String) throws {
    let file = try ImageFile(try fixture(name))
    for eighths in 1...8 {
      let image = try file.decoded(eighths: eighths)
      #expect(image.width == (file.width * eighths + 7) / 8 && image.height == (file.height * eighths + 7) / 8)
    }
  }

  @Test("A region of a resized image is the same as resizing all of it")
  func windows() throws {
    let source = try Image(decoding: try fixture("source.png"))
    let region = Resampling.Region(Resampling.Box(x: 5, y: 3, width: 50, height: 40), scaledBy: 0.875)
    let all = Resampling.resize(source, region: region, width: 37, height: 23)
    let window = Resampling.Box(x: 7, y: 4, width: 20, height: 11)
    let cropped = Resampling.resize(source, region: region, width: 37, height: 23, window: window)
    for y in 0..<window.height {
      let start = ((window.y + y) * all.width + window.x) * 3
      #expect(
        Array(all.pixels[start..<start + window.width * 3])
          == Array(cropped.pixels[y * window.width * 3..<(y + 1) * window.width * 3])
      )
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
      ("resized-whole-24x20.png", Resampling.Box(x: 0, y: 0, width: 61, height: 47), Resampling.Filter.bicubic),
      ("resized-box-16x16.png", Resampling.Box(x: 7, y: 5, width: 45, height: 39), .bicubic),
      ("resized-enlarged-96x80.png", Resampling.Box(x: 11, y: 9, width: 29, height: 21), .bicubic),
      ("bilinear-box-16x16.png", Resampling.Box(x: 7, y: 5, width: 45, height: 39), .bilinear),
      ("bilinear-enlarged-96x80.png", Resampling.Box(x: 11, y: 9, width: 29, height: 21), .bilinear),
    ])
  func resizing(name: String, box: Resampling.Box, filter: Resampling.Filter) throws {
    let source = try Image(decoding: try fixture("source.png"))
    let reference = try Image(decoding: try fixture(name))
    let result = Resampling.resize(source, box: box, width: reference.width, height: reference.height, filter: filter)
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

/// The mean difference of two images' bytes.
func meanDifference(_ a: Image, _ b: Image) -> Double {
  guard a.pixels.count == b.pixels.count else { return .infinity }
  return Double(zip(a.pixels, b.pixels).reduce(0) { $0 + abs(Int($1.0) - Int($1.1)) }) / Double(a.pixels.count)
}

/// The largest difference of two images' bytes.
func largestDifference(_ a: Image, _ b: Image) -> Int {
  guard a.pixels.count == b.pixels.count else { return Int.max }
  return zip(a.pixels, b.pixels).reduce(0) { max($0, abs(Int($1.0) - Int($1.1))) }
}
