/// The distribution that a parameter's first values are drawn from.
public enum Initializer: Codable, Sendable, Hashable {
  case constant(Float)
  case normal(standardDeviation: Float)
  /// Uniform in ±sqrt(6 / (fanIn + fanOut)).
  case xavierUniform(fanIn: Int, fanOut: Int)
  /// MAE's sine–cosine table of positions on a square grid of this side, led by a zero row where there is a class token.
  case positions(grid: Int, classToken: Bool)
}
