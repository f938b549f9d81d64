// The memory that a launch may touch, and who has touched each word of it, so that races are found whatever the order of threads.
#pragma once
#include "program.hpp"
#include "ptx_emulator.h"

#include <cstring>
#include <memory>

namespace ptx {

/// A thread, and how many barriers it has passed.
struct Toucher {
  uint32_t block, thread, block_epoch, warp_epoch;
};

/// Who has last written and read a word: as much as the smallest number that a thread writes, a bf16 one.
struct Word {
  static constexpr uint64_t bytes = 2;
  static constexpr uint32_t nobody = ~0u;
  Toucher writer{nobody, 0, 0, 0}, reader{nobody, 0, 0, 0};
  /// Whether others have read it since the same barriers: of the warp, of other warps, of other blocks.
  bool others_of_warp = false, other_warps = false, other_blocks = false;

  /// Whether what `earlier` did is known to have happened before `now`.
  static bool happened(const Toucher &earlier, const Toucher &now) {
    if (earlier.block != now.block) return false;
    if (earlier.thread == now.thread || earlier.block_epoch < now.block_epoch) return true;
    return earlier.thread / 32 == now.thread / 32 && earlier.warp_epoch < now.warp_epoch;
  }

  /// What is wrong with this access, or null.
  const char *touch(const Toucher &now, bool writes) {
    if (writer.block != nobody && !happened(writer, now))
      return writes ? "two threads write a word without a barrier between them" : "a word is read that another thread writes, without a barrier between them";
    if (writes) {
      if (reader.block != nobody && !readers_happened(now)) return "a word is written that another thread reads, without a barrier between them";
      writer = now;
    } else {
      note_reader(now);
    }
    return nullptr;
  }

 private:
  bool readers_happened(const Toucher &now) const {
    if (other_blocks || reader.block != now.block) return false;
    if (reader.block_epoch < now.block_epoch) return true;
    if (other_warps || reader.thread / 32 != now.thread / 32) return false;
    return reader.warp_epoch < now.warp_epoch || (reader.thread == now.thread && !others_of_warp);
  }

  void note_reader(const Toucher &now) {
    if (reader.block != nobody) {
      if (reader.block != now.block) other_blocks = true;
      else if (reader.block_epoch < now.block_epoch) others_of_warp = other_warps = false;
      else if (reader.thread / 32 != now.thread / 32) other_warps = true;
      else if (reader.warp_epoch < now.warp_epoch) others_of_warp = false;
      else if (reader.thread != now.thread) others_of_warp = true;
    }
    reader = now;
  }
};

/// One range of memory with its words' history, that of many words at a time where one of them is touched.
class Range {
 public:
  const uint64_t base;
  const size_t bytes;

  Range(uint64_t base, size_t bytes) : base(base), bytes(bytes), pages_((bytes / Word::bytes + words_of_page) / words_of_page) {}

  Word &word(uint64_t number) {
    auto &page = pages_[number / words_of_page];
    if (!page) page = std::make_unique<Word[]>(words_of_page);
    return page[number % words_of_page];
  }

  void forget() {
    for (auto &page : pages_) page.reset();
  }

  bool contains(uint64_t address, size_t size) const { return address >= base && address - base <= bytes && size <= bytes - (address - base); }

 private:
  static constexpr size_t words_of_page = 256;
  std::vector<std::unique_ptr<Word[]>> pages_;
};

/// The ranges of device memory.
class Memory {
 public:
  Memory(const ptx_memory *ranges, size_t count) {
    for (size_t i = 0; i < count; ++i) ranges_.emplace_back((uint64_t)ranges[i].base, ranges[i].bytes);
  }

  /// The bytes at an address of device memory.
  char *at(uint64_t address, size_t size, const Toucher &who, bool writes) {
    if (address % size) throw Error("an access of device memory is not aligned");
    if (last_ >= ranges_.size() || !ranges_[last_].contains(address, size)) {
      for (last_ = 0; last_ < ranges_.size(); ++last_) if (ranges_[last_].contains(address, size)) break;
      if (last_ == ranges_.size()) throw Error("an access outside of device memory");
    }
    touch(ranges_[last_], address - ranges_[last_].base, size, who, writes);
    return (char *)address;
  }

  static void touch(Range &range, uint64_t offset, size_t size, const Toucher &who, bool writes) {
    for (uint64_t word = offset / Word::bytes; word <= (offset + size - 1) / Word::bytes; ++word)
      if (const char *problem = range.word(word).touch(who, writes)) throw Error(problem);
  }

 private:
  std::vector<Range> ranges_;
  size_t last_ = 0;
};

}  // namespace ptx
