// Reads and writes PNG files with libpng.
#include "images.h"
#include "reading.h"

#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>
#include <zlib.h>

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

// One file that is being read. libpng reaches this through pointers, so it lies in memory and survives a longjmp.
typedef struct {
  source from;
  png_structp png;
  png_infop info;
  png_bytep *rows;
} decompression;

// Makes the structures of libpng; false where there is no memory for them.
static int prepare(decompression *file, const uint8_t *bytes, size_t count, char *message) {
  file->from = (source){bytes, count, 0, message};
  file->rows = NULL;
  file->info = NULL;
  file->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &file->from, fail_reading, ignore_warning);
  if (file->png) file->info = png_create_info_struct(file->png);
  if (!file->info) {
    png_destroy_read_struct(&file->png, NULL, NULL);
    wamim_image_explain(message, "not enough memory to read a PNG file");
  }
  return file->info != NULL;
}

// Reads the header; ends in `fail_reading` where there is none.
static void open_file(decompression *file) {
  png_set_read_fn(file->png, &file->from, read_bytes);
  // Texts, profiles and the like change no pixel, and a few bytes of them can unpack to gigabytes.
  png_set_keep_unknown_chunks(file->png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
  png_set_chunk_malloc_max(file->png, 8 << 20);
  png_set_user_limits(file->png, INT32_MAX, INT32_MAX);
  png_read_info(file->png, file->info);
}

static int32_t release(decompression *file, int32_t result) {
  png_destroy_read_struct(&file->png, &file->info, NULL);
  free(file->rows);
  return result;
}

// A chunk's content that begins with `keyword`: what follows it and its zero; null where it doesn't.
static const uint8_t *after_keyword(const uint8_t *chunk, size_t *count, const char *keyword) {
  size_t length = strlen(keyword) + 1;
  if (*count < length || memcmp(chunk, keyword, length) != 0) return NULL;
  *count -= length;
  return chunk + length;
}

// The bytes whose digits follow the third line break of `text`, as ImageMagick writes them; freed by the caller.
static uint8_t *bytes_of_profile(const uint8_t *text, size_t count, size_t *result_count) {
  uint8_t *result = malloc(count / 2 + 1);
  size_t digits = 0;
  unsigned value = 0;
  int lines = 0;
  for (size_t i = 0; i < count && result; i++) {
    uint8_t c = text[i];
    if (c == '\n') lines += 1;
    if (lines < 3) continue;
    unsigned digit = c >= '0' && c <= '9' ? (unsigned)(c - '0') : (c | 32) >= 'a' && (c | 32) <= 'f' ? (unsigned)((c | 32) - 'a' + 10) : 16;
    if (digit == 16) continue;
    value = value << 4 | digit;
    if (++digits % 2 == 0) result[digits / 2 - 1] = (uint8_t)value;
  }
  *result_count = digits / 2;
  return result;
}

static const char profile_keyword[] = "Raw profile type exif";

// The Exif data of a text chunk, compressed or not, in which older programs keep them; freed by the caller.
static uint8_t *text_profile(const uint8_t *text, size_t count, bool is_compressed, size_t *result_count) {
  text = after_keyword(text, &count, profile_keyword);
  if (!text) return NULL;
  if (!is_compressed) return bytes_of_profile(text, count, result_count);
  // More than any camera writes unpacks to less than this; the first byte names the only method there is.
  uLongf limit = 1 << 20;
  uint8_t *unpacked = count > 1 ? malloc(limit) : NULL;
  uint8_t *result = NULL;
  if (unpacked && uncompress(unpacked, &limit, text + 1, count - 1) == Z_OK) {
    result = bytes_of_profile(unpacked, limit, result_count);
  }
  free(unpacked);
  return result;
}

// The orientation that chunks name, before the pixels or after them.
static int32_t orientation(const uint8_t *bytes, size_t count) {
  wamim_image_metadata found = {0};
  uint8_t *profile = NULL;
  size_t profile_count = 0;
  enum { SIGNATURE_BYTES = 8, CHUNK_BYTES = 12 };
  size_t offset = SIGNATURE_BYTES;
  while (offset <= count && count - offset >= CHUNK_BYTES) {
    const uint8_t *type = bytes + offset + 4, *chunk = bytes + offset + 8;
    size_t size = (size_t)bytes[offset] << 24 | (size_t)bytes[offset + 1] << 16 | (size_t)bytes[offset + 2] << 8 | bytes[offset + 3];
    if (size > count - offset - CHUNK_BYTES || memcmp(type, "IEND", 4) == 0) break;
    if (memcmp(type, "eXIf", 4) == 0) {
      found.exif = chunk;
      found.exif_count = size;
    } else if (memcmp(type, "iTXt", 4) == 0) {
      size_t length = size;
      const uint8_t *text = after_keyword(chunk, &length, "XML:com.adobe.xmp");
      // Two bytes say whether it is compressed, which XMP should not be.
      if (text && length > 2 && text[0] == 0) {
        found.xmp = text + 2;
        found.xmp_count = length - 2;
      }
    } else if (!profile && (memcmp(type, "tEXt", 4) == 0 || memcmp(type, "zTXt", 4) == 0)) {
      profile = text_profile(chunk, size, type[0] == 'z', &profile_count);
    }
    offset += CHUNK_BYTES + size;
  }
  if (!found.exif && profile) {
    found.exif = profile;
    found.exif_count = profile_count;
  }
  int32_t result = wamim_image_orientation(&found);
  free(profile);
  return result;
}

static int32_t measure(const uint8_t *bytes, size_t count, wamim_image_shape *shape, char *message) {
  decompression file;
  if (!prepare(&file, bytes, count, message)) return WAMIM_IMAGE_OUT_OF_MEMORY;
  if (setjmp(png_jmpbuf(file.png))) return release(&file, WAMIM_IMAGE_DAMAGED);
  open_file(&file);
  shape->width = (int32_t)png_get_image_width(file.png, file.info);
  shape->height = (int32_t)png_get_image_height(file.png, file.info);
  shape->channels = png_get_color_type(file.png, file.info) & PNG_COLOR_MASK_COLOR ? 3 : 1;
  shape->orientation = orientation(bytes, count);
  return release(&file, WAMIM_IMAGE_OK);
}

static int32_t decode(
    const uint8_t *bytes, size_t count, const wamim_image_shape *shape, int32_t eighths, uint8_t *pixels, char *message) {
  (void)eighths;
  decompression file;
  if (!prepare(&file, bytes, count, message)) return WAMIM_IMAGE_OUT_OF_MEMORY;
  if (setjmp(png_jmpbuf(file.png))) return release(&file, WAMIM_IMAGE_DAMAGED);
  open_file(&file);
  png_set_expand(file.png);
  png_set_scale_16(file.png);
  png_set_strip_alpha(file.png);
  png_set_interlace_handling(file.png);
  png_read_update_info(file.png, file.info);

  png_uint_32 width = png_get_image_width(file.png, file.info), height = png_get_image_height(file.png, file.info);
  size_t stride = (size_t)width * (size_t)shape->channels;
  if (width != (png_uint_32)shape->width || height != (png_uint_32)shape->height ||
      png_get_rowbytes(file.png, file.info) != stride) {
    png_error(file.png, "pixels of an unknown layout");
  }
  file.rows = malloc(sizeof(png_bytep) * height);
  if (!file.rows) {
    wamim_image_explain(message, "not enough memory for the pixels");
    return release(&file, WAMIM_IMAGE_OUT_OF_MEMORY);
  }
  for (png_uint_32 y = 0; y < height; y++) file.rows[y] = pixels + stride * y;
  png_read_image(file.png, file.rows);
  return release(&file, WAMIM_IMAGE_OK);
}

const wamim_image_reader wamim_png_reader = {measure, decode};

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
