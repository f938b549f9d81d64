// Image files to pixels and back, over libjpeg-turbo, libpng and libwebp, whose errors end here.
#ifndef WAMIM_IMAGES_H
#define WAMIM_IMAGES_H

#include <stddef.h>
#include <stdint.h>

/// How reading or writing an image ended.
enum {
  WAMIM_IMAGE_OK = 0,
  /// The bytes are those of no format that is read.
  WAMIM_IMAGE_UNKNOWN_FORMAT = 1,
  /// The bytes are damaged, cut off, or use what isn't supported.
  WAMIM_IMAGE_DAMAGED = 2,
  /// The image has more pixels than allowed.
  WAMIM_IMAGE_TOO_LARGE = 3,
  WAMIM_IMAGE_OUT_OF_MEMORY = 4,
};

/// What an image file is, by its first bytes.
enum {
  WAMIM_FORMAT_UNKNOWN = 0,
  WAMIM_FORMAT_JPEG = 1,
  WAMIM_FORMAT_PNG = 2,
  WAMIM_FORMAT_WEBP = 3,
};

enum {
  WAMIM_IMAGE_MESSAGE_BYTES = 200,
  /// As many of a file's first bytes tell its format.
  WAMIM_IMAGE_MAGIC_BYTES = 12,
};

/// What a file's header says.
typedef struct {
  /// One of `WAMIM_FORMAT_…`.
  int32_t format;
  int32_t width;
  int32_t height;
  /// 1 (grey) or 3 (red, green, blue).
  int32_t channels;
  /// How the image is to be shown, from 1 (`WAMIM_UPRIGHT`) to 8 as in TIFF files: what its first row and column are.
  int32_t orientation;
  /// Memory that decoding takes beside the pixels, about.
  int64_t codec_bytes;
} wamim_image_shape;

/// The orientation of an image that is shown as it is stored.
enum { WAMIM_UPRIGHT = 1 };

/// The format of a file that begins with `bytes`.
int32_t wamim_image_format(const uint8_t *bytes, size_t count);

/// Reads the header of a JPEG, PNG or WebP file and refuses images of more than `maximum_pixels`.
///
/// Nothing is allocated for pixels. Where the result isn't `WAMIM_IMAGE_OK`, `message` says what is wrong.
int32_t wamim_image_measure(
    const uint8_t *bytes, size_t count, uint64_t maximum_pixels, wamim_image_shape *shape,
    char message[WAMIM_IMAGE_MESSAGE_BYTES]);

/// The width or height, once reduced to `eighths` eighths, of an image that is `extent` wide or high.
static inline int32_t wamim_image_reduced(int32_t extent, int32_t eighths) {
  return (int32_t)(((int64_t)extent * eighths + 7) / 8);
}

/// Decodes a file that `wamim_image_measure` gave `shape` for, as grey or colour pixels in row-major order without padding.
///
/// Palettes are expanded, alpha is dropped, 16 bits become 8, CMYK becomes RGB; of an animation, the first frame is taken. Pixels are
/// as they are stored, whatever the orientation.
///
/// @param eighths 1 to 8; fewer than 8 decode a JPEG file at a fraction of its size, by leaving out high frequencies of each block.
/// @param pixels The reduced width, times the reduced height, times the channels, in bytes.
int32_t wamim_image_decode(
    const uint8_t *bytes, size_t count, const wamim_image_shape *shape, int32_t eighths, uint8_t *pixels,
    char message[WAMIM_IMAGE_MESSAGE_BYTES]);

/// Whether an image of `orientation` is shown with its rows as columns.
static inline int32_t wamim_image_is_transposed(int32_t orientation) { return orientation >= 5; }

/// Writes the pixels of an image of `orientation` to `turned` as they are to be shown, which takes as many bytes.
void wamim_image_turn(
    const uint8_t *pixels, int32_t width, int32_t height, int32_t channels, int32_t orientation, uint8_t *turned);

/// Writes pixels as the bytes of a PNG file, which the caller frees with `wamim_image_release_bytes`.
int32_t wamim_image_write_png(
    const uint8_t *pixels, int32_t width, int32_t height, int32_t channels, uint8_t **bytes, size_t *count,
    char message[WAMIM_IMAGE_MESSAGE_BYTES]);

/// Frees bytes that `wamim_image_write_png` returned.
void wamim_image_release_bytes(uint8_t *bytes);

#endif
