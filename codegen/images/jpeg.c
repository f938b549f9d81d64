// Reads JPEG files with libjpeg-turbo.
#include "reading.h"

#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include <jerror.h>

/// A progressive file may ask for any number of passes over the image; no real one needs more.
enum { MAXIMUM_SCANS = 100 };

typedef struct {
  struct jpeg_error_mgr base;
  jmp_buf escape;
  int32_t result;
  char *message;
} error_manager;

// One file that is being read. What is allocated after `setjmp` lies here, where a `longjmp` leaves it alone.
typedef struct {
  struct jpeg_decompress_struct info;
  error_manager errors;
  /// Whether bytes were asked for after the last one.
  bool is_cut_off;
  /// A row of four inks.
  uint8_t *inks;
} decompression;

static void fail(j_common_ptr info) {
  error_manager *errors = (error_manager *)info->err;
  char text[JMSG_LENGTH_MAX];
  errors->base.format_message(info, text);
  wamim_image_explain(errors->message, text);
  errors->result = errors->base.msg_code == JERR_OUT_OF_MEMORY ? WAMIM_IMAGE_OUT_OF_MEMORY : WAMIM_IMAGE_DAMAGED;
  longjmp(errors->escape, 1);
}

static void note(j_common_ptr info, int level) {
  if (level >= 0) return;
  switch (info->err->msg_code) {
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_MUST_RESYNC:
      // Part of the picture was made up. Other warnings, such as of stray bytes between markers, are harmless.
      fail(info);
      break;
    case JWRN_JPEG_EOF:
      // Huffman codes that lack bits hit the marker that is made up here. Arithmetic ones take zeros without a word.
      if (((j_decompress_ptr)info)->arith_code) fail(info);
      ((decompression *)info->client_data)->is_cut_off = true;
      break;
    default: break;
  }
}

// Ends as a damaged file does.
static void refuse(decompression *file, const char *text) {
  wamim_image_explain(file->errors.message, text);
  file->errors.result = WAMIM_IMAGE_DAMAGED;
  longjmp(file->errors.escape, 1);
}

// Turns a row of CMYK into RGB. The inks are inverted, as Adobe's programs store them and all others read them, marker or not.
static void convert_cmyk(uint8_t *row, const uint8_t *cmyk, int32_t width) {
  for (int32_t x = 0; x < width; x++) {
    const uint8_t *in = cmyk + 4 * (size_t)x;
    for (int c = 0; c < 3; c++) row[3 * (size_t)x + c] = (uint8_t)(((unsigned)in[c] * in[3] + 127) / 255);
  }
}

// Makes the decompressor of a file, except for what can fail.
static void prepare(decompression *file, char *message) {
  memset(file, 0, sizeof *file);
  file->info.err = jpeg_std_error(&file->errors.base);
  file->errors.base.error_exit = fail;
  file->errors.base.emit_message = note;
  file->errors.message = message;
  file->errors.result = WAMIM_IMAGE_DAMAGED;
}

enum { METADATA_MARKER = JPEG_APP0 + 1 };

// Reads the header, and keeps metadata where they are wanted; ends in `fail` where there is no header.
static void open_file(decompression *file, const uint8_t *bytes, size_t count, bool keeps_metadata) {
  jpeg_create_decompress(&file->info);
  file->info.client_data = file;
  file->info.mem->max_memory_to_use = WAMIM_CODEC_BYTES;
  jpeg_mem_src(&file->info, bytes, count);
  if (keeps_metadata) jpeg_save_markers(&file->info, METADATA_MARKER, 0xFFFF);
  jpeg_read_header(&file->info, TRUE);
}

// The metadata that `open_file` kept.
static wamim_image_metadata metadata(const decompression *file) {
  static const char exif[6] = "Exif\0", xmp[] = "http://ns.adobe.com/xap/1.0/";
  wamim_image_metadata found = {0};
  for (jpeg_saved_marker_ptr marker = file->info.marker_list; marker; marker = marker->next) {
    if (marker->data_length >= sizeof exif && memcmp(marker->data, exif, sizeof exif) == 0) {
      if (!found.exif) found = (wamim_image_metadata){marker->data, marker->data_length, found.xmp, found.xmp_count};
    } else if (marker->data_length >= sizeof xmp && memcmp(marker->data, xmp, sizeof xmp) == 0) {
      found.xmp = marker->data + sizeof xmp;
      found.xmp_count = marker->data_length - sizeof xmp;
    }
  }
  return found;
}

