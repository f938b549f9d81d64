// Image files to pixels and back, over libjpeg-turbo and libpng, whose errors end here.
#ifndef WAMIM_IMAGES_H
#define WAMIM_IMAGES_H

#include <stddef.h>
#include <stdint.h>

/// How reading or writing an image ended.
enum {
  WAMIM_IMAGE_OK = 0,
  /// The bytes are those of neither a JPEG nor a PNG file.
  WAMIM_IMAGE_UNKNOWN_FORMAT = 1,
  /// The bytes are damaged, cut off, or use what isn't supported.
  WAMIM_IMAGE_DAMAGED = 2,
  /// The image has more pixels than allowed.
  WAMIM_IMAGE_TOO_LARGE = 3,
  WAMIM_IMAGE_OUT_OF_MEMORY = 4,
};

enum { WAMIM_IMAGE_MESSAGE_BYTES = 200 };

/// Pixels in row-major order, `channels` bytes each, without padding.
typedef struct {
  uint8_t *pixels;
  int32_t width;
  int32_t height;
  /// 1 (grey) or 3 (red, green, blue).
  int32_t channels;
} wamim_image;

/// Reads a JPEG or PNG file, which one by its first bytes, into grey or colour pixels as the file holds them.
///
/// Palettes are expanded, alpha is dropped, 16 bits become 8, CMYK becomes RGB. On success the caller gives the pixels back to
/// `wamim_image_release`; otherwise `message` says what is wrong, and there is nothing to release.
int32_t wamim_image_read(
    const uint8_t *bytes, size_t count, uint64_t maximum_pixels, wamim_image *image, char message[WAMIM_IMAGE_MESSAGE_BYTES]);

/// Frees the pixels of an image that `wamim_image_read` returned.
void wamim_image_release(wamim_image *image);

/// Writes pixels as the bytes of a PNG file, which the caller frees with `wamim_image_release_bytes`.
int32_t wamim_image_write_png(
    const uint8_t *pixels, int32_t width, int32_t height, int32_t channels, uint8_t **bytes, size_t *count,
    char message[WAMIM_IMAGE_MESSAGE_BYTES]);

/// Frees bytes that `wamim_image_write_png` returned.
void wamim_image_release_bytes(uint8_t *bytes);

#endif
