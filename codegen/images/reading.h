// What the readers share.
#ifndef WAMIM_IMAGES_READING_H
#define WAMIM_IMAGES_READING_H

#include "images.h"

/// Memory that a codec may use beside the pixels: coefficients of progressive files, text chunks.
enum { WAMIM_CODEC_BYTES = 1 << 30 };

void wamim_image_explain(char message[WAMIM_IMAGE_MESSAGE_BYTES], const char *text);

int32_t wamim_read_jpeg(
    const uint8_t *bytes, size_t count, uint64_t maximum_pixels, wamim_image *image, char message[WAMIM_IMAGE_MESSAGE_BYTES]);

int32_t wamim_read_png(
    const uint8_t *bytes, size_t count, uint64_t maximum_pixels, wamim_image *image, char message[WAMIM_IMAGE_MESSAGE_BYTES]);

#endif
