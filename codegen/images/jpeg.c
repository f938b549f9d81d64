// Reads JPEG files with libjpeg-turbo.
#include "reading.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include <jerror.h>

/// A progressive file may ask for any number of passes over the image; no real one needs more.
enum { MAXIMUM_SCANS = 200 };

typedef struct {
  struct jpeg_error_mgr base;
  jmp_buf escape;
  int32_t result;
  char *message;
} error_manager;

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

int32_t wamim_read_jpeg(
    const uint8_t *bytes, size_t count, uint64_t maximum_pixels, wamim_image *image, char message[WAMIM_IMAGE_MESSAGE_BYTES]) {
  struct jpeg_decompress_struct info;
  error_manager errors;
  struct jpeg_progress_mgr progress;
  uint8_t *volatile pixels = NULL;
  uint8_t *volatile line = NULL;

  memset(&info, 0, sizeof info);
  info.err = jpeg_std_error(&errors.base);
  errors.base.error_exit = fail;
  errors.base.emit_message = note;
  errors.message = message;
  errors.result = WAMIM_IMAGE_DAMAGED;
  if (setjmp(errors.escape)) {
    jpeg_destroy_decompress(&info);
    free(pixels);
    free(line);
    return errors.result;
  }
  jpeg_create_decompress(&info);
  info.mem->max_memory_to_use = WAMIM_CODEC_BYTES;
  memset(&progress, 0, sizeof progress);
  progress.progress_monitor = limit_scans;
  info.progress = &progress;
  jpeg_mem_src(&info, bytes, count);
  jpeg_read_header(&info, TRUE);

  if ((uint64_t)info.image_width * info.image_height > maximum_pixels) {
    snprintf(message, WAMIM_IMAGE_MESSAGE_BYTES, "%u x %u pixels are too many", info.image_width, info.image_height);
    jpeg_destroy_decompress(&info);
    return WAMIM_IMAGE_TOO_LARGE;
  }
  int cmyk = info.jpeg_color_space == JCS_CMYK || info.jpeg_color_space == JCS_YCCK;
  int32_t channels = info.jpeg_color_space == JCS_GRAYSCALE ? 1 : 3;
  info.out_color_space = cmyk ? JCS_CMYK : channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  info.dct_method = JDCT_ISLOW;
  jpeg_start_decompress(&info);

  size_t stride = (size_t)info.output_width * (size_t)channels;
  pixels = malloc(stride * info.output_height);
  if (cmyk) line = malloc((size_t)info.output_width * 4);
  if (!pixels || (cmyk && !line)) {
    wamim_image_explain(message, "not enough memory for the pixels");
    jpeg_destroy_decompress(&info);
    free(pixels);
    free(line);
    return WAMIM_IMAGE_OUT_OF_MEMORY;
  }
  while (info.output_scanline < info.output_height) {
    uint8_t *row = pixels + stride * info.output_scanline;
    JSAMPROW target = cmyk ? line : row;
    jpeg_read_scanlines(&info, &target, 1);
    if (cmyk) convert_cmyk(row, line, (int32_t)info.output_width, info.saw_Adobe_marker);
  }
  image->pixels = pixels;
  image->width = (int32_t)info.output_width;
  image->height = (int32_t)info.output_height;
  image->channels = channels;
  jpeg_finish_decompress(&info);
  jpeg_destroy_decompress(&info);
  free(line);
  return WAMIM_IMAGE_OK;
}
