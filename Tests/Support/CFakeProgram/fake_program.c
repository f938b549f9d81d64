#include "fake_program.h"

#include <math.h>
#include <string.h>

enum {
  BATCH = 4,
  CHANNELS = 3,
  SIDE = 16,
  PATCH = 4,
  GRID = SIDE / PATCH,
  POSITIONS = GRID * GRID,
  VISIBLE = POSITIONS / 4,
  HIDDEN = POSITIONS - VISIBLE,
  WIDTH = CHANNELS * PATCH * PATCH,
  IMAGE = CHANNELS * SIDE * SIDE,
};

// The arena, in elements.
enum {
  PARAMETER = 0,
  FIRST_MOMENT = PARAMETER + WIDTH,
  SECOND_MOMENT = FIRST_MOMENT + WIDTH,
  IMAGES = SECOND_MOMENT + WIDTH,
  NOISE = IMAGES + BATCH * IMAGE,
  PROGRESS = NOISE + BATCH * POSITIONS,
  EPOCHS = PROGRESS + 1,
  WARMUP = EPOCHS + 1,
  PEAK = WARMUP + 1,
  MINIMUM = PEAK + 1,
  DECAY = MINIMUM + 1,
  FIRST_CORRECTION = DECAY + 1,
  SECOND_CORRECTION = FIRST_CORRECTION + 1,
  SAMPLE_LOSS = SECOND_CORRECTION + 1,
  SAMPLE_GRADIENT = SAMPLE_LOSS + BATCH,
  LOSS = SAMPLE_GRADIENT + BATCH * WIDTH,
  LOSS_0 = LOSS + 1,
  RATE = LOSS_0 + 1,
  SHARE = RATE + 1,
  GRADIENT = SHARE + 1,
  PREDICTION = GRADIENT + WIDTH,
  MASK = PREDICTION + BATCH * POSITIONS * WIDTH,
  BETAS = MASK + BATCH * POSITIONS,
  ARENA = BETAS + 2,
};

static int is_hidden(const float *noise, int position) {
  int smaller = 0;
  for (int other = 0; other < POSITIONS; other++) {
    smaller += noise[other] < noise[position] || (noise[other] == noise[position] && other < position);
  }
  return smaller >= VISIBLE;
}

static float pixel(const float *image, int position, int element) {
  int channel = element / (PATCH * PATCH);
  int y = position / GRID * PATCH + element / PATCH % PATCH;
  int x = position % GRID * PATCH + element % PATCH;
  return image[(channel * SIDE + y) * SIDE + x];
}

// Arguments: images, noise, patch, loss of each sample, gradient of each sample, scratch. Units are samples.
static void sample_kernel(void *const *pointers, int64_t begin, int64_t end) {
  const float *image = pointers[0], *noise = pointers[1], *patch = pointers[2];
  float *loss = pointers[3], *gradient = pointers[4], *scratch = pointers[5];
  for (int64_t sample = 0; sample < end - begin; sample++) {
    memset(scratch, 0, sizeof(float) * (WIDTH + 1));
    for (int position = 0; position < POSITIONS; position++) {
      if (!is_hidden(noise + sample * POSITIONS, position)) continue;
      for (int element = 0; element < WIDTH; element++) {
        float difference = patch[element] - pixel(image + sample * IMAGE, position, element);
        scratch[WIDTH] += difference * difference;
        scratch[element] += 2 * difference;
      }
    }
    loss[sample] = scratch[WIDTH] / (HIDDEN * WIDTH);
    for (int element = 0; element < WIDTH; element++) gradient[sample * WIDTH + element] = scratch[element] / (HIDDEN * WIDTH);
  }
}

// Arguments: loss of each sample, loss, loss of the only target. One unit.
static void loss_kernel(void *const *pointers, int64_t begin, int64_t end) {
  const float *samples = pointers[0];
  float sum = 0;
  for (int sample = 0; sample < BATCH; sample++) sum += samples[sample] / BATCH;
  *(float *)pointers[1] = sum;
  *(float *)pointers[2] = sum;
  (void)begin;
  (void)end;
}

