/// A file of events that TensorBoard follows while it grows: records of the TFRecord format.
package final class EventFile {
  private let file: OpenFile

  private static let prefix = "events.out.tfevents."

  /// Whether a file of this name is one of events.
  static func isEventFile(_ name: String) -> Bool { name.hasPrefix(prefix) }

  /// Makes a file in `folder` that comes after those that are there.
  ///
  /// - Parameters:
  ///   - step: Steps done; what older files tell of later ones is void.
  ///   - final: The folder that the file will be in, where that is another one.
  package init(in folder: String, movingTo final: String? = nil, step: Int) throws(TrainerError) {
    let older = FileSystem.names(in: final ?? folder).filter(Self.isEventFile)
    // TensorBoard reads the files of a folder in the order of their names, which hold the second in which each began.
    let last = older.compactMap { Int($0.dropFirst(Self.prefix.count).prefix { $0 != "." }) }.filter { $0 < Int.max }.max()
    let second = max(Int(Clock.secondsSince1970), (last ?? 0) + 1)
    file = try OpenFile(appendingTo: "\(folder)/\(Self.prefix)\(second).\(Machine.hostName)")
    try append(Event(time: Clock.secondsSince1970, step: 0, content: .fileVersion("brain.Event:2")))
    try append(Event(time: Clock.secondsSince1970, step: step + 1, content: .start))
  }

  /// Tells numbers of a step.
  package func append(_ scalars: [(tag: String, value: Double)], step: Int) throws(TrainerError) {
    let values = scalars.map { Event.Summary.scalar(tag: $0.tag, Float($0.value)) }
    try append(Event(time: Clock.secondsSince1970, step: step, content: .summary(values)))
  }

  /// Shows a picture.
  package func append(_ image: Image, tag: String, step: Int) throws(TrainerError) {
    let value = Event.Summary.image(tag: tag, width: image.width, height: image.height, png: try image.encodedAsPNG())
    try append(Event(time: Clock.secondsSince1970, step: step, content: .summary([value])))
  }

  private func append(_ event: Event) throws(TrainerError) {
    try file.write(Self.record(event.message.bytes))
  }

  /// A record: a length, the data, and a checksum of each.
  static func record(_ data: [UInt8]) -> [UInt8] {
    func bytes(_ value: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: value.littleEndian) { Array($0) } }
    let length = bytes(UInt64(data.count))
    return length + bytes(CyclicChecksum.masked(length)) + data + bytes(CyclicChecksum.masked(data))
  }
}
