import CImages

/// The bytes of a JPEG, PNG or WebP file whose header has been read, decoded only as finely as is needed.
package struct ImageFile: Sendable {
  private let bytes: ImageMemory
  private let shape: wamim_image_shape
  /// The turn that pixels are given, as TIFF files name it.
  private let orientation: Int32

  private var isTransposed: Bool { wamim_image_is_transposed(orientation) != 0 }

  /// Pixels a row, and rows, of the image as it is shown.
  package var width: Int { Int(isTransposed ? shape.height : shape.width) }
  package var height: Int { Int(isTransposed ? shape.width : shape.height) }

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
  ///
  /// - Parameter isTurned: Whether the image is turned as its metadata ask for.
  init(_ bytes: ImageMemory, maximumPixels: Int = maximumPixels, isTurned: Bool = true) throws(TrainerError) {
    var shape = wamim_image_shape()
    try Self.check { wamim_image_measure(bytes.contents.baseAddress, bytes.contents.count, UInt64(maximumPixels), &shape, $0) }
    self.bytes = bytes
    self.shape = shape
    orientation = isTurned ? shape.orientation : Int32(WAMIM_UPRIGHT)
  }

  /// Reads the header of a file of which `bytes` are a copy.
  package init(_ bytes: [UInt8], maximumPixels: Int = maximumPixels, isTurned: Bool = true) throws(TrainerError) {
    try self.init(try ImageMemory(copying: bytes), maximumPixels: maximumPixels, isTurned: isTurned)
  }

  /// The pixels, at `eighths` eighths of the file's width and height rounded up.
  ///
  /// - Parameter eighths: 1 to 8; only JPEG files can be decoded at fewer than 8.
  package func decoded(eighths: Int = 8) throws(TrainerError) -> Image {
    try withPixels(eighths: eighths) { Image($0) }
  }

  /// Calls `body` with the pixels, which are there as long as it runs, at `eighths` eighths of the file's width and height rounded up.
  func withPixels<Result>(
    eighths: Int = 8, _ body: (PixelView) throws(TrainerError) -> Result
  ) throws(TrainerError) -> Result {
    let width = wamim_image_reduced(shape.width, Int32(eighths))
    let height = wamim_image_reduced(shape.height, Int32(eighths))
    let count = Int(width) * Int(height) * Int(shape.channels)
    let isUpright = orientation == Int32(WAMIM_UPRIGHT)
    let needed = (isUpright ? count : 2 * count) + Int(shape.codec_bytes)
    return try DecodingMemory.shared.withBytes(needed, for: "\(shape.width) x \(shape.height) pixels") {
      () throws(TrainerError) in
      var pixels = try ImageMemory(count)
      var shape = shape
      try Self.check {
        wamim_image_decode(
          bytes.contents.baseAddress, bytes.contents.count, &shape, Int32(eighths), pixels.contents.baseAddress, $0)
      }
      if !isUpright {
        let turned = try ImageMemory(count)
        wamim_image_turn(
          pixels.contents.baseAddress, width, height, shape.channels, orientation, turned.contents.baseAddress)
        pixels = turned
      }
      defer { withExtendedLifetime(pixels) {} }
      return try body(
        PixelView(
          width: Int(isTransposed ? height : width), height: Int(isTransposed ? width : height), channels: Int(shape.channels),
          pixels: UnsafeBufferPointer(pixels.contents)))
    }
  }

  /// The region of the image at `eighths` eighths of its size that `box` of the whole becomes.
  package func region(of box: Resampling.Box, eighths: Int) -> Resampling.Region {
    let scale = Double(eighths) / 8
    // Sizes are rounded up at the right and at the bottom as pixels are stored, which a turn can bring to the left or to the top.
    let isMirrored = [2, 3, 6, 7].contains(orientation)
    let isUpsideDown = [3, 4, 7, 8].contains(orientation)
    let excess = { (extent: Int) in Double(wamim_image_reduced(Int32(extent), Int32(eighths))) - Double(extent) * scale }
    return Resampling.Region(
      box, scaledBy: scale, left: isMirrored ? excess(width) : 0, top: isUpsideDown ? excess(height) : 0)
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
