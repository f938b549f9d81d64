// A warp's threads, and what they do only together.
#pragma once
#include "program.hpp"

#include <cstring>

namespace ptx {

constexpr int lanes = 32;

enum class State : uint8_t { running, at_warp_barrier, at_block_barrier, at_shared_barrier, done };

struct Warp {
  std::vector<uint64_t> registers;
  int pc[lanes] = {};
  State state[lanes] = {};
  uint32_t epoch = 0;
  unsigned first = 0;
  /// Groups of products that have begun and that have ended, and by register the group that it is a sum of.
  uint32_t begun = 0, ended = 0;
  std::vector<uint32_t> owed;
};

inline void shuffle(Warp &warp, const Instruction &i) {
  uint64_t *to = &warp.registers[(size_t)i.operands[0] * lanes], *from = &warp.registers[(size_t)i.operands[1] * lanes];
  uint64_t *masks = &warp.registers[(size_t)i.operands[2] * lanes], values[lanes];
  for (int l = 0; l < lanes; ++l) {
    const int other = l ^ (int)(masks[l] & 31);
    if (warp.state[l] != State::done && warp.state[other] == State::done) throw Error("a thread takes a number from one that has ended");
    values[l] = from[other];
  }
  for (int l = 0; l < lanes; ++l) if (warp.state[l] == State::at_warp_barrier) to[l] = values[l];
}

/// Adds the product of 16 rows and 8 columns over 16 terms, which lie in the threads' registers as PTX's manual draws them.
inline void multiply(Warp &warp, const Instruction &i) {
  constexpr int rows = 16, columns = 8, terms = 16;
  float left[rows][terms], right[terms][columns];
  const auto number = [](uint64_t bits) {
    const uint32_t word = (uint32_t)(bits & 0xffff) << 16;
    float value;
    std::memcpy(&value, &word, 4);
    return value;
  };
  for (int l = 0; l < lanes; ++l) {
    if (warp.state[l] == State::done) throw Error("a tensor product lacks a thread that has ended");
    const int group = l / 4, member = l % 4;
    for (int half = 0; half < 2; ++half) {
      for (int p = 0; p < 4; ++p) left[group + p % 2 * 8][p / 2 * 8 + 2 * member + half] = number(warp.registers[(size_t)i.operands[4 + p] * lanes + l] >> 16 * half);
      for (int p = 0; p < 2; ++p) right[p * 8 + 2 * member + half][group] = number(warp.registers[(size_t)i.operands[8 + p] * lanes + l] >> 16 * half);
    }
  }
  for (int l = 0; l < lanes; ++l)
    for (int p = 0; p < 4; ++p) {
      const int row = l / 4 + p / 2 * 8, column = 2 * (l % 4) + p % 2;
      const uint32_t bits = warp.registers[(size_t)i.operands[10 + p] * lanes + l];
      float sum;
      std::memcpy(&sum, &bits, 4);
      for (int term = 0; term < terms; ++term) sum += left[row][term] * right[term][column];
      uint32_t result;
      std::memcpy(&result, &sum, 4);
      warp.registers[(size_t)i.operands[p] * lanes + l] = result;
    }
}

}  // namespace ptx
