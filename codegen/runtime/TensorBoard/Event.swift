/// What TensorBoard is told at once: an `Event` of its event.proto.
struct Event {
  /// What the event says.
  enum Content {
    /// The first event of every file: the version of the format.
    case fileVersion(String)
    /// A run begins, or goes on: what was told of this step and later ones before is void.
    case start
    case summary([Summary])
  }

  /// A value under a tag: a `Summary.Value` of summary.proto.
  enum Summary {
    case scalar(tag: String, Float)
    case image(tag: String, width: Int, height: Int, png: [UInt8])
  }

  /// Seconds since 1970.
  var time: Double
  var step: Int
  var content: Content

  /// The event as a message.
  var message: ProtocolMessage {
    var message = ProtocolMessage()
    message.add(1, time)
    message.add(2, step)
    switch content {
    case .fileVersion(let version): message.add(3, version)
    case .summary(let values):
      var summary = ProtocolMessage()
      for value in values { summary.add(1, value.message) }
      message.add(5, summary)
    case .start:
      var log = ProtocolMessage()
      // SessionLog.START.
      log.add(1, 1)
      message.add(7, log)
    }
    return message
  }
}

extension Event.Summary {
  fileprivate var message: ProtocolMessage {
    var message = ProtocolMessage()
    switch self {
    case .scalar(let tag, let value):
      message.add(1, tag)
      message.add(2, value)
    case .image(let tag, let width, let height, let png):
      var image = ProtocolMessage()
      image.add(1, height)
      image.add(2, width)
      // Red, green and blue.
      image.add(3, 3)
      image.add(4, png)
      message.add(1, tag)
      message.add(4, image)
    }
    return message
  }
}