// Arguments: gradient of each sample, gradient. Units are elements.
static void gradient_kernel(void *const *pointers, int64_t begin, int64_t end) {
  const float *samples = pointers[0];
  float *gradient = pointers[1];
  for (int64_t element = 0; element < end - begin; element++) {
    gradient[element] = 0;
    for (int sample = 0; sample < BATCH; sample++) gradient[element] += samples[sample * WIDTH + element] / BATCH;
  }
}

// Arguments: gradient of each sample, sum of gradients. Units are elements.
static void accumulation_kernel(void *const *pointers, int64_t begin, int64_t end) {
  const float *samples = pointers[0];
  float *sum = pointers[1];
  for (int64_t element = 0; element < end - begin; element++) {
    for (int sample = 0; sample < BATCH; sample++) sum[element] += samples[sample * WIDTH + element] / BATCH;
  }
}

// Arguments: sum of gradients, which goes back to zero, share of a batch, gradient. Units are elements.
static void mean_kernel(void *const *pointers, int64_t begin, int64_t end) {
  float *sum = pointers[0], share = *(float *)pointers[1], *gradient = pointers[2];
  for (int64_t element = 0; element < end - begin; element++) {
    gradient[element] = share * sum[element];
    sum[element] = 0;
  }
}

// Arguments: progress, epochs, warm-up, peak, minimum, learning rate. One unit.
static void rate_kernel(void *const *pointers, int64_t begin, int64_t end) {
  float progress = *(float *)pointers[0], epochs = *(float *)pointers[1], warmup = *(float *)pointers[2];
  float peak = *(float *)pointers[3], minimum = *(float *)pointers[4], *rate = pointers[5];
  float fall = epochs > warmup ? (progress - warmup) / (epochs - warmup) : 0;
  if (progress < warmup) {
    *rate = peak * progress / warmup;
  } else {
    *rate = minimum + (peak - minimum) * (1 + cosf(3.14159265f * fall)) / 2;
  }
  (void)begin;
  (void)end;
}

// Arguments: gradient, parameter, moments, rate, decay, corrections, betas. Units are elements.
static void optimizer_kernel(void *const *pointers, int64_t begin, int64_t end) {
  const float *gradient = pointers[0];
  float *parameter = pointers[1], *first = pointers[2], *second = pointers[3];
  float rate = *(float *)pointers[4], decay = *(float *)pointers[5];
  float first_correction = *(float *)pointers[6], second_correction = *(float *)pointers[7];
  const float *betas = pointers[8];
  for (int64_t i = 0; i < end - begin; i++) {
    first[i] = betas[0] * first[i] + (1 - betas[0]) * gradient[i];
    second[i] = betas[1] * second[i] + (1 - betas[1]) * gradient[i] * gradient[i];
    parameter[i] -= rate * decay * parameter[i];
    parameter[i] -= rate * first[i] * first_correction / (sqrtf(second[i] * second_correction) + 1e-8f);
  }
}

// Arguments: noise, patch, prediction, mask. Units are samples.
static void predict_kernel(void *const *pointers, int64_t begin, int64_t end) {
  const float *noise = pointers[0], *patch = pointers[1];
  float *prediction = pointers[2], *mask = pointers[3];
  for (int64_t row = 0; row < (end - begin) * POSITIONS; row++) {
    memcpy(prediction + row * WIDTH, patch, sizeof(float) * WIDTH);
    mask[row] = (float)is_hidden(noise + row / POSITIONS * POSITIONS, (int)(row % POSITIONS));
  }
}

#define ARENA_AT(element, stride) {4 * (element), 4 * (stride), WAMIM_STORAGE_ARENA, 0}
#define SUM_AT(element, stride) {4 * (element), 4 * (stride), WAMIM_STORAGE_ACCUMULATORS, 0}
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define CALL(kernel, arguments, description) {kernel, arguments, COUNT(arguments), description}

