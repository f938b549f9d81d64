import WaMIMGraph

/// One orthonormal Haar level of images [b, c, h, w]: [b, c, 4, h/2, w/2], subbands in the order LL, LH, HL, HH.
func haarAnalysis(_ images: DenseTensor) -> [Double] {
  let (height, width) = (images.shape[2], images.shape[3])
  let (rows, columns) = (height / 2, width / 2)
  var result = zeros(images.shape)
  for plane in 0..<images.shape[0] * images.shape[1] {
    for row in 0..<rows {
      for column in 0..<columns {
        let corner = plane * height * width + 2 * row * width + 2 * column
        let (a, b) = (images.elements[corner], images.elements[corner + 1])
        let (c, d) = (images.elements[corner + width], images.elements[corner + width + 1])
        let bands = [a + b + c + d, a + b - c - d, a - b + c - d, a - b - c + d]
        for (band, sum) in bands.enumerated() {
          result[((plane * 4 + band) * rows + row) * columns + column] = sum / 2
        }
      }
    }
  }
  return result
}
