// Reads WebP files with libwebp.
#include "reading.h"

#include <stdbool.h>
#include <string.h>

#include <webp/decode.h>
#include <webp/demux.h>

static int32_t fail(VP8StatusCode status, char *message) {
  switch (status) {
    case VP8_STATUS_OUT_OF_MEMORY:
      wamim_image_explain(message, "not enough memory to decode a WebP file");
      return WAMIM_IMAGE_OUT_OF_MEMORY;
    case VP8_STATUS_UNSUPPORTED_FEATURE:
      wamim_image_explain(message, "a WebP file that uses what isn't supported");
      return WAMIM_IMAGE_DAMAGED;
    case VP8_STATUS_NOT_ENOUGH_DATA:
    case VP8_STATUS_SUSPENDED:
      wamim_image_explain(message, "the file ends early");
      return WAMIM_IMAGE_DAMAGED;
    default:
      wamim_image_explain(message, "a damaged WebP file");
      return WAMIM_IMAGE_DAMAGED;
  }
}

// Opens the chunks of a file, as far as they are there; null where there is no memory, or they are damaged.
static WebPDemuxer *open_chunks(const uint8_t *bytes, size_t count) {
  WebPData data = {bytes, count};
  WebPDemuxState state;
  return WebPDemuxPartial(&data, &state);
}

// The orientation that a file's metadata name.
static int32_t orientation(const uint8_t *bytes, size_t count) {
  // Only extended files have metadata.
  if (count < 16 || memcmp(bytes + 12, "VP8X", 4) != 0) return WAMIM_UPRIGHT;
  WebPDemuxer *chunks = open_chunks(bytes, count);
  if (!chunks) return WAMIM_UPRIGHT;
  wamim_image_metadata found = {0};
  WebPChunkIterator exif, xmp;
  if (WebPDemuxGetChunk(chunks, "EXIF", 1, &exif)) {
    found.exif = exif.chunk.bytes;
    found.exif_count = exif.chunk.size;
  }
  if (WebPDemuxGetChunk(chunks, "XMP ", 1, &xmp)) {
    found.xmp = xmp.chunk.bytes;
    found.xmp_count = xmp.chunk.size;
  }
  int32_t result = wamim_image_orientation(&found);
  WebPDemuxReleaseChunkIterator(&exif);
  WebPDemuxReleaseChunkIterator(&xmp);
  WebPDemuxDelete(chunks);
  return result;
}

static int32_t measure(const uint8_t *bytes, size_t count, wamim_image_shape *shape, char *message) {
  WebPBitstreamFeatures features;
  VP8StatusCode status = WebPGetFeatures(bytes, count, &features);
  if (status != VP8_STATUS_OK) return fail(status, message);
  if (features.width < 1 || features.height < 1) return fail(VP8_STATUS_BITSTREAM_ERROR, message);
  shape->width = features.width;
  shape->height = features.height;
  shape->channels = 3;
  // Lossless pixels are kept as they are put together, four bytes each; others are not, but for their alpha.
  shape->codec_bytes = (int64_t)features.width * features.height * (features.format == 2 ? 4 : features.has_alpha ? 1 : 0);
  shape->orientation = orientation(bytes, count);
  return WAMIM_IMAGE_OK;
}

// Decodes one frame of `width` times `height` pixels into rows that lie `stride` bytes apart.
static VP8StatusCode decode_frame(
    const uint8_t *bytes, size_t count, int32_t width, int32_t height, uint8_t *pixels, int32_t stride) {
  WebPDecoderConfig config;
  if (!WebPInitDecoderConfig(&config)) return VP8_STATUS_INVALID_PARAM;
  // Rows go straight into the caller's memory, which is as large as `measure` said; libwebp checks the frame against it.
  config.output.colorspace = MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA.rgba = pixels;
  config.output.u.RGBA.stride = stride;
  config.output.u.RGBA.size = (size_t)stride * (size_t)(height - 1) + (size_t)width * 3;
  VP8StatusCode status = WebPDecode(bytes, count, &config);
  if (status == VP8_STATUS_NOT_ENOUGH_DATA || status == VP8_STATUS_SUSPENDED) {
    // The file ends before its chunks do, perhaps after the picture.
    WebPIDecoder *decoder = WebPIDecode(NULL, 0, &config);
    status = decoder ? WebPIUpdate(decoder, bytes, count) : VP8_STATUS_OUT_OF_MEMORY;
    WebPIDelete(decoder);
  }
  bool sizes_agree = config.output.width == width && config.output.height == height;
  WebPFreeDecBuffer(&config.output);
  return status == VP8_STATUS_OK && !sizes_agree ? VP8_STATUS_BITSTREAM_ERROR : status;
}

// Decodes the first frame of an animation, which need not cover all of it; the rest is black.
static VP8StatusCode decode_animation(const uint8_t *bytes, size_t count, const wamim_image_shape *shape, uint8_t *pixels) {
  WebPDemuxer *chunks = open_chunks(bytes, count);
  if (!chunks) return VP8_STATUS_BITSTREAM_ERROR;
  WebPIterator frame;
  VP8StatusCode status = VP8_STATUS_NOT_ENOUGH_DATA;
  if (WebPDemuxGetFrame(chunks, 1, &frame)) {
    bool fits = frame.width > 0 && frame.height > 0 && frame.x_offset >= 0 && frame.y_offset >= 0 &&
                frame.width <= shape->width - frame.x_offset && frame.height <= shape->height - frame.y_offset;
    if (fits) {
      int32_t stride = shape->width * 3;
      memset(pixels, 0, (size_t)stride * (size_t)shape->height);
      status = decode_frame(
          frame.fragment.bytes, frame.fragment.size, frame.width, frame.height,
          pixels + (size_t)stride * (size_t)frame.y_offset + (size_t)frame.x_offset * 3, stride);
    } else {
      status = VP8_STATUS_BITSTREAM_ERROR;
    }
    WebPDemuxReleaseIterator(&frame);
  }
  WebPDemuxDelete(chunks);
  return status;
}

static int32_t decode(
    const uint8_t *bytes, size_t count, const wamim_image_shape *shape, int32_t eighths, uint8_t *pixels, char *message) {
  (void)eighths;
  WebPBitstreamFeatures features;
  VP8StatusCode status = WebPGetFeatures(bytes, count, &features);
  if (status == VP8_STATUS_OK) {
    status = features.has_animation ? decode_animation(bytes, count, shape, pixels)
                                    : decode_frame(bytes, count, shape->width, shape->height, pixels, shape->width * 3);
  }
  return status == VP8_STATUS_OK ? WAMIM_IMAGE_OK : fail(status, message);
}

const wamim_image_reader wamim_webp_reader = {measure, decode};
