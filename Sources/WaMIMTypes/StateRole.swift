/// What a tensor is for that one step leaves for the next.
public enum StateRole: Hashable, Sendable, Codable {
  /// The model learns it.
  case parameter
  /// The optimiser's running mean of the powers `order` of the gradients for the parameter `of`.
  case moment(order: Int, of: String)
  /// The running mean over steps of the parameter `of`.
  case average(of: String)
  /// The parameter `of`, rounded to bf16, as matmuls read it.
  case rounded(of: String)
  /// The model keeps it for itself, such as a running mean.
  case buffer

  /// Whether it is a running mean of a parameter, which only some runs keep.
  public var isAverage: Bool { if case .average = self { true } else { false } }

  /// Whether it is a copy of a parameter, which follows from that and is in no file.
  public var isRounded: Bool { if case .rounded = self { true } else { false } }

  /// The type of its elements.
  public var element: ElementType { isRounded ? .bfloat16 : .float32 }
}
