// Tells the formats apart.
#include "images.h"
#include "reading.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void wamim_image_explain(char message[WAMIM_IMAGE_MESSAGE_BYTES], const char *text) {
  snprintf(message, WAMIM_IMAGE_MESSAGE_BYTES, "%s", text);
}

int32_t wamim_image_format(const uint8_t *bytes, size_t count) {
  static const uint8_t png[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
  static const uint8_t jpeg[3] = {0xFF, 0xD8, 0xFF};
  if (count >= sizeof jpeg && memcmp(bytes, jpeg, sizeof jpeg) == 0) return WAMIM_FORMAT_JPEG;
  if (count >= sizeof png && memcmp(bytes, png, sizeof png) == 0) return WAMIM_FORMAT_PNG;
  if (count >= 12 && memcmp(bytes, "RIFF", 4) == 0 && memcmp(bytes + 8, "WEBP", 4) == 0) return WAMIM_FORMAT_WEBP;
  return WAMIM_FORMAT_UNKNOWN;
}

static const wamim_image_reader *reader(int32_t format) {
  switch (format) {
    case WAMIM_FORMAT_JPEG: return &wamim_jpeg_reader;
    case WAMIM_FORMAT_PNG: return &wamim_png_reader;
    case WAMIM_FORMAT_WEBP: return &wamim_webp_reader;
    default: return NULL;
  }
}

// Says what bytes are that no reader takes.
static const char *describe_unknown(const uint8_t *bytes, size_t count) {
  static const struct {
    const char *magic;
    size_t count;
    const char *message;
  } known[] = {
      {"GIF8", 4, "a GIF file; JPEG, PNG and WebP are read"},
      {"BM", 2, "a BMP file; JPEG, PNG and WebP are read"},
      {"II*\0", 4, "a TIFF file; JPEG, PNG and WebP are read"},
      {"MM\0*", 4, "a TIFF file; JPEG, PNG and WebP are read"},
  };
  if (count == 0) return "the file is empty";
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    if (count >= known[i].count && memcmp(bytes, known[i].magic, known[i].count) == 0) return known[i].message;
  }
  bool is_zero = true;
  for (size_t i = 0; i < count && is_zero; i++) is_zero = bytes[i] == 0;
  return is_zero ? "the file holds nothing but zeros" : "neither a JPEG nor a PNG nor a WebP file";
}

int32_t wamim_image_measure(
    const uint8_t *bytes, size_t count, uint64_t maximum_pixels, wamim_image_shape *shape,
    char message[WAMIM_IMAGE_MESSAGE_BYTES]) {
  memset(shape, 0, sizeof *shape);
  shape->orientation = WAMIM_UPRIGHT;
  int32_t format = wamim_image_format(bytes, count);
  const wamim_image_reader *with = reader(format);
  if (!with) {
    wamim_image_explain(message, describe_unknown(bytes, count));
    return WAMIM_IMAGE_UNKNOWN_FORMAT;
  }
  int32_t result = with->measure(bytes, count, shape, message);
  if (result != WAMIM_IMAGE_OK) return result;
  shape->format = format;
  if ((uint64_t)shape->width * (uint64_t)shape->height > maximum_pixels) {
    snprintf(message, WAMIM_IMAGE_MESSAGE_BYTES, "%d x %d pixels are too many", shape->width, shape->height);
    return WAMIM_IMAGE_TOO_LARGE;
  }
  return WAMIM_IMAGE_OK;
}

int32_t wamim_image_decode(
    const uint8_t *bytes, size_t count, const wamim_image_shape *shape, int32_t eighths, uint8_t *pixels,
    char message[WAMIM_IMAGE_MESSAGE_BYTES]) {
  const wamim_image_reader *with = reader(shape->format);
  if (!with || eighths < 1 || eighths > 8 || (eighths != 8 && shape->format != WAMIM_FORMAT_JPEG)) {
    wamim_image_explain(message, "no such way to decode the file");
    return WAMIM_IMAGE_UNKNOWN_FORMAT;
  }
  return with->decode(bytes, count, shape, eighths, pixels, message);
}

void wamim_image_release_bytes(uint8_t *bytes) { free(bytes); }
