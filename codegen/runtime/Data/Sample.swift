/// An image on its way to the model: its bytes, and what is to be done once they are numbers.
package struct Sample: Sendable {
  package var image: Image
  package var label: Label?
  package var erasure: Erasure?

  package init(_ image: Image, label: Label? = nil, erasure: Erasure? = nil) {
    (self.image, self.label, self.erasure) = (image, label, erasure)
  }

  /// What there is to know beside the bytes.
  package struct Note: Sendable {
    package var label: Label?
    package var erasure: Erasure?

    package init(label: Label? = nil, erasure: Erasure? = nil) {
      (self.label, self.erasure) = (label, erasure)
    }
  }

  package var note: Note { Note(label: label, erasure: erasure) }
}

/// What is done to all samples of a batch alike, once their bytes are numbers.
package struct BatchFinish: Sendable {
  /// How samples are mixed, where they are.
  package var mixture: Mixture?
  /// The slot that holds the samples' partners, from its last one on.
  package var partnerSlot: Int
  /// What targets are multiplied by beside their own weights.
  package var targetScale: Float

  package init(mixture: Mixture? = nil, partnerSlot: Int = 0, targetScale: Float = 1) {
    (self.mixture, self.partnerSlot, self.targetScale) = (mixture, partnerSlot, targetScale)
  }
}
