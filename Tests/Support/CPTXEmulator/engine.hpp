// What happens beside a block's threads: barriers in shared memory, copies by the tensor copy engine, and products of warp groups.
#pragma once
#include "memory.hpp"
#include "tensor_map.hpp"

#include <cstring>
#include <deque>
#include <map>

namespace ptx {

/// Keeps what threads know of each other by barriers, so that a wait that is missing is found whatever the order of threads.
///
/// A copy comes when somebody looks at its barrier. A product is made at once, but the tiles that it reads, and its sums, are in use until
/// its thread waits for it.
class Engine {
 public:
  Engine(std::vector<char> &shared, Memory &memory, size_t warps)
      : shared_(shared), memory_(memory), groups_(warps), open_(warps), blocks_(shared.size() / block_bytes + 1) {}

  // MARK: Barriers

  void init(uint64_t address, uint32_t arrivals) {
    if (arrivals == 0) throw Error("a barrier in shared memory waits for nobody");
    barriers_[address] = Barrier{arrivals, arrivals, 0, 0, {}, {}};
  }

  void arrive(uint64_t address, uint32_t bytes, unsigned thread) {
    Barrier &barrier = at(address);
    if (barrier.pending == 0) throw Error("more threads arrive at a barrier than it waits for");
    barrier.arrivals_of[thread / 32].push_back({barrier.phase, ++time_});
    barrier.bytes += bytes;
    --barrier.pending;
    end_phase(barrier);
  }

  /// Whether the phase of a parity has ended, now that copies to the barrier may come.
  bool has_ended(uint64_t address, uint32_t parity, unsigned thread, bool comes) {
    Barrier &barrier = at(address);
    if (comes) deliver(address);
    if ((barrier.phase & 1) == parity) return false;
    barrier.seen[thread] = barrier.phase;
    return true;
  }

  void pass_block_barrier() { block_barrier_ = ++time_; }

  // MARK: Copies

  void copy(uint64_t to, uint64_t barrier, const TensorMap &map, const int32_t *place, const Toucher &who) {
    if (map.magic != TensorMap::right_magic) throw Error("a copy has no description of an array");
    if (to % block_bytes) throw Error("a tile does not begin at a multiple of 1024 bytes");
    const uint64_t bytes = (uint64_t)map.lines() * TensorMap::line_bytes;
    if (to + bytes > shared_.size()) throw Error("a tile ends outside of shared memory");
    at(barrier);
    tiles_.push_back({to, barrier, map, {}, who, 0, false, 0});
    std::copy(place, place + map.axes, tiles_.back().place);
    for (uint64_t block = to / block_bytes; block < (to + bytes + block_bytes - 1) / block_bytes; ++block) overwrite(block, who);
  }

  /// Lets all copies come that are under way; whether there were any.
  bool deliver_all() {
    bool any = false;
    for (auto &entry : barriers_) any |= deliver(entry.first);
    return any;
  }

  // MARK: Products

  /// Multiplies 16 of a warp group's 64 rows, those of one warp: `sum(lane, number)` is a sum of a thread.
  template <class Sum> void multiply(unsigned warp, int columns, uint64_t left, uint64_t right, int layouts, const Sum &sum) {
    std::vector<bool> touched(blocks_.size());
    const auto number = [&](uint64_t description, int at, int term, bool lines_hold_terms) {
      const uint64_t address = place(description, at, term, lines_hold_terms);
      if (address + 2 > shared_.size()) throw Error("a product reads outside of shared memory");
      touched[address / block_bytes] = true;
      uint16_t bits;
      std::memcpy(&bits, &shared_[address], 2);
      const uint32_t word = (uint32_t)bits << 16;
      float value;
      std::memcpy(&value, &word, 4);
      return value;
    };
    std::vector<float> rows(16 * 16), others((size_t)columns * 16);
    for (int term = 0; term < 16; ++term) {
      for (int row = 0; row < 16; ++row) rows[row * 16 + term] = number(left, warp % 4 * 16 + row, term, !(layouts & 1));
      for (int column = 0; column < columns; ++column) others[column * 16 + term] = number(right, column, term, !(layouts & 2));
    }
    for (size_t block = 0; block < touched.size(); ++block) {
      if (!touched[block]) continue;
      use(block, warp);
      open_[warp].push_back(block);
    }
    for (int lane = 0; lane < 32; ++lane)
      for (int n = 0; n < columns / 2; ++n) {
        float &total = sum(lane, n);
        const float *l = &rows[(lane / 4 + n / 2 % 2 * 8) * 16], *r = &others[(n / 4 * 8 + lane % 4 * 2 + n % 2) * 16];
        for (int term = 0; term < 16; ++term) total += l[term] * r[term];
      }
  }

