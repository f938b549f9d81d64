// Reads and writes PNG files with libpng.
#include "images.h"
#include "reading.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>

typedef struct {
  const uint8_t *bytes;
  size_t count;
  size_t position;
  char *message;
} source;

typedef struct {
  uint8_t *bytes;
  size_t count;
  size_t capacity;
  char *message;
} sink;

static void fail_reading(png_structp png, png_const_charp text) {
  source *from = png_get_error_ptr(png);
  wamim_image_explain(from->message, text);
  longjmp(png_jmpbuf(png), 1);
}

static void fail_writing(png_structp png, png_const_charp text) {
  sink *to = png_get_error_ptr(png);
  wamim_image_explain(to->message, text);
  longjmp(png_jmpbuf(png), 1);
}

static void ignore_warning(png_structp png, png_const_charp text) {
  (void)png;
  (void)text;
}

static void read_bytes(png_structp png, png_bytep target, png_size_t count) {
  source *from = png_get_io_ptr(png);
  if (count > from->count - from->position) png_error(png, "the file ends early");
  memcpy(target, from->bytes + from->position, count);
  from->position += count;
}

static void write_bytes(png_structp png, png_bytep bytes, png_size_t count) {
  sink *to = png_get_io_ptr(png);
  if (count > to->capacity - to->count) {
    size_t capacity = 2 * (to->count + count);
    uint8_t *grown = realloc(to->bytes, capacity);
    if (!grown) png_error(png, "not enough memory for the file");
    to->bytes = grown;
    to->capacity = capacity;
  }
  memcpy(to->bytes + to->count, bytes, count);
  to->count += count;
}

static void flush_bytes(png_structp png) { (void)png; }

int32_t wamim_read_png(
    const uint8_t *bytes, size_t count, uint64_t maximum_pixels, wamim_image *image, char message[WAMIM_IMAGE_MESSAGE_BYTES]) {
  source from = {bytes, count, 0, message};
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &from, fail_reading, ignore_warning);
  if (!png) {
    wamim_image_explain(message, "not enough memory to read a PNG file");
    return WAMIM_IMAGE_OUT_OF_MEMORY;
  }
  png_infop info = png_create_info_struct(png);
  if (!info) {
    wamim_image_explain(message, "not enough memory to read a PNG file");
    png_destroy_read_struct(&png, NULL, NULL);
    return WAMIM_IMAGE_OUT_OF_MEMORY;
  }
  uint8_t *volatile pixels = NULL;
  png_bytep *volatile rows = NULL;
  if (setjmp(png_jmpbuf(png))) {
    png_destroy_read_struct(&png, &info, NULL);
    free(pixels);
    free(rows);
    return WAMIM_IMAGE_DAMAGED;
  }
  png_set_read_fn(png, &from, read_bytes);
  png_set_chunk_malloc_max(png, 64 << 20);
  png_read_info(png, info);

  png_uint_32 width = png_get_image_width(png, info), height = png_get_image_height(png, info);
  if ((uint64_t)width * height > maximum_pixels) {
    snprintf(message, WAMIM_IMAGE_MESSAGE_BYTES, "%u x %u pixels are too many", (unsigned)width, (unsigned)height);
    png_destroy_read_struct(&png, &info, NULL);
    return WAMIM_IMAGE_TOO_LARGE;
  }
  int32_t channels = png_get_color_type(png, info) & PNG_COLOR_MASK_COLOR ? 3 : 1;
  png_set_expand(png);
  png_set_scale_16(png);
  png_set_strip_alpha(png);
  png_set_interlace_handling(png);
  png_read_update_info(png, info);
  size_t stride = (size_t)width * (size_t)channels;
  if (png_get_rowbytes(png, info) != stride) png_error(png, "pixels of an unknown layout");

  pixels = malloc(stride * height);
  rows = malloc(sizeof(png_bytep) * height);
  if (!pixels || !rows) {
    wamim_image_explain(message, "not enough memory for the pixels");
    png_destroy_read_struct(&png, &info, NULL);
    free(pixels);
    free(rows);
    return WAMIM_IMAGE_OUT_OF_MEMORY;
  }
  for (png_uint_32 y = 0; y < height; y++) rows[y] = pixels + stride * y;
  png_read_image(png, rows);
  png_destroy_read_struct(&png, &info, NULL);
  free(rows);
  image->pixels = pixels;
  image->width = (int32_t)width;
  image->height = (int32_t)height;
  image->channels = channels;
  return WAMIM_IMAGE_OK;
}

int32_t wamim_image_write_png(
    const uint8_t *pixels, int32_t width, int32_t height, int32_t channels, uint8_t **bytes, size_t *count,
    char message[WAMIM_IMAGE_MESSAGE_BYTES]) {
  // libpng reaches this through a pointer, so it lies in memory and survives a longjmp.
  sink to = {NULL, 0, 0, message};
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &to, fail_writing, ignore_warning);
  if (!png) {
    wamim_image_explain(message, "not enough memory to write a PNG file");
    return WAMIM_IMAGE_OUT_OF_MEMORY;
  }
  png_infop info = png_create_info_struct(png);
  if (!info) {
    wamim_image_explain(message, "not enough memory to write a PNG file");
    png_destroy_write_struct(&png, NULL);
    return WAMIM_IMAGE_OUT_OF_MEMORY;
  }
  if (setjmp(png_jmpbuf(png))) {
    png_destroy_write_struct(&png, &info);
    free(to.bytes);
    return WAMIM_IMAGE_DAMAGED;
  }
  png_set_write_fn(png, &to, write_bytes, flush_bytes);
  int color = channels == 3 ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_GRAY;
  png_set_IHDR(
      png, info, (png_uint_32)width, (png_uint_32)height, 8, color, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
      PNG_FILTER_TYPE_DEFAULT);
  png_write_info(png, info);
  for (int32_t y = 0; y < height; y++) png_write_row(png, pixels + (size_t)y * width * channels);
  png_write_end(png, NULL);
  png_destroy_write_struct(&png, &info);
  *bytes = to.bytes;
  *count = to.count;
  return WAMIM_IMAGE_OK;
}
