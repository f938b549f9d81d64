/// Where training images come from; safe to ask from several threads at once.
package protocol ImageSource: Sendable {
  /// How many images there are.
  var count: Int { get }
  /// The image of number `index`; an error where its file is damaged.
  func image(at index: Int) throws(TrainerError) -> Image
  /// What an error or a warning calls the image of number `index`.
  func name(at index: Int) -> String
}
