import CImages

/// The bytes of a JPEG, PNG or WebP file whose header has been read, decoded only as finely as is needed.
package struct ImageFile: Sendable {
  private let bytes: [UInt8]
  private let shape: wamim_image_shape

  /// Pixels a row, and rows.
  package var width: Int { Int(shape.width) }
  package var height: Int { Int(shape.height) }

  /// Images of more pixels are refused before there is memory for them, as a small file can claim to be of any size; Pillow's limit.
  package static let maximumPixels = 178_956_970

  /// Files of more bytes are refused.
  package static let maximumBytes = 256 << 20

  /// As many of a file's first bytes tell whether it is an image.
  static let magicByteCount = Int(WAMIM_IMAGE_MAGIC_BYTES)

  /// Whether `bytes`, the first of a file, are those of an image.
  static func isImage(_ bytes: [UInt8]) -> Bool {
    bytes.withUnsafeBufferPointer { wamim_image_format($0.baseAddress, $0.count) } != Int32(WAMIM_FORMAT_UNKNOWN)
  }

  /// Reads the header of a file, whatever its name says of its format.
  package init(_ bytes: [UInt8], maximumPixels: Int = maximumPixels) throws(TrainerError) {
    var shape = wamim_image_shape()
    try Self.check { message in
      bytes.withUnsafeBufferPointer {
        wamim_image_measure($0.baseAddress, $0.count, UInt64(maximumPixels), &shape, message)
      }
    }
    self.bytes = bytes
    self.shape = shape
  }

  /// The pixels, at `eighths` eighths of the file's width and height rounded up.
  ///
  /// - Parameter eighths: 1 to 8; only JPEG files can be decoded at fewer than 8.
  package func decoded(eighths: Int = 8) throws(TrainerError) -> Image {
    let width = Int(wamim_image_reduced(shape.width, Int32(eighths)))
    let height = Int(wamim_image_reduced(shape.height, Int32(eighths)))
    var image = Image(width: width, height: height, channels: Int(shape.channels))
    var shape = shape
    try Self.check { message in
      bytes.withUnsafeBufferPointer { bytes in
        image.pixels.withUnsafeMutableBufferPointer { pixels in
          wamim_image_decode(bytes.baseAddress, bytes.count, &shape, Int32(eighths), pixels.baseAddress, message)
        }
      }
    }
    return image
  }

  /// How many eighths suffice for `box` to become `width` times `height` pixels.
  ///
  /// Below 8 only for JPEG files of which both sides of the box still have one and a half times the pixels that are wanted: so the
  /// resizing that follows smooths what leaving out frequencies does to edges.
  package func sufficientEighths(for box: Resampling.Box, width: Int, height: Int) -> Int {
    guard shape.format == Int32(WAMIM_FORMAT_JPEG) else { return 8 }
    let eighths = max((12 * width + box.width - 1) / box.width, (12 * height + box.height - 1) / box.height)
    // libjpeg-turbo takes as long for six or seven eighths as for the whole.
    return eighths <= 5 ? eighths : 8
  }

  /// Runs a function of the C library, and throws its message where it fails.
  private static func check(_ body: (UnsafeMutablePointer<CChar>?) -> Int32) throws(TrainerError) {
    var message = [CChar](repeating: 0, count: Int(WAMIM_IMAGE_MESSAGE_BYTES))
    let status = message.withUnsafeMutableBufferPointer { body($0.baseAddress) }
    guard status == Int32(WAMIM_IMAGE_OK) else { throw TrainerError(text(message)) }
  }

  /// The text of a message of the C library.
  static func text(_ message: [CChar]) -> String {
    String(decoding: message.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}