static const wamim_argument sample_arguments[] = {
    ARENA_AT(IMAGES, IMAGE), ARENA_AT(NOISE, POSITIONS), ARENA_AT(PARAMETER, 0), ARENA_AT(SAMPLE_LOSS, 1),
    ARENA_AT(SAMPLE_GRADIENT, WIDTH), {64, 0, WAMIM_STORAGE_SCRATCH, 0},
};
static const wamim_argument loss_arguments[] = {ARENA_AT(SAMPLE_LOSS, 0), ARENA_AT(LOSS, 0), ARENA_AT(LOSS_0, 0)};
static const wamim_argument gradient_arguments[] = {ARENA_AT(SAMPLE_GRADIENT, 1), ARENA_AT(GRADIENT, 1)};
static const wamim_argument accumulation_arguments[] = {ARENA_AT(SAMPLE_GRADIENT, 1), SUM_AT(0, 1)};
static const wamim_argument mean_arguments[] = {SUM_AT(0, 1), ARENA_AT(SHARE, 0), ARENA_AT(GRADIENT, 1)};
static const wamim_argument rate_arguments[] = {
    ARENA_AT(PROGRESS, 0), ARENA_AT(EPOCHS, 0), ARENA_AT(WARMUP, 0), ARENA_AT(PEAK, 0), ARENA_AT(MINIMUM, 0), ARENA_AT(RATE, 0),
};
static const wamim_argument optimizer_arguments[] = {
    ARENA_AT(GRADIENT, 1), ARENA_AT(PARAMETER, 1), ARENA_AT(FIRST_MOMENT, 1), ARENA_AT(SECOND_MOMENT, 1), ARENA_AT(RATE, 0),
    ARENA_AT(DECAY, 0), ARENA_AT(FIRST_CORRECTION, 0), ARENA_AT(SECOND_CORRECTION, 0), ARENA_AT(BETAS, 0),
};
static const wamim_argument predict_arguments[] = {
    ARENA_AT(NOISE, POSITIONS), ARENA_AT(PARAMETER, 0), ARENA_AT(PREDICTION, POSITIONS * WIDTH), ARENA_AT(MASK, POSITIONS),
};

static const wamim_call sample_calls[] = {CALL(sample_kernel, sample_arguments, 0)};
static const wamim_call loss_calls[] = {CALL(loss_kernel, loss_arguments, 1)};
static const wamim_call update_calls[] = {
    CALL(gradient_kernel, gradient_arguments, 2),
    CALL(optimizer_kernel, optimizer_arguments, 3),
};
static const wamim_call accumulation_calls[] = {CALL(accumulation_kernel, accumulation_arguments, 2)};
static const wamim_call mean_update_calls[] = {
    CALL(mean_kernel, mean_arguments, 2),
    CALL(optimizer_kernel, optimizer_arguments, 3),
};
static const wamim_call rate_calls[] = {CALL(rate_kernel, rate_arguments, 5)};
static const wamim_call predict_calls[] = {CALL(predict_kernel, predict_arguments, 4)};

#define GROUP(calls, chunks, units) {calls, COUNT(calls), chunks, units}
static const wamim_group sample_groups[] = {GROUP(sample_calls, BATCH, BATCH)};
static const wamim_group sample_and_rate_groups[] = {GROUP(sample_calls, BATCH, BATCH), GROUP(rate_calls, 1, 1)};
static const wamim_group loss_groups[] = {GROUP(loss_calls, 1, 1)};
static const wamim_group update_groups[] = {GROUP(update_calls, 5, WIDTH)};
static const wamim_group accumulation_groups[] = {GROUP(loss_calls, 1, 1), GROUP(accumulation_calls, 5, WIDTH)};
static const wamim_group rate_groups[] = {GROUP(rate_calls, 1, 1)};
static const wamim_group mean_update_groups[] = {GROUP(mean_update_calls, 5, WIDTH)};
static const wamim_group forward_groups[] = {GROUP(loss_calls, 1, 1), GROUP(predict_calls, 3, BATCH)};

#define PHASE(groups) {groups, COUNT(groups), 0}
static const wamim_phase step_phases[] = {PHASE(sample_and_rate_groups), PHASE(loss_groups), PHASE(update_groups)};
static const wamim_phase gradient_phases[] = {PHASE(sample_groups), PHASE(accumulation_groups)};
static const wamim_phase update_phases[] = {PHASE(rate_groups), PHASE(mean_update_groups)};
static const wamim_phase forward_phases[] = {PHASE(sample_groups), PHASE(forward_groups)};

static const wamim_schedule schedules[] = {
    {"step", step_phases, COUNT(step_phases)},
    {"gradients", gradient_phases, COUNT(gradient_phases)},
    {"update", update_phases, COUNT(update_phases)},
    {"forward", forward_phases, COUNT(forward_phases)},
};