  void commit(unsigned warp) {
    groups_[warp].push_back(std::move(open_[warp]));
    open_[warp].clear();
  }

  /// Waits until at most `left` groups of products run; how many have ended now.
  uint32_t wait(unsigned warp, size_t left) {
    uint32_t ended = 0;
    for (; groups_[warp].size() > left; ++ended) {
      for (uint64_t block : groups_[warp].front()) {
        --blocks_[block].running;
        blocks_[block].read_until[warp] = ++time_;
      }
      groups_[warp].pop_front();
    }
    return ended;
  }

  /// What is left undone when a block's threads have ended.
  void end() {
    for (const Tile &tile : tiles_) if (!tile.came) throw Error("a block ends while a tile is copied to it");
    for (size_t warp = 0; warp < groups_.size(); ++warp)
      if (!groups_[warp].empty() || !open_[warp].empty()) throw Error("a block ends while products of it run");
  }

 private:
  /// Bytes of eight lines, over which the swizzle repeats.
  static constexpr uint64_t block_bytes = 1024;

  struct Arrival {
    uint32_t phase;
    uint64_t time;
  };

  struct Barrier {
    uint32_t arrivals, pending;
    int64_t bytes;
    /// Phases that have ended.
    uint32_t phase;
    /// By warp, and by thread the phases whose end it knows of.
    std::map<unsigned, std::vector<Arrival>> arrivals_of;
    std::map<unsigned, uint32_t> seen;
  };

  struct Tile {
    uint64_t to, barrier;
    TensorMap map;
    int32_t place[TensorMap::most_axes];
    Toucher who;
    /// The phase of the barrier that ends with it.
    uint32_t phase;
    bool came;
    unsigned reads;
  };

  /// 1024 bytes of shared memory.
  struct BlockState {
    /// The number of the tile whose part it is, and one; 0 where there is none.
    size_t tile = 0;
    /// Products that read it now, and by warp, when the last has ended.
    int running = 0;
    std::map<unsigned, uint64_t> read_until;
  };

  Barrier &at(uint64_t address) {
    const auto found = barriers_.find(address);
    if (found == barriers_.end()) throw Error("there is no barrier where one is used");
    return found->second;
  }

  static void end_phase(Barrier &barrier) {
    if (barrier.pending || barrier.bytes) return;
    ++barrier.phase;
    barrier.pending = barrier.arrivals;
  }

  /// Whether a thread knows that a warp had come so far.
  bool knows(unsigned thread, unsigned warp, uint64_t time) {
    if (block_barrier_ > time || thread / 32 == warp) return true;
    for (auto &entry : barriers_) {
      Barrier &barrier = entry.second;
      const auto seen = barrier.seen.find(thread);
      if (seen == barrier.seen.end()) continue;
      for (const Arrival &arrival : barrier.arrivals_of[warp])
        if (arrival.phase < seen->second && arrival.time > time) return true;
    }
    return false;
  }

