// Runs a block's threads, warp after warp, in an order that a number chooses.
#pragma once
#include "arithmetic.hpp"
#include "engine.hpp"
#include "warp.hpp"

#include <algorithm>
#include <numeric>
#include <random>

namespace ptx {

class Block {
 public:
  Block(
      const Function &function, Memory &memory, const uint64_t *parameters, size_t count, unsigned blocks, unsigned threads, unsigned shared_bytes,
      uint64_t order)
      : function_(function), memory_(memory), parameters_(parameters), parameter_bytes_(8 * count), blocks_(blocks), threads_(threads), order_(order), random_(order),
        shared_bytes_(function.shared_bytes + shared_bytes), shared_(shared_bytes_ + 16), range_((uint64_t)shared_.data(), shared_bytes_), local_((size_t)threads * function.local_bytes),
        warps_((threads + lanes - 1) / lanes) {}

  void run(unsigned block) {
    block_ = block;
    epoch_ = 0;
    range_.forget();
    // What nobody has written is not a number.
    std::fill(shared_.begin(), shared_.end(), (char)0xff);
    for (size_t w = 0; w < warps_.size(); ++w) begin(warps_[w], w);
    Engine engine(shared_, memory_, warps_.size());
    engine_ = &engine;
    std::vector<size_t> turns(warps_.size());
    std::iota(turns.begin(), turns.end(), 0);
    for (;;) {
      if (order_) std::shuffle(turns.begin(), turns.end(), random_);
      bool ran = false;
      for (size_t w : turns) ran |= advance(warps_[w]);
      if (ran || engine.deliver_all()) continue;
      if (!pass_block_barrier()) break;
    }
    engine.end();
  }