static const float betas[2] = {0.9f, 0.95f};
static const wamim_constant constants[] = {{4 * BETAS, sizeof betas, betas}};

#define OUTPUT(tensor) "{\"tensor\":" tensor ",\"combination\":\"same\"}"
#define TENSOR(name, shape, element) "{\"name\":\"" name "\",\"type\":\"f32\",\"shape\":" shape ",\"offset\":" element "}"

// Offsets are numbers in text, so they are written out; the assertion below fails where they are wrong.
const char wamim_fake_manifest[] =
    "{\"model\":\"fake\",\"compiler\":\"0\",\"processor\":{\"name\":\"x86-64\",\"features\":[]},\"callsBLAS\":false,\"batch\":4,\"microBatch\":4,\"evaluatesOtherwise\":false,"
    "\"states\":["
    "{\"tensor\":" TENSOR("patch", "[3,4,4]", "0") ",\"role\":{\"parameter\":{}},\"initializer\":{\"normal\":{\"standardDeviation\":0.5}}},"
    "{\"tensor\":" TENSOR("first_moment.patch", "[3,4,4]", "192") ",\"role\":{\"moment\":{\"order\":1,\"of\":\"patch\"}},\"initializer\":{\"constant\":{\"_0\":0}}},"
    "{\"tensor\":" TENSOR("second_moment.patch", "[3,4,4]", "384") ",\"role\":{\"moment\":{\"order\":2,\"of\":\"patch\"}},\"initializer\":{\"constant\":{\"_0\":0}}}"
    "],\"accumulators\":[" TENSOR("grad.patch", "[3,4,4]", "0") "],\"inputs\":["
    "{\"tensor\":" TENSOR("images", "[4,3,16,16]", "576") ",\"binding\":{\"data\":{\"_0\":\"images\"}}},"
    "{\"tensor\":" TENSOR("noise", "[4,16]", "12864") ",\"binding\":{\"random\":{\"samples\":0}}},"
    "{\"tensor\":" TENSOR("progress", "[]", "13120") ",\"binding\":{\"hyperparameter\":{\"_0\":\"progress\"}}},"
    "{\"tensor\":" TENSOR("epochs", "[]", "13124") ",\"binding\":{\"hyperparameter\":{\"_0\":\"epochs\"}}},"
    "{\"tensor\":" TENSOR("warmup", "[]", "13128") ",\"binding\":{\"hyperparameter\":{\"_0\":\"warmup\"}}},"
    "{\"tensor\":" TENSOR("peak", "[]", "13132") ",\"binding\":{\"hyperparameter\":{\"_0\":\"peak_lr\"}}},"
    "{\"tensor\":" TENSOR("minimum", "[]", "13136") ",\"binding\":{\"hyperparameter\":{\"_0\":\"min_lr\"}}},"
    "{\"tensor\":" TENSOR("decay", "[]", "13140") ",\"binding\":{\"hyperparameter\":{\"_0\":\"weight_decay\"}}},"
    "{\"tensor\":" TENSOR("c1", "[]", "13144") ",\"binding\":{\"hyperparameter\":{\"_0\":\"first_moment_correction\"}}},"
    "{\"tensor\":" TENSOR("c2", "[]", "13148") ",\"binding\":{\"hyperparameter\":{\"_0\":\"second_moment_correction\"}}},"
    "{\"tensor\":" TENSOR("share", "[]", "13948") ",\"binding\":{\"hyperparameter\":{\"_0\":\"batch_share\"}}}"
    "],\"schedules\":["
    "{\"role\":\"step\",\"arenaBytes\":27380,\"scratchBytes\":512,\"usesAccumulators\":false,\"lossPhase\":1,\"outputs\":["
    OUTPUT(TENSOR("loss", "[]", "13936")) "," OUTPUT(TENSOR("loss.0", "[]", "13940")) ","
    OUTPUT(TENSOR("learning_rate", "[]", "13944")) "]},"
    "{\"role\":\"gradients\",\"arenaBytes\":27380,\"scratchBytes\":512,\"usesAccumulators\":true,\"lossPhase\":1,\"outputs\":["
    OUTPUT(TENSOR("loss", "[]", "13936")) "," OUTPUT(TENSOR("loss.0", "[]", "13940")) "]},"
    "{\"role\":\"update\",\"arenaBytes\":27380,\"scratchBytes\":512,\"usesAccumulators\":true,\"outputs\":["
    OUTPUT(TENSOR("learning_rate", "[]", "13944")) "]},"
    "{\"role\":\"forward\",\"arenaBytes\":27380,\"scratchBytes\":512,\"usesAccumulators\":false,\"outputs\":["
    OUTPUT(TENSOR("loss", "[]", "13936")) "," OUTPUT(TENSOR("loss.0", "[]", "13940")) ","
    OUTPUT(TENSOR("prediction.0", "[4,16,48]", "14144")) "," OUTPUT(TENSOR("mask", "[4,16]", "26432")) "]}"
    "],\"calls\":["
    "{\"name\":\"samples\",\"kind\":\"rows\",\"kernel\":0,\"flops\":9216,\"productFlops\":0,\"bytes\":13312,\"origins\":[1,-1,0,0,1]},"
    "{\"name\":\"loss\",\"kind\":\"rows\",\"kernel\":1,\"flops\":4,\"productFlops\":0,\"bytes\":24,\"origins\":[2,-1,0,0,1]},"
    "{\"name\":\"patch\",\"kind\":\"columns\",\"kernel\":2,\"flops\":192,\"productFlops\":0,\"bytes\":960,\"origins\":[3,-1,0,1,1]},"
    "{\"name\":\"adamw\",\"kind\":\"optimizer\",\"kernel\":3,\"flops\":576,\"productFlops\":0,\"bytes\":1344,\"origins\":[4,-1,0,2,1]},"
    "{\"name\":\"prediction\",\"kind\":\"rows\",\"kernel\":4,\"flops\":0,\"productFlops\":0,\"bytes\":12800,\"origins\":[1,-1,0,0,1]},"
    "{\"name\":\"schedule\",\"kind\":\"rows\",\"kernel\":5,\"flops\":12,\"productFlops\":0,\"bytes\":24,\"origins\":[4,-1,0,2,1]}"
    "],\"products\":[],\"origins\":{\"layers\":[\"\",\"samples\",\"loss\",\"patch\",\"optimizer\"],\"sources\":[],"
    "\"regions\":[\"forward\",\"backward\",\"update\"]},\"attentionHeads\":{},\"positionTables\":[],\"recipe\":{\"base_lr\":\"0.5\",\"weight_decay\":\"0.05\",\"epochs\":\"20\","
    "\"warmup\":\"2\",\"crop_aspect\":\"0.75..1.3333333\"},"
    "\"pictures\":{\"patches\":{\"patch\":4,\"normalized\":false}},\"graph\":\"model fake\\n\"}";

