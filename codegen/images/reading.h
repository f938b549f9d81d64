// What the readers share.
#ifndef WAMIM_IMAGES_READING_H
#define WAMIM_IMAGES_READING_H

#include "images.h"

/// Memory that a codec may use beside the pixels: coefficients of progressive files.
enum { WAMIM_CODEC_BYTES = 1 << 30 };

void wamim_image_explain(char message[WAMIM_IMAGE_MESSAGE_BYTES], const char *text);

/// The functions of one format; `measure` leaves the limit on pixels to its caller.
typedef struct {
  int32_t (*measure)(const uint8_t *bytes, size_t count, wamim_image_shape *shape, char *message);
  int32_t (*decode)(
      const uint8_t *bytes, size_t count, const wamim_image_shape *shape, int32_t eighths, uint8_t *pixels, char *message);
} wamim_image_reader;

extern const wamim_image_reader wamim_jpeg_reader, wamim_png_reader, wamim_webp_reader;

#endif
