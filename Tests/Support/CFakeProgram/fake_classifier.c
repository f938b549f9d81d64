#include <math.h>

#include "fake_program.h"

enum { BATCH = 4, CLASSES = 3, POSITIONS = 64 };

// The arena, in elements.
enum {
  SCALE = 0,
  IMAGES = 32,
  LABELS = IMAGES + BATCH * CLASSES * POSITIONS,
  LOGITS = LABELS + BATCH * CLASSES,
  LOSS = LOGITS + BATCH * CLASSES,
  RATE = LOSS + 1,
  ARENA = RATE + 1,
};

// Arguments: images, scale, logits. Units are samples.
static void logits_kernel(void *const *pointers, int64_t begin, int64_t end) {
  const float *images = pointers[0], *scale = pointers[1];
  float *logits = pointers[2];
  for (int64_t row = 0; row < (end - begin) * CLASSES; row++) {
    float sum = 0;
    for (int position = 0; position < POSITIONS; position++) sum += images[row * POSITIONS + position];
    logits[row] = scale[row % CLASSES] * sum / POSITIONS;
  }
}

// Arguments: logits, labels, loss. One unit.
static void loss_kernel(void *const *pointers, int64_t begin, int64_t end) {
  const float *logits = pointers[0], *labels = pointers[1];
  float *loss = pointers[2];
  *loss = 0;
  for (int sample = 0; sample < BATCH; sample++) {
    float sum = 0;
    for (int c = 0; c < CLASSES; c++) sum += expf(logits[sample * CLASSES + c]);
    for (int c = 0; c < CLASSES; c++) *loss -= labels[sample * CLASSES + c] * (logits[sample * CLASSES + c] - logf(sum)) / BATCH;
  }
  (void)begin;
  (void)end;
}

// Arguments: logits, labels, scale, rate. Units are classes.
static void update_kernel(void *const *pointers, int64_t begin, int64_t end) {
  const float *logits = pointers[0], *labels = pointers[1];
  float *scale = pointers[2], *rate = pointers[3];
  for (int64_t c = begin; c < end; c++) {
    float gradient = 0;
    for (int sample = 0; sample < BATCH; sample++) {
      float sum = 0, total = 0;
      for (int k = 0; k < CLASSES; k++) {
        sum += expf(logits[sample * CLASSES + k]);
        total += labels[sample * CLASSES + k];
      }
      float difference = total * expf(logits[sample * CLASSES + c]) / sum - labels[sample * CLASSES + c];
      gradient += difference * logits[sample * CLASSES + c] / (scale[c] * BATCH);
    }
    scale[c] -= 0.1f * gradient;
  }
  if (begin == 0) *rate = 0.1f;
}

#define AT(element, stride) {4 * (element), 4 * (stride), WAMIM_STORAGE_ARENA, 0}
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define CALL(kernel, arguments, description) {kernel, arguments, COUNT(arguments), description}

static const wamim_argument logits_arguments[] = {AT(IMAGES, CLASSES *POSITIONS), AT(SCALE, 0), AT(LOGITS, CLASSES)};
static const wamim_argument loss_arguments[] = {AT(LOGITS, 0), AT(LABELS, 0), AT(LOSS, 0)};
static const wamim_argument update_arguments[] = {AT(LOGITS, 0), AT(LABELS, 0), AT(SCALE, 0), AT(RATE, 0)};

static const wamim_call logits_calls[] = {CALL(logits_kernel, logits_arguments, 0)};
static const wamim_call loss_calls[] = {CALL(loss_kernel, loss_arguments, 1)};
static const wamim_call update_calls[] = {CALL(update_kernel, update_arguments, 2)};

#define GROUP(calls, units) {calls, COUNT(calls), units, units}
static const wamim_group logits_groups[] = {GROUP(logits_calls, BATCH)};
static const wamim_group loss_groups[] = {GROUP(loss_calls, 1)};
static const wamim_group update_groups[] = {GROUP(update_calls, CLASSES)};

#define PHASE(groups) {groups, COUNT(groups), 0}
static const wamim_phase phases[] = {PHASE(logits_groups), PHASE(loss_groups), PHASE(update_groups)};

static const wamim_schedule schedules[] = {{"step", phases, 3}, {"forward", phases, 2}};

#define TENSOR(name, shape, element) "{\"name\":\"" name "\",\"type\":\"f32\",\"shape\":" shape ",\"offset\":" element "}"
#define OUTPUT(tensor) "{\"tensor\":" tensor ",\"combination\":\"same\"}"
#define SCHEDULE(role, outputs) \
  "{\"role\":\"" role "\",\"arenaBytes\":3304,\"scratchBytes\":64,\"usesAccumulators\":false,\"outputs\":[" outputs "]}"
#define ENTRY(name, kernel) \
  "{\"name\":\"" name "\",\"kind\":\"rows\",\"kernel\":" kernel \
  ",\"flops\":1,\"productFlops\":0,\"bytes\":1,\"origins\":[0,-1,0,0,1]}"

// Offsets are numbers in text, so they are written out; the assertion below fails where they are wrong.
static const char manifest[] =
    "{\"model\":\"classifier\",\"compiler\":\"0\",\"processor\":{\"name\":\"x86-64\",\"features\":[]},\"callsBLAS\":false,"
    "\"batch\":4,\"microBatch\":4,\"evaluatesOtherwise\":true,\"states\":["
    "{\"tensor\":" TENSOR("scale", "[3]", "0") ",\"role\":{\"parameter\":{}},\"initializer\":{\"constant\":{\"_0\":1}}}"
    "],\"accumulators\":[],\"inputs\":["
    "{\"tensor\":" TENSOR("images", "[4,3,8,8]", "128") ",\"binding\":{\"data\":{\"_0\":\"images\"}}},"
    "{\"tensor\":" TENSOR("labels", "[4,3]", "3200") ",\"binding\":{\"data\":{\"_0\":\"labels\"}}}"
    "],\"schedules\":["
    SCHEDULE("step", OUTPUT(TENSOR("loss", "[]", "3296")) "," OUTPUT(TENSOR("learning_rate", "[]", "3300"))) ","
    SCHEDULE("forward", OUTPUT(TENSOR("loss", "[]", "3296")) "," OUTPUT(TENSOR("logits", "[4,3]", "3248")))
    "],\"calls\":[" ENTRY("logits", "0") "," ENTRY("loss", "1") "," ENTRY("scale", "2") "],"
    "\"products\":[],\"origins\":{\"layers\":[\"\"],\"sources\":[],\"regions\":[\"forward\"]},\"attentionHeads\":{},\"positionTables\":[],"
    "\"recipe\":{\"epochs\":\"2\",\"warmup\":\"0\",\"crop_area\":\"none\"},\"graph\":\"model classifier\\n\"}";

_Static_assert(
    4 * IMAGES == 128 && 4 * LABELS == 3200 && 4 * LOGITS == 3248 && 4 * LOSS == 3296 && 4 * RATE == 3300 &&
        4 * ARENA == 3304,
    "the offsets in the manifest are those of the arena");

const wamim_program wamim_fake_classifier = {
    .abi_version = WAMIM_ABI_VERSION,
    .schedule_count = COUNT(schedules),
    .schedules = schedules,
    .arena_bytes = 4 * ARENA,
    .scratch_bytes = 64,
    .manifest = manifest,
    .manifest_bytes = sizeof manifest - 1,
};
