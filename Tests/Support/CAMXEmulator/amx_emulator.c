#define _GNU_SOURCE

#include "amx_emulator.h"

#if defined(__x86_64__) && defined(__linux__)

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

enum { TILES = 8, ROWS = 16, ROW_BYTES = 64 };

/// The registers of a thread, and how many rows of how many bytes each has; none where nothing is configured.
static __thread struct {
  uint8_t rows[TILES];
  uint16_t row_bytes[TILES];
  uint8_t tiles[TILES][ROWS][ROW_BYTES];
} state;

/// What the signal did before; it still does where an instruction is not AMX's.
static struct sigaction previous;

static void refuse(const char *what) {
  static const char prefix[] = "AMX emulator: ";
  if (write(2, prefix, sizeof prefix - 1) < 0 || write(2, what, strlen(what)) < 0 || write(2, "\n", 1) < 0) _exit(70);
  _exit(70);
}

// Instructions: a prefix of three bytes, C4, then the opcode and its operands.

/// An instruction as it lies in memory, and the processor's registers when it came up.
struct instruction {
  const uint8_t *bytes;
  gregset_t *registers;
  /// Bits 3 of the operands' numbers, as the prefix has them, and the third operand.
  unsigned r, x, b, third;
  /// None, 66, F3 or F2, numbered so.
  unsigned prefix;
  unsigned opcode;
  unsigned mode, operand, base;
  unsigned length;
};

static bool decode(const uint8_t *bytes, gregset_t *registers, struct instruction *result) {
  // The map of opcodes 0F 38; vectors of 128 bits, the narrow form.
  if (bytes[0] != 0xC4 || (bytes[1] & 0x1F) != 2 || (bytes[2] & 0x84) != 0) return false;
  unsigned opcode = bytes[3];
  if (opcode != 0x49 && opcode != 0x4B && opcode != 0x5C) return false;
  *result = (struct instruction){
    .bytes = bytes, .registers = registers, .r = !(bytes[1] & 0x80), .x = !(bytes[1] & 0x40), .b = !(bytes[1] & 0x20),
    .third = (~bytes[2] >> 3) & 15, .prefix = bytes[2] & 3, .opcode = opcode, .mode = bytes[4] >> 6,
    .operand = (bytes[4] >> 3) & 7, .base = bytes[4] & 7, .length = 5};
  return true;
}

