// Words of PTX: how its text is cut, and what names mean.
#pragma once
#include "program.hpp"

#include <cctype>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

namespace ptx {

using Names = std::vector<std::string>;

[[noreturn]] inline void fail(const std::string &what) { throw Error("PTX: " + what); }

inline std::string without_comments(const std::string &text) {
  std::string result;
  for (size_t i = 0; i < text.size();) {
    if (text.compare(i, 2, "//") == 0) {
      while (i < text.size() && text[i] != '\n') ++i;
    } else if (text.compare(i, 2, "/*") == 0) {
      const size_t end = text.find("*/", i);
      i = end == std::string::npos ? text.size() : end + 2;
    } else {
      result += text[i++];
    }
  }
  return result;
}

inline std::string trimmed(const std::string &text) {
  const size_t begin = text.find_first_not_of(" \t\r\n"), end = text.find_last_not_of(" \t\r\n");
  return begin == std::string::npos ? "" : text.substr(begin, end - begin + 1);
}

/// The parts of `text` between separators that are in no brackets.
inline Names split(const std::string &text, char separator) {
  Names parts;
  std::string part;
  int depth = 0;
  for (char c : text) {
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') --depth;
    if (c == separator && depth == 0) {
      parts.push_back(trimmed(part));
      part.clear();
    } else {
      part += c;
    }
  }
  if (!trimmed(part).empty()) parts.push_back(trimmed(part));
  return parts;
}

inline Type type_named(const std::string &name) {
  static const std::map<std::string, Type> types = {
      {"pred", Type::pred}, {"b8", Type::b8},   {"s8", Type::s8},   {"u8", Type::u8},   {"b16", Type::b16},
      {"s16", Type::s16},   {"u16", Type::u16}, {"b32", Type::b32}, {"s32", Type::s32}, {"u32", Type::u32},
      {"b64", Type::b64},   {"s64", Type::s64}, {"u64", Type::u64}, {"f32", Type::f32}, {"f64", Type::f64}};
  const auto found = types.find(name);
  if (found == types.end()) fail("there is no type '" + name + "' here");
  return found->second;
}

inline const std::map<std::string, Op> plain = {
    {"add", Op::add}, {"sub", Op::sub}, {"fma", Op::fma},   {"div", Op::div},     {"rem", Op::rem},   {"min", Op::min},
    {"max", Op::max}, {"neg", Op::neg}, {"abs", Op::abs},   {"and", Op::and_},    {"or", Op::or_},    {"xor", Op::xor_},
    {"not", Op::not_}, {"shl", Op::shl}, {"shr", Op::shr},  {"bfe", Op::bfe},     {"selp", Op::selp}, {"sqrt", Op::sqrt},
    {"rcp", Op::rcp}, {"rsqrt", Op::rsqrt}, {"ex2", Op::ex2}, {"lg2", Op::lg2}};

inline const std::map<std::string, Comparison> comparisons = {
    {"eq", Comparison::eq},   {"ne", Comparison::ne},   {"lt", Comparison::lt},   {"le", Comparison::le},
    {"gt", Comparison::gt},   {"ge", Comparison::ge},   {"lo", Comparison::lt},   {"ls", Comparison::le},
    {"hi", Comparison::gt},   {"hs", Comparison::ge},   {"equ", Comparison::equ}, {"neu", Comparison::neu},
    {"ltu", Comparison::ltu}, {"leu", Comparison::leu}, {"gtu", Comparison::gtu}, {"geu", Comparison::geu},
    {"num", Comparison::num}, {"nan", Comparison::nan}};

}  // namespace ptx
