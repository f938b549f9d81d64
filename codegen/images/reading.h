// What the readers share.
#ifndef WAMIM_IMAGES_READING_H
#define WAMIM_IMAGES_READING_H

#include "images.h"

/// Memory that a codec may use beside the pixels: coefficients of progressive files.
enum { WAMIM_CODEC_BYTES = 1 << 30 };

/// What a file says of itself beside its pixels; null where it does not.
typedef struct {
  /// Exif data, with or without their prefix.
  const uint8_t *exif;
  size_t exif_count;
  /// XMP, a text.
  const uint8_t *xmp;
  size_t xmp_count;
} wamim_image_metadata;

/// The orientation that `metadata` name, Exif before XMP, from 1 to 8 as in TIFF files; `WAMIM_UPRIGHT` where they name none.
int32_t wamim_image_orientation(const wamim_image_metadata *metadata);

void wamim_image_explain(char message[WAMIM_IMAGE_MESSAGE_BYTES], const char *text);

/// The functions of one format; `measure` leaves the limit on pixels to its caller.
typedef struct {
  int32_t (*measure)(const uint8_t *bytes, size_t count, wamim_image_shape *shape, char *message);
  int32_t (*decode)(
      const uint8_t *bytes, size_t count, const wamim_image_shape *shape, int32_t eighths, uint8_t *pixels, char *message);
} wamim_image_reader;

extern const wamim_image_reader wamim_jpeg_reader, wamim_png_reader, wamim_webp_reader;

#endif
