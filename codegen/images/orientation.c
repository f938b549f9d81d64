// By which of eight turns an image is to be shown, and turning it.
#include "images.h"
#include "reading.h"

#include <stdbool.h>
#include <string.h>

// Numbers of a TIFF structure, which begins with its byte order.
typedef struct {
  const uint8_t *bytes;
  size_t count;
  bool is_big_endian;
} tiff;

static uint32_t number(const tiff *from, size_t offset, size_t size) {
  uint32_t value = 0;
  for (size_t i = 0; i < size; i++) value = value << 8 | from->bytes[offset + (from->is_big_endian ? i : size - 1 - i)];
  return value;
}

// The bytes of a value of each of a directory's types; 0 where there is no such type.
static const uint8_t type_bytes[] = {0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8};

// Reads the first value of a directory's entry at `entry` into `value`, 0 where it is no whole number; false for an entry that is
// malformed: of an unknown type, without values, or with values beyond the end.
static bool read_first_value(const tiff *from, size_t entry, uint32_t *value) {
  uint32_t type = number(from, entry + 2, 2);
  size_t size = type < sizeof type_bytes ? type_bytes[type] : 0;
  uint64_t total = (uint64_t)size * number(from, entry + 4, 4);
  if (total == 0) return false;
  uint64_t offset = total <= 4 ? entry + 8 : number(from, entry + 8, 4);
  if (offset + total > from->count) return false;
  enum { SHORT = 3, LONG = 4, SIGNED_BYTE = 6, SIGNED_SHORT = 8, SIGNED_LONG = 9, DIRECTORY = 13 };
  bool is_whole =
      type == SHORT || type == LONG || type == SIGNED_BYTE || type == SIGNED_SHORT || type == SIGNED_LONG || type == DIRECTORY;
  *value = is_whole ? number(from, (size_t)offset, size) : 0;
  return true;
}

// The orientation that Exif data name in their first directory, in the first entry that is sound; -1 where they don't.
static int64_t exif_orientation(const uint8_t *bytes, size_t count) {
  static const char prefix[6] = "Exif\0";
  for (int i = 0; i < 2 && count >= sizeof prefix && memcmp(bytes, prefix, sizeof prefix) == 0; i++) {
    bytes += sizeof prefix;
    count -= sizeof prefix;
  }
  if (count < 8) return -1;
  tiff from = {bytes, count, bytes[0] == 'M'};
  if (!(bytes[0] == bytes[1] && (bytes[0] == 'M' || bytes[0] == 'I')) || number(&from, 2, 2) != 42) return -1;
  size_t offset = number(&from, 4, 4);
  if (offset > count || count - offset < 2) return -1;
  size_t entries = number(&from, offset, 2);
  offset += 2;
  enum { ENTRY_BYTES = 12, ORIENTATION = 0x0112 };
  for (; entries > 0 && count - offset >= ENTRY_BYTES; entries--, offset += ENTRY_BYTES) {
    uint32_t value;
    if (number(&from, offset, 2) == ORIENTATION && read_first_value(&from, offset, &value)) return value;
  }
  return -1;
}

// The orientation that XMP, a text, names; -1 where it doesn't.
static int64_t xmp_orientation(const uint8_t *text, size_t count) {
  static const char key[] = "tiff:Orientation";
  size_t length = sizeof key - 1;
  for (size_t i = 0; i + length + 2 < count; i++) {
    if (text[i] != 't' || memcmp(text + i, key, length) != 0) continue;
    const uint8_t *value = text + i + length;
    if (value[0] == '>') {
      value += 1;
    } else if (value[0] == '=' && value[1] == '"') {
      value += 2;
    } else {
      continue;
    }
    if (*value >= '0' && *value <= '9') return *value - '0';
  }
  return -1;
}

int32_t wamim_image_orientation(const wamim_image_metadata *metadata) {
  int64_t orientation = metadata->exif ? exif_orientation(metadata->exif, metadata->exif_count) : -1;
  if (orientation < 0 && metadata->xmp) orientation = xmp_orientation(metadata->xmp, metadata->xmp_count);
  return orientation >= 1 && orientation <= 8 ? (int32_t)orientation : WAMIM_UPRIGHT;
}

void wamim_image_turn(
    const uint8_t *pixels, int32_t width, int32_t height, int32_t channels, int32_t orientation, uint8_t *turned) {
  // Where the first pixel goes, and how far apart those of neighbours in a row and in a column lie.
  bool is_transposed = wamim_image_is_transposed(orientation);
  bool is_mirrored = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  bool is_upside_down = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  ptrdiff_t row_bytes = (ptrdiff_t)channels * (is_transposed ? height : width);
  ptrdiff_t across = is_transposed ? row_bytes : channels, down = is_transposed ? channels : row_bytes;
  uint8_t *first = turned;
  if (is_mirrored) {
    first += (width - 1) * across;
    across = -across;
  }
  if (is_upside_down) {
    first += (height - 1) * down;
    down = -down;
  }
  // In squares that fit into the nearest cache both ways.
  enum { BLOCK = 64 };
  for (int32_t top = 0; top < height; top += BLOCK) {
    int32_t bottom = top + BLOCK < height ? top + BLOCK : height;
    for (int32_t left = 0; left < width; left += BLOCK) {
      int32_t right = left + BLOCK < width ? left + BLOCK : width;
      for (int32_t y = top; y < bottom; y++) {
        const uint8_t *from = pixels + ((size_t)y * width + left) * channels;
        uint8_t *to = first + y * down + left * across;
        for (int32_t x = left; x < right; x++, to += across, from += channels) {
          for (int32_t c = 0; c < channels; c++) to[c] = from[c];
        }
      }
    }
  }
}
