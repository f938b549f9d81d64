// Runs a function: blocks one after the other, the threads of a block in warps, in an order that a number chooses.
#include "memory.hpp"
#include "arithmetic.hpp"

#include <algorithm>
#include <memory>
#include <numeric>
#include <random>

namespace ptx {
namespace {

constexpr int lanes = 32;

enum class State : uint8_t { running, at_warp_barrier, at_block_barrier, done };

struct Warp {
  std::vector<uint64_t> registers;
  int pc[lanes] = {};
  State state[lanes] = {};
  uint32_t epoch = 0;
  unsigned first = 0;
};

class Block {
 public:
  Block(
      const Function &function, Memory &memory, const uint64_t *parameters, size_t count, unsigned blocks, unsigned threads, uint64_t order)
      : function_(function), memory_(memory), parameters_(parameters), parameter_bytes_(8 * count), blocks_(blocks), threads_(threads), order_(order), random_(order),
        shared_(function.shared_bytes + 16), range_((uint64_t)shared_.data(), function.shared_bytes), local_((size_t)threads * function.local_bytes),
        warps_((threads + lanes - 1) / lanes) {}

  void run(unsigned block) {
    block_ = block;
    epoch_ = 0;
    range_.forget();
    // What nobody has written is not a number.
    std::fill(shared_.begin(), shared_.end(), (char)0xff);
    for (size_t w = 0; w < warps_.size(); ++w) begin(warps_[w], w);
    std::vector<size_t> turns(warps_.size());
    std::iota(turns.begin(), turns.end(), 0);
    for (;;) {
      if (order_) std::shuffle(turns.begin(), turns.end(), random_);
      bool ran = false;
      for (size_t w : turns) ran |= advance(warps_[w]);
      if (ran) continue;
      if (!pass_block_barrier()) break;
    }
  }

 private:
  void begin(Warp &warp, size_t number) {
    warp.registers.assign((size_t)function_.register_count * lanes, 0);
    warp.first = number * lanes;
    warp.epoch = 0;
    for (int l = 0; l < lanes; ++l) {
      warp.pc[l] = 0;
      warp.state[l] = warp.first + l < threads_ ? State::running : State::done;
    }
    for (const Literal &literal : function_.literals) std::fill_n(&warp.registers[(size_t)literal.reg * lanes], lanes, literal.value);
    for (const SpecialRegister &special : function_.specials)
      for (int l = 0; l < lanes; ++l) {
        uint64_t &value = warp.registers[(size_t)special.reg * lanes + l];
        switch (special.which) {
          case Special::thread: value = warp.first + l; break;
          case Special::block: value = block_; break;
          case Special::threads: value = threads_; break;
          case Special::blocks: value = blocks_; break;
          case Special::lane: value = l; break;
        }
      }
  }

  /// Runs a warp until none of its threads can go on; whether any could.
  bool advance(Warp &warp) {
    bool ran = false;
    for (;;) {
      const uint32_t mask = choose(warp);
      if (mask) {
        run(warp, mask);
        ran = true;
        continue;
      }
      if (!pass_warp_barrier(warp)) return ran;
      ran = true;
    }
  }

  /// Threads that go on together: those farthest behind, or one of them alone.
  uint32_t choose(const Warp &warp) {
    int least = INT32_MAX;
    uint32_t running = 0, mask = 0;
    for (int l = 0; l < lanes; ++l)
      if (warp.state[l] == State::running) {
        running |= 1u << l;
        least = std::min(least, warp.pc[l]);
      }
    if (!running) return 0;
    if (order_) {
      // Some thread, alone or with those that stand where it does.
      int pick = random_() % lanes;
      while (!(running >> pick & 1)) pick = (pick + 1) % lanes;
      if (random_() % 2) return 1u << pick;
      least = warp.pc[pick];
    }
    for (int l = 0; l < lanes; ++l) if (running >> l & 1 && warp.pc[l] == least) mask |= 1u << l;
    return mask;
  }

  bool pass_warp_barrier(Warp &warp) {
    int waiting = 0, at = -1;
    for (int l = 0; l < lanes; ++l) {
      if (warp.state[l] == State::done) continue;
      if (warp.state[l] != State::at_warp_barrier) return false;
      if (at >= 0 && warp.pc[l] != at) throw Error("threads of a warp wait at different barriers");
      at = warp.pc[l];
      ++waiting;
    }
    if (!waiting) return false;
    const Instruction &i = function_.code[at];
    if (i.op == Op::shuffle_xor) shuffle(warp, i);
    else if (i.op == Op::tensor_product) multiply(warp, i);
    else ++warp.epoch;
    for (int l = 0; l < lanes; ++l)
      if (warp.state[l] == State::at_warp_barrier) {
        warp.state[l] = State::running;
        ++warp.pc[l];
      }
    return true;
  }