// Whether the scans that were read are all that the picture needs.
static bool is_complete(const struct jpeg_decompress_struct *info) {
  for (int c = 0; c < info->num_components; c++) {
    if (!info->progressive_mode) {
      // A component's table is kept when its scan begins.
      if (!info->comp_info[c].quant_table) return false;
      continue;
    }
    for (int k = 0; k < DCTSIZE2; k++) {
      if (info->coef_bits[c][k] != 0) return false;
    }
  }
  return true;
}

// Reads scans until the picture is complete, so that it does not matter what follows, or else until the file ends.
static void read_scans(decompression *file) {
  struct jpeg_decompress_struct *info = &file->info;
  int result;
  do {
    result = jpeg_consume_input(info);
    if (info->input_scan_number > MAXIMUM_SCANS) refuse(file, "too many scans");
    if (result == JPEG_SCAN_COMPLETED && is_complete(info)) return;
  } while (result != JPEG_REACHED_EOI && result != JPEG_SUSPENDED);
  if (file->is_cut_off) refuse(file, "the file ends early");
}

static int32_t release(decompression *file, int32_t result) {
  jpeg_destroy_decompress(&file->info);
  free(file->inks);
  return result;
}

static int32_t measure(const uint8_t *bytes, size_t count, wamim_image_shape *shape, char *message) {
  decompression file;
  prepare(&file, message);
  if (setjmp(file.errors.escape)) return release(&file, file.errors.result);
  open_file(&file, bytes, count, true);
  // libjpeg takes no more than 65,500 rows or columns.
  shape->width = (int32_t)file.info.image_width;
  shape->height = (int32_t)file.info.image_height;
  shape->channels = file.info.jpeg_color_space == JCS_GRAYSCALE ? 1 : 3;
  if (jpeg_has_multiple_scans(&file.info)) {
    // Scans add to coefficients, which are kept until the last one.
    for (int c = 0; c < file.info.num_components; c++) {
      const jpeg_component_info *component = &file.info.comp_info[c];
      shape->codec_bytes += (int64_t)component->width_in_blocks * component->height_in_blocks * DCTSIZE2 * sizeof(JCOEF);
    }
  }
  wamim_image_metadata found = metadata(&file);
  shape->orientation = wamim_image_orientation(&found);
  return release(&file, WAMIM_IMAGE_OK);
}

static int32_t decode(
    const uint8_t *bytes, size_t count, const wamim_image_shape *shape, int32_t eighths, uint8_t *pixels, char *message) {
  decompression file;
  prepare(&file, message);
  if (setjmp(file.errors.escape)) return release(&file, file.errors.result);
  open_file(&file, bytes, count, false);

  struct jpeg_decompress_struct *info = &file.info;
  int cmyk = info->jpeg_color_space == JCS_CMYK || info->jpeg_color_space == JCS_YCCK;
  info->out_color_space = cmyk ? JCS_CMYK : shape->channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  info->dct_method = JDCT_ISLOW;
  info->scale_num = (unsigned)eighths;
  info->scale_denom = 8;
  bool has_scans = jpeg_has_multiple_scans(info);
  info->buffered_image = has_scans;
  jpeg_start_decompress(info);
  if (has_scans) {
    read_scans(&file);
    jpeg_start_output(info, info->input_scan_number);
  }
  if (info->output_width != (unsigned)wamim_image_reduced(shape->width, eighths) ||
      info->output_height != (unsigned)wamim_image_reduced(shape->height, eighths) ||
      info->output_components != (cmyk ? 4 : shape->channels)) {
    refuse(&file, "pixels of an unknown layout");
  }

  size_t stride = (size_t)info->output_width * (size_t)shape->channels;
  if (cmyk) {
    file.inks = malloc((size_t)info->output_width * 4);
    if (!file.inks) {
      wamim_image_explain(message, "not enough memory for the pixels");
      return release(&file, WAMIM_IMAGE_OUT_OF_MEMORY);
    }
  }
  while (info->output_scanline < info->output_height) {
    uint8_t *row = pixels + stride * info->output_scanline;
    JSAMPROW target = cmyk ? file.inks : row;
    jpeg_read_scanlines(info, &target, 1);
    if (cmyk) convert_cmyk(row, file.inks, (int32_t)info->output_width);
  }
  // What follows the last row, the mark of the end or not, is of no concern.
  return release(&file, WAMIM_IMAGE_OK);
}

const wamim_image_reader wamim_jpeg_reader = {measure, decode};
