// Functions of PTX as lists of instructions whose operands are all registers.
#pragma once
#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace ptx {

struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

enum class Op : uint8_t {
  mov, pack, unpack, add, sub, mul_lo, mul_wide, mul_hi, mad_lo, mad_wide, fma, div, rem, min, max, neg, abs, and_, or_, xor_, not_,
  shl, shr, bfe, selp, setp, cvt, sqrt, rcp, rsqrt, ex2, lg2, load, store, load_parameter, shuffle_xor, tensor_product, warp_barrier, block_barrier, branch, exit,
  barrier_init, barrier_arrive, barrier_wait, copy_tile, group_product, commit_products, wait_for_products,
};

enum class Type : uint8_t { pred, b8, s8, u8, b16, s16, u16, b32, s32, u32, b64, s64, u64, f32, f64 };

inline unsigned size_of(Type type) {
  switch (type) {
    case Type::pred: case Type::b8: case Type::s8: case Type::u8: return 1;
    case Type::b16: case Type::s16: case Type::u16: return 2;
    case Type::b32: case Type::s32: case Type::u32: case Type::f32: return 4;
    default: return 8;
  }
}

enum class Space : uint8_t { generic, global, shared, local };

enum class Comparison : uint8_t { eq, ne, lt, le, gt, ge, equ, neu, ltu, leu, gtu, geu, num, nan };

/// How floating-point numbers become integers.
enum class Rounding : uint8_t { none, nearest, zero, down, up };

struct Instruction {
  Op op = Op::exit;
  Type type = Type::b32;
  /// What is converted from.
  Type from = Type::b32;
  Space space = Space::generic;
  Comparison comparison = Comparison::eq;
  Rounding rounding = Rounding::none;
  /// Of `setp` with a predicate that its result is combined with: how, 0 where there is none.
  char combined = 0;
  bool negated_operand = false;
  /// The register of the guard, or -1, and whether it must be false.
  int guard = -1;
  bool guard_negated = false;
  /// Elements of a vector that is loaded or stored.
  uint8_t width = 1;
  /// Results first, then what is read; of loads and stores the register of the address last.
  int operands[14] = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
  int64_t offset = 0;
  int target = -1;
};

/// A register that holds the same in all threads: a literal or an address.
struct Literal {
  int reg;
  uint64_t value;
};

enum class Special : uint8_t { thread, block, threads, blocks, lane };

struct SpecialRegister {
  int reg;
  Special which;
};

struct Function {
  std::vector<Instruction> code;
  /// Each instruction as it stands in the text.
  std::vector<std::string> texts;
  std::vector<Literal> literals;
  std::vector<SpecialRegister> specials;
  /// Bytes of each parameter, in order, all of them whole words of 8 bytes.
  std::vector<unsigned> parameters;
  /// Operands of products of warp groups: sums, descriptions of both sides, and whether the sums' old values count.
  std::vector<std::vector<int>> lists;
  int register_count = 0;
  unsigned shared_bytes = 0;
  unsigned local_bytes = 0;
};

using Program = std::map<std::string, Function>;

/// Where generic addresses of shared and of local memory begin, and those of parameters.
constexpr uint64_t shared_window = 1ull << 60, local_window = 2ull << 60, parameter_window = 3ull << 60;

Program parse(const std::string &text);

}  // namespace ptx
