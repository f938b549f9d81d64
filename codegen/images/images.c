// Tells the formats apart.
#include "images.h"
#include "reading.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void wamim_image_explain(char message[WAMIM_IMAGE_MESSAGE_BYTES], const char *text) {
  snprintf(message, WAMIM_IMAGE_MESSAGE_BYTES, "%s", text);
}

int32_t wamim_image_read(
    const uint8_t *bytes, size_t count, uint64_t maximum_pixels, wamim_image *image, char message[WAMIM_IMAGE_MESSAGE_BYTES]) {
  static const uint8_t png[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
  static const uint8_t jpeg[3] = {0xFF, 0xD8, 0xFF};
  memset(image, 0, sizeof *image);
  if (count >= sizeof png && memcmp(bytes, png, sizeof png) == 0) {
    return wamim_read_png(bytes, count, maximum_pixels, image, message);
  }
  if (count >= sizeof jpeg && memcmp(bytes, jpeg, sizeof jpeg) == 0) {
    return wamim_read_jpeg(bytes, count, maximum_pixels, image, message);
  }
  wamim_image_explain(message, count == 0 ? "the file is empty" : "neither a JPEG nor a PNG file");
  return WAMIM_IMAGE_UNKNOWN_FORMAT;
}

void wamim_image_release(wamim_image *image) {
  free(image->pixels);
  image->pixels = NULL;
}

void wamim_image_release_bytes(uint8_t *bytes) { free(bytes); }