/// The value of a general register by its number in instructions.
static uint64_t general(const struct instruction *instruction, unsigned number) {
  static const int places[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                 REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
  return (uint64_t)(*instruction->registers)[places[number]];
}

/// The address that an operand in memory has, the distance between rows where it has an index, and the instruction's length.
static uint8_t *address(struct instruction *instruction, uint64_t *distance) {
  unsigned base = instruction->base;
  const uint8_t *next = instruction->bytes + 5;
  uint64_t result = 0;
  *distance = 0;
  bool has_base = true;
  if (base == 4) {
    unsigned scale = *next >> 6, index = ((*next >> 3) & 7) | instruction->x << 3;
    base = *next++ & 7;
    if (index != 4) *distance = general(instruction, index) << scale;
    has_base = !(base == 5 && instruction->mode == 0);
  } else if (base == 5 && instruction->mode == 0) {
    // Relative to the next instruction; there is nothing after the distance.
    int32_t offset;
    memcpy(&offset, next, 4);
    instruction->length = (unsigned)(next + 4 - instruction->bytes);
    return (uint8_t *)(uintptr_t)(instruction->bytes + instruction->length + offset);
  }
  if (has_base) result = general(instruction, base | instruction->b << 3);
  if (instruction->mode == 1) {
    result += (uint64_t)(int64_t)(int8_t)*next++;
  } else if (instruction->mode == 2 || !has_base) {
    int32_t offset;
    memcpy(&offset, next, 4);
    result += (uint64_t)(int64_t)offset;
    next += 4;
  }
  instruction->length = (unsigned)(next - instruction->bytes);
  return (uint8_t *)(uintptr_t)result;
}

static void require_tile(unsigned tile) {
  if (tile >= TILES || !state.rows[tile]) refuse("a register that is not configured");
}

static void configure(const uint8_t *from) {
  if (from[0] != 1) refuse("a palette that there is not");
  for (int tile = 0; tile < TILES; tile++) {
    memcpy(&state.row_bytes[tile], from + 16 + 2 * tile, 2);
    state.rows[tile] = from[48 + tile];
    if (state.rows[tile] > ROWS || state.row_bytes[tile] > ROW_BYTES) refuse("a register that is larger than there are");
  }
  memset(state.tiles, 0, sizeof state.tiles);
}

static void release(void) { memset(&state, 0, sizeof state); }

static void load(unsigned tile, const uint8_t *from, uint64_t distance) {
  require_tile(tile);
  memset(state.tiles[tile], 0, sizeof state.tiles[tile]);
  for (unsigned row = 0; row < state.rows[tile]; row++) memcpy(state.tiles[tile][row], from + row * distance, state.row_bytes[tile]);
}

static void store(unsigned tile, uint8_t *to, uint64_t distance) {
  require_tile(tile);
  for (unsigned row = 0; row < state.rows[tile]; row++) memcpy(to + row * distance, state.tiles[tile][row], state.row_bytes[tile]);
}

/// A bf16 number; what is denormal counts as zero.
static float number(const uint8_t *row, unsigned index) {
  uint32_t bits = (uint32_t)row[2 * index] << 16 | (uint32_t)row[2 * index + 1] << 24;
  float value;
  memcpy(&value, &bits, 4);
  return fpclassify(value) == FP_SUBNORMAL ? 0 : value;
}

/// Adds the products of pairs: all that are of the first elements of pairs in turn, then the others, as the processor's manual has it.
///
/// Processors whose vectors AMX's code needs have this instruction as well.
__attribute__((target("fma")))
static void add_products(unsigned sums, unsigned left, unsigned right) {
  require_tile(sums), require_tile(left), require_tile(right);
  unsigned pairs = state.row_bytes[left] / 4, columns = state.row_bytes[sums] / 4;
  if (state.rows[sums] != state.rows[left] || state.row_bytes[sums] != state.row_bytes[right] || state.rows[right] != pairs) {
    refuse("registers that do not fit each other");
  }
  for (unsigned row = 0; row < state.rows[sums]; row++) {
    for (unsigned column = 0; column < columns; column++) {
      float parts[2] = {0, 0};
      for (unsigned pair = 0; pair < pairs; pair++) {
        for (unsigned half = 0; half < 2; half++) {
          parts[half] = __builtin_fmaf(
            number(state.tiles[left][row], 2 * pair + half), number(state.tiles[right][pair], 2 * column + half), parts[half]);
        }
      }
      float sum;
      memcpy(&sum, state.tiles[sums][row] + 4 * column, 4);
      sum += parts[0] + parts[1];
      memcpy(state.tiles[sums][row] + 4 * column, &sum, 4);
    }
  }
}

static void execute(struct instruction *instruction) {
  enum { NONE, SIZE, F3, F2 };
  uint64_t distance;
  unsigned tile = instruction->operand | instruction->r << 3;
  if (instruction->opcode == 0x5C) {
    if (instruction->prefix != F3 || instruction->mode != 3) refuse("a product that is not of bf16 numbers");
    return add_products(tile, instruction->base | instruction->b << 3, instruction->third);
  }
  if (instruction->opcode == 0x49 && instruction->mode == 3) {
    if (instruction->prefix == NONE) return release();
    if (instruction->prefix != F2) refuse("an instruction that is not emulated");
    require_tile(tile);
    memset(state.tiles[tile], 0, sizeof state.tiles[tile]);
    return;
  }
  uint8_t *memory = address(instruction, &distance);
  if (instruction->opcode == 0x49 && instruction->prefix == NONE) return configure(memory);
  if (instruction->opcode == 0x4B && instruction->base == 4) {
    if (instruction->prefix == F2) return load(tile, memory, distance);
    if (instruction->prefix == F3) return store(tile, memory, distance);
  }
  refuse("an instruction that is not emulated");
}

static void handle(int signal, siginfo_t *information, void *context) {
  gregset_t *registers = &((ucontext_t *)context)->uc_mcontext.gregs;
  struct instruction instruction;
  if (decode((const uint8_t *)(*registers)[REG_RIP], registers, &instruction)) {
    execute(&instruction);
    (*registers)[REG_RIP] += instruction.length;
  } else if (previous.sa_flags & SA_SIGINFO && previous.sa_sigaction) {
    previous.sa_sigaction(signal, information, context);
  } else {
    // The instruction comes up again, and the signal does what it does without a handler.
    sigaction(SIGILL, &previous, NULL);
  }
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void install(void) {
  struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_NODEFER};
  sigemptyset(&action.sa_mask);
  sigaction(SIGILL, &action, &previous);
}

bool amx_emulator_install(void) {
  pthread_once(&once, install);
  return true;
}

#else

bool amx_emulator_install(void) { return false; }

#endif