 private:
  void begin(Warp &warp, size_t number) {
    warp.registers.assign((size_t)function_.register_count * lanes, 0);
    warp.first = number * lanes;
    warp.epoch = warp.begun = warp.ended = 0;
    warp.owed.assign(function_.lists.empty() ? 0 : function_.register_count, 0);
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
  uint32_t choose(Warp &warp) {
    wake(warp);
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

  /// Lets threads go on whose barrier in shared memory has come.
  void wake(Warp &warp) {
    for (int l = 0; l < lanes; ++l)
      if (warp.state[l] == State::at_shared_barrier && has_ended(warp, function_.code[warp.pc[l]], l)) warp.state[l] = State::running;
  }

  bool has_ended(Warp &warp, const Instruction &i, int lane) {
    const uint64_t *registers = warp.registers.data();
    // In other orders than the first, copies may take some time.
    const bool comes = !order_ || random_() % 2;
    return engine_->has_ended(registers[(size_t)i.operands[1] * lanes + lane], registers[(size_t)i.operands[2] * lanes + lane] & 1, warp.first + lane, comes);
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
    else if (i.op == Op::group_product || i.op == Op::commit_products || i.op == Op::wait_for_products) multiply_as_group(warp, i);
    else ++warp.epoch;
    for (int l = 0; l < lanes; ++l)
      if (warp.state[l] == State::at_warp_barrier) {
        warp.state[l] = State::running;
        ++warp.pc[l];
      }
    return true;
  }

  /// What a warp does of its group's products.
  void multiply_as_group(Warp &warp, const Instruction &i) {
    for (int l = 0; l < lanes; ++l) if (warp.state[l] == State::done) throw Error("a product of a warp group lacks a thread that has ended");
    uint64_t *registers = warp.registers.data();
    const unsigned number = warp.first / lanes;
    if (i.op == Op::commit_products) {
      engine_->commit(number);
      ++warp.begun;
    } else if (i.op == Op::wait_for_products) {
      warp.ended += engine_->wait(number, registers[(size_t)i.operands[0] * lanes]);
    } else {
      const std::vector<int> &list = function_.lists[i.target];
      const size_t count = list.size() - 3;
      const auto description = [&](size_t n) {
        const uint64_t *values = registers + (size_t)list[count + n] * lanes;
        for (int l = 1; l < lanes; ++l) if (values[l] != values[0]) throw Error("threads disagree about a product of their warp group");
        return values[0];
      };
      const bool adds = description(2);
      for (size_t n = 0; n < count; ++n) {
        if (!adds) std::fill_n(registers + (size_t)list[n] * lanes, lanes, 0);
        warp.owed[list[n]] = warp.begun + 1;
      }
      engine_->multiply(number, 2 * count, description(0), description(1), i.offset, [&](int lane, int n) -> float & {
        return *reinterpret_cast<float *>(registers + (size_t)list[n] * lanes + lane);
      });
    }
  }

  /// Sees to it that an instruction uses no sum of products that are not waited for; compilers may give it another name.
  void check_sums(Warp &warp, const Instruction &i) {
    if (i.op == Op::mov) {
      warp.owed[i.operands[0]] = warp.owed[i.operands[1]];
      return;
    }
    for (int operand : i.operands)
      if (operand >= 0 && warp.owed[operand] > warp.ended) throw Error("a sum is used that products still add to");
  }

  bool pass_block_barrier() {
    bool waits = false;
    int at = -1;
    for (const Warp &warp : warps_)
      for (int l = 0; l < lanes; ++l) {
        if (warp.state[l] == State::done) continue;
        if (warp.state[l] == State::at_shared_barrier) throw Error("threads wait for a barrier in shared memory at which others do not arrive");
        if (warp.state[l] != State::at_block_barrier) throw Error("some threads of a warp wait at a barrier that others do not reach");
        if (at >= 0 && warp.pc[l] != at) throw Error("threads of a block wait at different barriers");
        at = warp.pc[l];
        waits = true;
      }
    if (!waits) return false;
    ++epoch_;
    engine_->pass_block_barrier();
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
      if (warp.begun > warp.ended || (!warp.owed.empty() && i.op == Op::mov)) named(pc, [&] { check_sums(warp, i); });
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
        case Op::group_product: case Op::commit_products: case Op::wait_for_products:
          if (active != mask) throw Error("a barrier has a guard");
          park(warp, mask, pc, i.op == Op::block_barrier ? State::at_block_barrier : State::at_warp_barrier);
          return;
        case Op::load: case Op::store: named(pc, [&] { access(warp, i, active); }); break;
        case Op::barrier_wait: {
          if (active != mask) throw Error("a wait for a barrier in shared memory has a guard");
          bool ended = true;
          for (int l = 0; l < lanes; ++l) if (mask >> l & 1) ended &= has_ended(warp, i, l);
          if (!ended) return park(warp, mask, pc, State::at_shared_barrier);
          for (int l = 0; l < lanes; ++l) if (mask >> l & 1) registers[(size_t)i.operands[0] * lanes + l] = 1;
          break;
        }
        case Op::barrier_init: case Op::barrier_arrive: case Op::copy_tile: named(pc, [&] { ask_engine(warp, i, active); }); break;
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

  /// Does `work`, whose errors name the instruction at `pc`.
  template <class Work> void named(int pc, const Work &work) {
    try {
      work();
    } catch (const Error &error) {
      throw Error(std::string(error.what()) + ", at '" + function_.texts[pc] + "'");
    }
  }

  uint64_t parameter(uint64_t address, size_t size) const {
    address -= parameter_window;
    if (address % size || address >= parameter_bytes_ || address + size > parameter_bytes_) throw Error("a parameter is read outside of all of them");
    uint64_t value = 0;
    std::memcpy(&value, (const char *)parameters_ + address, size);
    return value;
  }

  void ask_engine(Warp &warp, const Instruction &i, uint32_t active) {
    for (int l = 0; l < lanes; ++l) {
      if (!(active >> l & 1)) continue;
      const auto operand = [&](int n) { return warp.registers[(size_t)i.operands[n] * lanes + l]; };
      const Toucher who{block_, warp.first + l, epoch_, warp.epoch};
      if (i.op == Op::copy_tile) {
        const uint64_t map = operand(2) - parameter_window;
        if (map >= 1u << 12) throw Error("a copy's description of an array is no parameter");
        int32_t place[TensorMap::most_axes] = {};
        for (int axis = 0; axis < i.width; ++axis) place[axis] = (int32_t)operand(3 + axis);
        TensorMap known;
        std::memcpy(&known, (const char *)parameters_ + map, sizeof known);
        if (known.axes != i.width) throw Error("a copy has too few or too many coordinates");
        engine_->copy(operand(0), operand(1), known, place, who);
      } else {
        // Those who make a barrier write it, and those who use it have to know of that.
        bytes(Space::shared, operand(0), 8, who, i.op == Op::barrier_init);
        if (i.op == Op::barrier_init) engine_->init(operand(0), operand(1));
        else engine_->arrive(operand(0), operand(1), who.thread);
      }
    }
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
    if (address >= shared_bytes_ || address + size > shared_bytes_) throw Error("an access outside of shared memory");
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
  unsigned shared_bytes_;
  std::vector<char> shared_;
  Range range_;
  Engine *engine_ = nullptr;
  std::vector<char> local_;
  std::vector<Warp> warps_;
};

}  // namespace ptx