  void overwrite(uint64_t number, const Toucher &who) {
    BlockState &block = blocks_[number];
    if (block.running) throw Error("a tile is overwritten that a product still reads");
    if (block.tile) {
      const Tile &old = tiles_[block.tile - 1];
      if (!old.came) throw Error("a tile is overwritten that is still on its way");
      if (!old.reads) throw Error("a tile is overwritten that nothing has read");
    }
    for (const auto &[warp, time] : block.read_until)
      if (!knows(who.thread, warp, time)) throw Error("a tile is overwritten without a wait for those that read it");
    block.read_until.clear();
    block.tile = tiles_.size();
  }

  void use(uint64_t number, unsigned warp) {
    BlockState &block = blocks_[number];
    if (!block.tile) throw Error("a product reads what no copy has brought");
    Tile &tile = tiles_[block.tile - 1];
    if (!tile.came) throw Error("a product reads a tile that is still on its way");
    const auto &seen = at(tile.barrier).seen;
    for (unsigned lane = 0; lane < 32; ++lane) {
      const auto found = seen.find(32 * warp + lane);
      if (found == seen.end() || found->second <= tile.phase) throw Error("a product reads a tile without a wait for it");
    }
    ++tile.reads;
    ++block.running;
  }

  bool deliver(uint64_t address) {
    bool any = false;
    for (; next_[address] < tiles_.size(); ++next_[address]) {
      Tile &tile = tiles_[next_[address]];
      if (tile.barrier != address) continue;
      write(tile);
      Barrier &barrier = at(address);
      tile.phase = barrier.phase;
      tile.came = any = true;
      barrier.bytes -= (int64_t)tile.map.lines() * TensorMap::line_bytes;
      end_phase(barrier);
    }
    return any;
  }

  void write(const Tile &tile) {
    const TensorMap &map = tile.map;
    for (uint32_t line = 0; line < map.lines(); ++line) {
      int64_t index[TensorMap::most_axes] = {};
      uint32_t rest = line;
      for (uint32_t axis = 1; axis < map.axes; ++axis) {
        index[axis] = (int64_t)tile.place[axis] + rest % map.box[axis];
        rest /= map.box[axis];
      }
      for (uint32_t n = 0; n < map.box[0]; ++n) {
        index[0] = (int64_t)tile.place[0] + n;
        uint16_t value = 0;
        bool is_there = true;
        uint64_t address = map.base + 2 * index[0];
        for (uint32_t axis = 0; axis < map.axes; ++axis) {
          is_there &= index[axis] >= 0 && index[axis] < map.extents[axis];
          if (axis > 0) address += index[axis] * map.strides[axis - 1];
        }
        if (is_there) std::memcpy(&value, memory_.at(address, 2, tile.who, false), 2);
        std::memcpy(&shared_[swizzled(tile.to + line * TensorMap::line_bytes + 2 * n)], &value, 2);
      }
    }
  }

  static uint64_t swizzled(uint64_t address) { return address ^ (address >> 7 & 7) << 4; }

  /// Where a number lies by the description of a tile: of a row or column, and a term.
  static uint64_t place(uint64_t description, int at, int term, bool lines_hold_terms) {
    if (description >> 62 != 1) throw Error("a product's side is described with a swizzle that is not emulated");
    const uint64_t start = (description & 0x3fff) << 4, leading = (description >> 16 & 0x3fff) << 4, stride = (description >> 32 & 0x3fff) << 4;
    const uint64_t address = lines_hold_terms ? start + at / 8 * stride + at % 8 * 128 + term * 2
                                              : start + at / 64 * leading + term / 8 * stride + term % 8 * 128 + at % 64 * 2;
    return swizzled(address);
  }

  std::vector<char> &shared_;
  Memory &memory_;
  uint64_t time_ = 0, block_barrier_ = 0;
  std::map<uint64_t, Barrier> barriers_;
  std::map<uint64_t, size_t> next_;
  std::vector<Tile> tiles_;
  /// By warp: the blocks that its groups of products read, and those of the group that is not ended yet.
  std::vector<std::deque<std::vector<uint64_t>>> groups_;
  std::vector<std::vector<uint64_t>> open_;
  std::vector<BlockState> blocks_;
};

}  // namespace ptx
