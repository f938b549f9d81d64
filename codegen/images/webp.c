// Reads WebP files with libwebp.
#include "reading.h"

#include <webp/decode.h>

static int32_t fail(VP8StatusCode status, char *message) {
  switch (status) {
    case VP8_STATUS_OUT_OF_MEMORY:
      wamim_image_explain(message, "not enough memory to decode a WebP file");
      return WAMIM_IMAGE_OUT_OF_MEMORY;
    case VP8_STATUS_UNSUPPORTED_FEATURE:
      wamim_image_explain(message, "a WebP file that uses what isn't supported");
      return WAMIM_IMAGE_DAMAGED;
    case VP8_STATUS_NOT_ENOUGH_DATA:
      wamim_image_explain(message, "the file ends early");
      return WAMIM_IMAGE_DAMAGED;
    default:
      wamim_image_explain(message, "a damaged WebP file");
      return WAMIM_IMAGE_DAMAGED;
  }
}

static int32_t measure(const uint8_t *bytes, size_t count, wamim_image_shape *shape, char *message) {
  WebPBitstreamFeatures features;
  VP8StatusCode status = WebPGetFeatures(bytes, count, &features);
  if (status != VP8_STATUS_OK) return fail(status, message);
  if (features.has_animation) {
    wamim_image_explain(message, "an animation, not an image");
    return WAMIM_IMAGE_DAMAGED;
  }
  if (features.width < 1 || features.height < 1) return fail(VP8_STATUS_BITSTREAM_ERROR, message);
  shape->width = features.width;
  shape->height = features.height;
  shape->channels = 3;
  return WAMIM_IMAGE_OK;
}

static int32_t decode(
    const uint8_t *bytes, size_t count, const wamim_image_shape *shape, int32_t eighths, uint8_t *pixels, char *message) {
  (void)eighths;
  WebPDecoderConfig config;
  if (!WebPInitDecoderConfig(&config)) return fail(VP8_STATUS_INVALID_PARAM, message);
  // Rows go straight into the caller's memory, which is as large as `measure` said; libwebp checks the frame against it.
  config.output.colorspace = MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA.rgba = pixels;
  config.output.u.RGBA.stride = shape->width * 3;
  config.output.u.RGBA.size = (size_t)shape->width * (size_t)shape->height * 3;
  VP8StatusCode status = WebPDecode(bytes, count, &config);
  int sizes_agree = config.output.width == shape->width && config.output.height == shape->height;
  WebPFreeDecBuffer(&config.output);
  if (status != VP8_STATUS_OK) return fail(status, message);
  return sizes_agree ? WAMIM_IMAGE_OK : fail(VP8_STATUS_BITSTREAM_ERROR, message);
}

const wamim_image_reader wamim_webp_reader = {measure, decode};