  void shuffle(Warp &warp, const Instruction &i) {
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
  void multiply(Warp &warp, const Instruction &i) {
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

  bool pass_block_barrier() {
    bool waits = false;
    int at = -1;
    for (const Warp &warp : warps_)
      for (int l = 0; l < lanes; ++l) {
        if (warp.state[l] == State::done) continue;
        if (warp.state[l] != State::at_block_barrier) throw Error("some threads of a warp wait at a barrier that others do not reach");
        if (at >= 0 && warp.pc[l] != at) throw Error("threads of a block wait at different barriers");
        at = warp.pc[l];
        waits = true;
      }
    if (!waits) return false;
    ++epoch_;
    for (Warp &warp : warps_)
      for (int l = 0; l < lanes; ++l)
        if (warp.state[l] == State::at_block_barrier) {
          warp.state[l] = State::running;
          ++warp.pc[l];
        }
    return true;
  }

  /// Runs the threads of `mask`, which stand at the same instruction, until they part or wait.
  void run(Warp &warp, uint32_t mask) {
    int pc = warp.pc[__builtin_ctz(mask)];
    // In other orders than the first, threads go a random way before others do.
    int left = order_ ? 1 + random_() % 64 : INT32_MAX;
    uint64_t *registers = warp.registers.data();
    while (left-- > 0) {
      const Instruction &i = function_.code[pc];
      uint32_t active = mask;
      if (i.guard >= 0)
        for (int l = 0; l < lanes; ++l)
          if ((registers[(size_t)i.guard * lanes + l] != 0) == i.guard_negated) active &= ~(1u << l);
      switch (i.op) {
        case Op::branch:
          if (active == mask) {
            // A loop gives others a turn, so that those of a warp meet again.
            pc = i.target;
            if (!only_these_run(warp, mask)) return park(warp, mask, pc);
            continue;
          }
          if (active == 0) break;
          park(warp, active, i.target);
          return park(warp, mask & ~active, pc + 1);
        case Op::exit:
          for (int l = 0; l < lanes; ++l) if (active >> l & 1) warp.state[l] = State::done;
          if (active != mask) park(warp, mask & ~active, pc + 1);
          return;
        case Op::shuffle_xor: case Op::tensor_product: case Op::warp_barrier: case Op::block_barrier:
          if (active != mask) throw Error("a barrier has a guard");
          park(warp, mask, pc, i.op == Op::block_barrier ? State::at_block_barrier : State::at_warp_barrier);
          return;
        case Op::load: case Op::store:
          try {
            access(warp, i, active);
          } catch (const Error &error) {
            throw Error(std::string(error.what()) + ", at '" + function_.texts[pc] + "'");
          }
          break;
        case Op::load_parameter:
          for (int l = 0; l < lanes; ++l)
            if (active >> l & 1) registers[(size_t)i.operands[0] * lanes + l] = parameter(registers[(size_t)i.operands[1] * lanes + l] + i.offset, size_of(i.type));
          break;
        default: calculate(i, registers, active, lanes);
      }
      ++pc;
      // Where threads that part have met again they go on together.
      if (!order_ && mask != ~0u && someone_waits_at(warp, mask, pc)) return park(warp, mask, pc);
    }
    park(warp, mask, pc);
  }

  uint64_t parameter(uint64_t address, size_t size) const {
    if (address % size || address >= parameter_bytes_ || address + size > parameter_bytes_) throw Error("a parameter is read outside of all of them");
    uint64_t value = 0;
    std::memcpy(&value, (const char *)parameters_ + address, size);
    return value;
  }

  static bool only_these_run(const Warp &warp, uint32_t mask) {
    for (int l = 0; l < lanes; ++l) if (!(mask >> l & 1) && warp.state[l] == State::running) return false;
    return true;
  }

  static bool someone_waits_at(const Warp &warp, uint32_t mask, int pc) {
    for (int l = 0; l < lanes; ++l) if (!(mask >> l & 1) && warp.state[l] == State::running && warp.pc[l] <= pc) return true;
    return false;
  }

  static void park(Warp &warp, uint32_t mask, int pc, State state = State::running) {
    for (int l = 0; l < lanes; ++l)
      if (mask >> l & 1) {
        warp.pc[l] = pc;
        warp.state[l] = state;
      }
  }

  void access(Warp &warp, const Instruction &i, uint32_t active) {
    const size_t size = size_of(i.type), total = size * i.width;
    for (int l = 0; l < lanes; ++l) {
      if (!(active >> l & 1)) continue;
      const Toucher who{block_, warp.first + l, epoch_, warp.epoch};
      uint64_t address = warp.registers[(size_t)i.operands[i.width] * lanes + l] + i.offset;
      char *at = bytes(i.space, address, total, who, i.op == Op::store);
      for (int e = 0; e < i.width; ++e) {
        uint64_t &value = warp.registers[(size_t)i.operands[e] * lanes + l];
        if (i.op == Op::store) {
          std::memcpy(at + e * size, &value, size);
        } else {
          value = 0;
          std::memcpy(&value, at + e * size, size);
          if (i.type == Type::s8) value = (uint64_t)(int64_t)(int8_t)value;
          if (i.type == Type::s16) value = (uint64_t)(int64_t)(int16_t)value;
        }
      }
    }
  }

  char *bytes(Space space, uint64_t address, size_t size, const Toucher &who, bool writes) {
    if (space == Space::generic) {
      space = address >= local_window ? Space::local : address >= shared_window ? Space::shared : Space::global;
      if (space == Space::shared) address -= shared_window;
      if (space == Space::local) address -= local_window;
    }
    if (space == Space::global) return memory_.at(address, size, who, writes);
    if (address % size) throw Error("an access of shared or local memory is not aligned");
    if (space == Space::local) {
      if (address + size > function_.local_bytes) throw Error("an access outside of local memory");
      return local_.data() + (size_t)who.thread * function_.local_bytes + address;
    }
    if (address >= function_.shared_bytes || address + size > function_.shared_bytes) throw Error("an access outside of shared memory");
    Memory::touch(range_, address, size, who, writes);
    return shared_.data() + address;
  }

  const Function &function_;
  Memory &memory_;
  const uint64_t *parameters_;
  size_t parameter_bytes_;
  unsigned blocks_, threads_, block_ = 0;
  uint32_t epoch_ = 0;
  uint64_t order_;
  std::mt19937_64 random_;
  std::vector<char> shared_;
  Range range_;
  std::vector<char> local_;
  std::vector<Warp> warps_;
};

void launch(
    const Program &program, const char *name, unsigned blocks, unsigned threads, const uint64_t *parameters, size_t count, Memory &memory,
    uint64_t order) {
  const auto found = program.find(name);
  if (found == program.end()) throw Error("there is no function of this name");
  const Function &function = found->second;
  const size_t words = std::accumulate(function.parameters.begin(), function.parameters.end(), (size_t)0);
  if (words != count) throw Error("its parameters take " + std::to_string(words) + " words, not " + std::to_string(count));
  if (threads > 1024 || threads == 0 || blocks == 0) throw Error("it cannot have so many threads");
  if (function.shared_bytes > 48 << 10) throw Error("it takes more than 48 KiB of shared memory");
  std::vector<unsigned> turns(blocks);
  std::iota(turns.begin(), turns.end(), 0);
  std::mt19937_64 random(order);
  if (order) std::shuffle(turns.begin(), turns.end(), random);
  Block block(function, memory, parameters, count, blocks, threads, order);
  for (unsigned turn : turns) block.run(turn);
}

void copy(const std::string &message, char *error, size_t size) {
  if (size) std::snprintf(error, size, "%s", message.c_str());
}

}  // namespace
}  // namespace ptx

struct ptx_module {
  ptx::Program program;
};

ptx_module *ptx_module_load(const char *text, char *error, size_t error_size) {
  try {
    return new ptx_module{ptx::parse(text)};
  } catch (const std::exception &problem) {
    ptx::copy(problem.what(), error, error_size);
    return nullptr;
  }
}

void ptx_module_free(ptx_module *module) { delete module; }

int ptx_parameter_count(const ptx_module *module, const char *name) {
  const auto found = module->program.find(name);
  return found == module->program.end() ? -1 : (int)found->second.parameters.size();
}

size_t ptx_parameter_words(const ptx_module *module, const char *name, size_t number) {
  const auto found = module->program.find(name);
  return found == module->program.end() || number >= found->second.parameters.size() ? 0 : found->second.parameters[number];
}

int ptx_launch(
    const ptx_module *module, const char *name, unsigned blocks, unsigned threads, const uint64_t *parameters, size_t count,
    const ptx_memory *memory, size_t memory_count, uint64_t order, char *error, size_t error_size) {
  try {
    ptx::Memory ranges(memory, memory_count);
    ptx::launch(module->program, name, blocks, threads, parameters, count, ranges, order);
    return 0;
  } catch (const std::exception &problem) {
    ptx::copy(std::string(name) + ": " + problem.what(), error, error_size);
    return 1;
  }
}