_Static_assert(
    4 * FIRST_MOMENT == 192 && 4 * SECOND_MOMENT == 384 && 4 * IMAGES == 576 && 4 * NOISE == 12864 && 4 * PROGRESS == 13120 &&
        4 * DECAY == 13140 && 4 * LOSS == 13936 && 4 * RATE == 13944 && 4 * SHARE == 13948 && 4 * PREDICTION == 14144 &&
        4 * MASK == 26432 && 4 * ARENA <= 27380,
    "the offsets in the manifest are those of the arena");

static void multiply_add(float *result, int64_t rounds) {
  float sums[8] = {1, 2, 3, 4, 5, 6, 7, 8};
  for (int64_t round = 0; round < rounds; round++) {
    for (int lane = 0; lane < 8; lane++) sums[lane] = sums[lane] * 0.5f + 0.25f;
  }
  memcpy(result, sums, sizeof sums);
}

static void triad(float *result, const float *left, const float *right, int64_t count) {
  for (int64_t i = 0; i < count; i++) result[i] = left[i] + 3 * right[i];
}

static const wamim_probes probes = {.multiply_add = multiply_add, .triad = triad, .round_flops = 16};

const wamim_program wamim_fake_program = {
    .abi_version = WAMIM_ABI_VERSION,
    .schedule_count = COUNT(schedules),
    .schedules = schedules,
    .constants = constants,
    .constant_count = COUNT(constants),
    .arena_bytes = 27380,
    .scratch_bytes = 512,
    .accumulator_bytes = 4 * WIDTH,
    .manifest = wamim_fake_manifest,
    .manifest_bytes = sizeof wamim_fake_manifest - 1,
    .probes = &probes,
};
