/// Reads arbitrary bytes as an image, whole and at a fraction of its size.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzImages(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int32 {
  guard let file = try? ImageFile(Array(UnsafeBufferPointer(start: bytes, count: count)), maximumPixels: 1 << 20) else { return 0 }
  let box = Resampling.Box(x: 0, y: 0, width: file.width, height: file.height)
  for (width, height) in [(file.width, file.height), (max(1, file.width / 5), max(1, file.height / 5))] {
    let eighths = file.sufficientEighths(for: box, width: width, height: height)
    guard let image = try? file.decoded(eighths: eighths) else { continue }
    let region = file.region(of: box, eighths: eighths)
    let result = Resampling.resize(image, region: region, width: min(width, 32), height: min(height, 32))
    precondition(result.pixels.count == result.width * result.height * image.channels)
  }
  return 0
}
