import CImages

/// Pixels of 8 bits a channel, row by row, grey (1 channel) or red, green and blue (3 channels).
package struct Image: Sendable, Equatable {
  package var width: Int
  package var height: Int
  package var channels: Int
  package var pixels: [UInt8]

  package init(width: Int, height: Int, channels: Int, pixels: [UInt8]) {
    self.width = width
    self.height = height
    self.channels = channels
    self.pixels = pixels
  }

  /// An image of one value everywhere.
  package init(width: Int, height: Int, channels: Int, filledWith value: UInt8 = 0) {
    self.init(
      width: width, height: height, channels: channels, pixels: [UInt8](repeating: value, count: width * height * channels))
  }

  /// A copy of the pixels of `view`.
  init(_ view: PixelView) {
    self.init(width: view.width, height: view.height, channels: view.channels, pixels: Array(view.pixels))
  }

  /// Reads the bytes of a JPEG, PNG or WebP file, and turns the image as its metadata ask for.
  package init(decoding bytes: [UInt8], maximumPixels: Int = ImageFile.maximumPixels) throws(TrainerError) {
    self = try ImageFile(bytes, maximumPixels: maximumPixels).decoded()
  }

  /// The image as the bytes of a PNG file.
  package func encodedAsPNG() throws(TrainerError) -> [UInt8] {
    var bytes: UnsafeMutablePointer<UInt8>?
    var count = 0
    var message = [CChar](repeating: 0, count: Int(WAMIM_IMAGE_MESSAGE_BYTES))
    let status = pixels.withUnsafeBufferPointer { pixels in
      message.withUnsafeMutableBufferPointer { message in
        wamim_image_write_png(
          pixels.baseAddress, Int32(width), Int32(height), Int32(channels), &bytes, &count, message.baseAddress)
      }
    }
    guard status == Int32(WAMIM_IMAGE_OK) else { throw TrainerError("cannot make a PNG: \(ImageFile.text(message))") }
    defer { wamim_image_release_bytes(bytes) }
    return Array(UnsafeBufferPointer(start: bytes, count: count))
  }

  /// The image in `count` channels: grey repeated, or colours weighed as by ITU-R 601.
  package func converted(toChannels count: Int) -> Image {
    if count == channels { return self }
    var result = Image(width: width, height: height, channels: count)
    for position in 0..<width * height {
      if count == 1 {
        let red = 19595 * UInt32(pixels[3 * position])
        let green = 38470 * UInt32(pixels[3 * position + 1])
        let blue = 7471 * UInt32(pixels[3 * position + 2])
        result.pixels[position] = UInt8((red + green + blue + 0x8000) >> 16)
      } else {
        for channel in 0..<count { result.pixels[count * position + channel] = pixels[position] }
      }
    }
    return result
  }
}
