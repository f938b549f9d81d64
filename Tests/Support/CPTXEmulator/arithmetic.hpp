// What instructions without memory compute, for all active threads of a warp.
#pragma once
#include "program.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>

namespace ptx {

template <class T> T value_of(uint64_t bits) {
  T value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

template <class T> uint64_t bits_of(T value) {
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  return bits;
}

/// Calls `work` with a number of the C++ type that `type` means.
template <class Work> void with_type(Type type, bool is_signed_as_written, const Work &work) {
  (void)is_signed_as_written;
  switch (type) {
    case Type::pred: case Type::b8: case Type::u8: return work(uint8_t());
    case Type::s8: return work(int8_t());
    case Type::b16: case Type::u16: return work(uint16_t());
    case Type::s16: return work(int16_t());
    case Type::b32: case Type::u32: return work(uint32_t());
    case Type::s32: return work(int32_t());
    case Type::b64: case Type::u64: return work(uint64_t());
    case Type::s64: return work(int64_t());
    case Type::f32: return work(float());
    case Type::f64: return work(double());
  }
}

template <class T> struct Twice { using type = T; };
template <> struct Twice<uint16_t> { using type = uint32_t; };
template <> struct Twice<int16_t> { using type = int32_t; };
template <> struct Twice<uint32_t> { using type = uint64_t; };
template <> struct Twice<int32_t> { using type = int64_t; };
template <> struct Twice<uint64_t> { using type = unsigned __int128; };
template <> struct Twice<int64_t> { using type = __int128; };

template <class T> T shifted_left(T x, uint32_t n) { return n >= 8 * sizeof(T) ? 0 : (T)(x << n); }
template <class T> T shifted_right(T x, uint32_t n) {
  if (n >= 8 * sizeof(T)) return x < 0 ? (T)-1 : 0;
  return x >> n;
}

template <class T> bool compare(Comparison how, T x, T y) {
  const bool ordered = x == x && y == y;
  switch (how) {
    case Comparison::eq: return x == y;
    case Comparison::ne: return ordered && x != y;
    case Comparison::lt: return x < y;
    case Comparison::le: return x <= y;
    case Comparison::gt: return x > y;
    case Comparison::ge: return x >= y;
    case Comparison::equ: return !ordered || x == y;
    case Comparison::neu: return x != y;
    case Comparison::ltu: return !ordered || x < y;
    case Comparison::leu: return !ordered || x <= y;
    case Comparison::gtu: return !ordered || x > y;
    case Comparison::geu: return !ordered || x >= y;
    case Comparison::num: return ordered;
    case Comparison::nan: return !ordered;
  }
  return false;
}

template <class T> T rounded(Rounding how, T x) {
  switch (how) {
    case Rounding::nearest: return std::nearbyint(x);
    case Rounding::zero: return std::trunc(x);
    case Rounding::down: return std::floor(x);
    case Rounding::up: return std::ceil(x);
    case Rounding::none: return x;
  }
  return x;
}

/// A number of one type as one of another.
template <class To, class From> To converted(Rounding how, From x) {
  if constexpr (std::is_floating_point_v<From>) {
    const From whole = rounded(how, x);
    if constexpr (std::is_floating_point_v<To>) return (To)whole;
    else {
      // Too large numbers become the largest, what is no number becomes 0.
      if (whole != whole) return 0;
      if (whole >= (From)std::numeric_limits<To>::max()) return std::numeric_limits<To>::max();
      if (whole <= (From)std::numeric_limits<To>::lowest()) return std::numeric_limits<To>::lowest();
      return (To)whole;
    }
  } else {
    return (To)x;
  }
}

/// Registers are written for active threads only.
template <class Work> void for_each(uint32_t active, int lanes, const Work &work) {
  if (active == ~0u) {
    for (int l = 0; l < lanes; ++l) work(l);
  } else {
    for (uint32_t rest = active; rest; rest &= rest - 1) work(__builtin_ctz(rest));
  }
}

inline void calculate(const Instruction &i, uint64_t *registers, uint32_t active, int lanes) {
  const auto at = [&](int n) { return registers + (size_t)i.operands[n] * lanes; };
  uint64_t *d = at(0);
  const uint64_t *x = i.operands[1] >= 0 ? at(1) : nullptr, *y = i.operands[2] >= 0 ? at(2) : nullptr, *z = i.operands[3] >= 0 ? at(3) : nullptr;
  const auto each = [&](const auto &work) { for_each(active, lanes, work); };
  switch (i.op) {
    case Op::mov: return each([&](int l) { d[l] = x[l]; });
    case Op::pack: {
      const unsigned bits = 8 * size_of(i.type) / i.width;
      return each([&](int l) {
        uint64_t value = 0;
        for (int e = 0; e < i.width; ++e) value |= (at(1 + e)[l] & ((1ull << bits) - 1)) << (bits * e);
        d[l] = value;
      });
    }
    case Op::unpack: {
      const unsigned bits = 8 * size_of(i.type) / i.width;
      return each([&](int l) {
        const uint64_t value = at(i.width)[l];
        for (int e = 0; e < i.width; ++e) at(e)[l] = value >> (bits * e) & ((1ull << bits) - 1);
      });
    }
    case Op::selp: return each([&](int l) { d[l] = z[l] ? x[l] : y[l]; });
    case Op::cvt:
      return with_type(i.from, true, [&](auto from) {
        with_type(i.type, true, [&](auto to) {
          using From = decltype(from);
          using To = decltype(to);
          each([&](int l) { d[l] = bits_of<To>(converted<To>(i.rounding, value_of<From>(x[l]))); });
        });
      });
    default: break;
  }
  with_type(i.type, true, [&](auto kind) {
    using T = decltype(kind);
    using W = typename Twice<T>::type;
    const auto set = [&](const auto &work) { each([&](int l) { d[l] = bits_of<T>(work(l)); }); };
    const auto X = [&](int l) { return value_of<T>(x[l]); };
    const auto Y = [&](int l) { return value_of<T>(y[l]); };
    const auto Z = [&](int l) { return value_of<T>(z[l]); };
    switch (i.op) {
      case Op::add: return set([&](int l) { return (T)(X(l) + Y(l)); });
      case Op::sub: return set([&](int l) { return (T)(X(l) - Y(l)); });
      case Op::mul_lo: return set([&](int l) { return (T)((W)X(l) * (W)Y(l)); });
      case Op::mad_lo: return set([&](int l) { return (T)((W)X(l) * (W)Y(l) + (W)Z(l)); });
      case Op::mul_wide: return each([&](int l) { d[l] = (uint64_t)((W)X(l) * (W)Y(l)); });
      case Op::mad_wide: return each([&](int l) { d[l] = (uint64_t)((W)X(l) * (W)Y(l)) + z[l]; });
      case Op::min: return set([&](int l) { return X(l) != X(l) ? Y(l) : Y(l) < X(l) ? Y(l) : X(l); });
      case Op::max: return set([&](int l) { return X(l) != X(l) ? Y(l) : Y(l) > X(l) ? Y(l) : X(l); });
      case Op::setp: {
        const uint64_t *with = i.combined ? at(3) : nullptr;
        return each([&](int l) {
          bool result = compare<T>(i.comparison, X(l), Y(l));
          if (with) {
            const bool other = (with[l] != 0) != i.negated_operand;
            result = i.combined == '&' ? result && other : i.combined == '|' ? result || other : result != other;
          }
          d[l] = result;
        });
      }
      default: break;
    }
    if constexpr (std::is_floating_point_v<T>) {
      switch (i.op) {
        case Op::fma: return set([&](int l) { return std::fma(X(l), Y(l), Z(l)); });
        case Op::div: return set([&](int l) { return X(l) / Y(l); });
        case Op::neg: return set([&](int l) { return -X(l); });
        case Op::abs: return set([&](int l) { return std::fabs(X(l)); });
        case Op::sqrt: return set([&](int l) { return std::sqrt(X(l)); });
        case Op::rcp: return set([&](int l) { return (T)1 / X(l); });
        case Op::rsqrt: return set([&](int l) { return (T)1 / std::sqrt(X(l)); });
        case Op::ex2: return set([&](int l) { return std::exp2(X(l)); });
        case Op::lg2: return set([&](int l) { return std::log2(X(l)); });
        default: throw Error("an instruction of floating-point numbers is not emulated");
      }
    } else {
      switch (i.op) {
        case Op::mul_hi: return set([&](int l) { return (T)(((W)X(l) * (W)Y(l)) >> (8 * sizeof(T))); });
        case Op::div: return set([&](int l) { return Y(l) == 0 ? (T)-1 : (T)(X(l) / Y(l)); });
        case Op::rem: return set([&](int l) { return Y(l) == 0 ? X(l) : (T)(X(l) % Y(l)); });
        case Op::neg: return set([&](int l) { return (T)-X(l); });
        case Op::abs: return set([&](int l) { return X(l) < 0 ? (T)-X(l) : X(l); });
        case Op::and_: return set([&](int l) { return (T)(X(l) & Y(l)); });
        case Op::or_: return set([&](int l) { return (T)(X(l) | Y(l)); });
        case Op::xor_: return set([&](int l) { return (T)(X(l) ^ Y(l)); });
        case Op::not_:
          return set([&](int l) { return i.type == Type::pred ? (T)(X(l) == 0) : (T)~X(l); });
        case Op::shl: return set([&](int l) { return shifted_left<T>(X(l), (uint32_t)y[l]); });
        case Op::shr: return set([&](int l) { return shifted_right<T>(X(l), (uint32_t)y[l]); });
        case Op::bfe:
          return set([&](int l) {
            const uint32_t position = y[l] & 255, length = z[l] & 255;
            if (length == 0 || position >= 8 * sizeof(T)) return (T)0;
            const T left = shifted_left<T>(X(l), std::max<int>(0, 8 * sizeof(T) - position - length));
            return shifted_right<T>(left, std::max<int>(position, 8 * sizeof(T) - length));
          });
        default: throw Error("an instruction of integers is not emulated");
      }
    }
  });
}

}  // namespace ptx
