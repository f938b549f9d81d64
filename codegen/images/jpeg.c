// Reads JPEG files with libjpeg-turbo.
#include "reading.h"

#include <setjmp.h>
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
  struct jpeg_progress_mgr progress;
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
  // Warnings that mean that part of the picture was made up; others, such as stray bytes between markers, are harmless.
  int code = info->err->msg_code;
  if (level < 0 && (code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER || code == JWRN_HUFF_BAD_CODE || code == JWRN_MUST_RESYNC)) {
    fail(info);
  }
}

static void limit_scans(j_common_ptr info) {
  if (info->is_decompressor && ((j_decompress_ptr)info)->input_scan_number > MAXIMUM_SCANS) {
    error_manager *errors = (error_manager *)info->err;
    wamim_image_explain(errors->message, "too many scans");
    errors->result = WAMIM_IMAGE_DAMAGED;
    longjmp(errors->escape, 1);
  }
}

// Turns a row of CMYK into RGB; Adobe's programs store the inks inverted.
static void convert_cmyk(uint8_t *row, const uint8_t *cmyk, int32_t width, int inverted) {
  for (int32_t x = 0; x < width; x++) {
    const uint8_t *in = cmyk + 4 * (size_t)x;
    unsigned black = inverted ? in[3] : 255u - in[3];
    for (int c = 0; c < 3; c++) {
      unsigned ink = inverted ? in[c] : 255u - in[c];
      row[3 * (size_t)x + c] = (uint8_t)((ink * black + 127) / 255);
    }
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
  file->progress.progress_monitor = limit_scans;
}

// Reads the header; ends in `fail` where there is none.
static void open_file(decompression *file, const uint8_t *bytes, size_t count) {
  jpeg_create_decompress(&file->info);
  file->info.mem->max_memory_to_use = WAMIM_CODEC_BYTES;
  file->info.progress = &file->progress;
  jpeg_mem_src(&file->info, bytes, count);
  jpeg_read_header(&file->info, TRUE);
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
  open_file(&file, bytes, count);
  // libjpeg takes no more than 65,500 rows or columns.
  shape->width = (int32_t)file.info.image_width;
  shape->height = (int32_t)file.info.image_height;
  shape->channels = file.info.jpeg_color_space == JCS_GRAYSCALE ? 1 : 3;
  return release(&file, WAMIM_IMAGE_OK);
}

static int32_t decode(
    const uint8_t *bytes, size_t count, const wamim_image_shape *shape, int32_t eighths, uint8_t *pixels, char *message) {
  decompression file;
  prepare(&file, message);
  if (setjmp(file.errors.escape)) return release(&file, file.errors.result);
  open_file(&file, bytes, count);

  struct jpeg_decompress_struct *info = &file.info;
  int cmyk = info->jpeg_color_space == JCS_CMYK || info->jpeg_color_space == JCS_YCCK;
  info->out_color_space = cmyk ? JCS_CMYK : shape->channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  info->dct_method = JDCT_ISLOW;
  info->scale_num = (unsigned)eighths;
  info->scale_denom = 8;
  jpeg_start_decompress(info);
  if (info->output_width != (unsigned)wamim_image_reduced(shape->width, eighths) ||
      info->output_height != (unsigned)wamim_image_reduced(shape->height, eighths) ||
      info->output_components != (cmyk ? 4 : shape->channels)) {
    wamim_image_explain(message, "pixels of an unknown layout");
    return release(&file, WAMIM_IMAGE_DAMAGED);
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
    if (cmyk) convert_cmyk(row, file.inks, (int32_t)info->output_width, info->saw_Adobe_marker);
  }
  jpeg_finish_decompress(info);
  return release(&file, WAMIM_IMAGE_OK);
}

const wamim_image_reader wamim_jpeg_reader = {measure, decode};
