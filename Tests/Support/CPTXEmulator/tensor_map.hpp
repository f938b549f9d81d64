// What the tensor copy engine has to know of an array, as this emulator writes it.
#pragma once
#include "ptx_emulator.h"

#include <cstring>

namespace ptx {

struct TensorMap {
  static constexpr uint64_t right_magic = 0x70616d72736e6574, unit = 16, most_axes = 4;
  static constexpr uint32_t line_bytes = 128;

  uint64_t magic, base;
  uint32_t axes, extents[most_axes], box[most_axes];
  uint64_t strides[most_axes - 1];

  /// What the driver would say of these numbers; null where nothing.
  const char *problem() const {
    if (axes < 2 || axes > most_axes) return "an array for the copy engine has too few or too many axes";
    if (base % unit) return "an array for the copy engine begins at an odd address";
    for (uint32_t axis = 0; axis < axes; ++axis) {
      if (extents[axis] == 0 || box[axis] == 0 || box[axis] > 256) return "an axis of an array for the copy engine has a wrong extent";
      if (axis > 0 && (strides[axis - 1] % unit || strides[axis - 1] == 0 || strides[axis - 1] >> 40)) return "an array for the copy engine has a wrong stride";
    }
    return 2 * box[0] == line_bytes ? nullptr : "a tile's lines do not have 128 bytes";
  }

  uint32_t lines() const {
    uint32_t count = 1;
    for (uint32_t axis = 1; axis < axes; ++axis) count *= box[axis];
    return count;
  }
};

static_assert(sizeof(TensorMap) <= PTX_TENSOR_MAP_BYTES);

}  // namespace ptx
