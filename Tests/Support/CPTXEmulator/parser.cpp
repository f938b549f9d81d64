// Reads PTX as clang and nvcc write it.
#include "words.hpp"

#include <algorithm>
#include <cstring>

namespace ptx {
namespace {

/// Reads one function.
class Reader {
 public:
  /// `shared` are the module's arrays in shared memory.
  Reader(const std::map<std::string, unsigned> &shared, unsigned shared_bytes) : symbols_(shared.begin(), shared.end()) {
    function_.shared_bytes = shared_bytes;
  }

  void parameters(const std::string &list) {
    unsigned offset = 0;
    for (const std::string &declaration : split(list, ',')) {
      const Names words = split_words(declaration);
      if (words.size() < 3) fail("a parameter '" + declaration + "' is not understood");
      const size_t bracket = words.back().find('[');
      const std::string name = words.back().substr(0, bracket);
      // Each takes whole words of 8 bytes.
      const unsigned bytes = bracket == std::string::npos ? 8 : std::atoi(words.back().c_str() + bracket + 1);
      if (bytes % 8) fail("a parameter '" + declaration + "' is not understood");
      symbols_[name] = parameter_window + offset;
      function_.parameters.push_back(bytes);
      offset += bytes;
    }
  }

  Function read(const std::string &body) {
    for (std::string statement : split_statements(body)) read_statement(statement);
    for (auto &[instruction, label] : jumps_) {
      const auto found = labels_.find(label);
      if (found == labels_.end()) fail("there is no label '" + label + "'");
      function_.code[instruction].target = found->second;
    }
    Instruction end;
    end.op = Op::exit;
    function_.code.push_back(end);
    function_.register_count = next_register_;
    return std::move(function_);
  }

 private:
  static Names split_words(const std::string &text) {
    Names words;
    std::string word;
    for (char c : text + " ") {
      if (!std::isspace((unsigned char)c)) word += c;
      else if (!word.empty()) words.push_back(word), word.clear();
    }
    return words;
  }

  static Names split_statements(const std::string &body) {
    Names statements;
    std::string statement;
    int depth = 0;
    for (size_t at = 0; at < body.size(); ++at) {
      const char c = body[at];
      if (c == '{') {
        // Braces around statements begin a scope, those inside of an instruction a vector.
        if (trimmed(statement).empty()) continue;
        ++depth;
      }
      if (c == '}') {
        if (depth == 0) continue;
        --depth;
      }
      if (c == ';') {
        statements.push_back(trimmed(statement));
        statement.clear();
      } else if (body.compare(at, 2, "::") == 0) {
        statement += "::";
        ++at;
      } else if (c == ':' && depth == 0 && trimmed(statement).find_first_of(" \t[") == std::string::npos) {
        statements.push_back(trimmed(statement) + ":");
        statement.clear();
      } else {
        statement += c;
      }
    }
    return statements;
  }

  void read_statement(const std::string &statement) {
    if (statement.empty() || statement.rfind(".reg", 0) == 0 || statement.rfind(".loc\t", 0) == 0 || statement.rfind(".loc ", 0) == 0 || statement.rfind(".pragma", 0) == 0) return;
    if (statement.back() == ':') {
      labels_[statement.substr(0, statement.size() - 1)] = function_.code.size();
      return;
    }
    if (statement.rfind(".local", 0) == 0) {
      const size_t name = statement.find_last_of(" \t"), bracket = statement.find('[');
      symbols_[statement.substr(name + 1, bracket - name - 1)] = 0;
      function_.local_bytes += std::atoi(statement.c_str() + bracket + 1);
      return;
    }
    if (statement[0] == '.') fail("a directive '" + statement + "' is not understood");
    Instruction instruction;
    std::string text = statement;
    if (text[0] == '@') {
      const size_t end = text.find_first_of(" \t");
      instruction.guard_negated = text[1] == '!';
      instruction.guard = reg(text.substr(instruction.guard_negated ? 2 : 1, end - (instruction.guard_negated ? 2 : 1)));
      text = trimmed(text.substr(end));
    }
    const size_t space = text.find_first_of(" \t");
    const std::string name = text.substr(0, space);
    const Names operands = space == std::string::npos ? Names() : split(text.substr(space), ',');
    decode(name, split(name, '.'), operands, instruction);
    function_.texts.resize(function_.code.size(), statement);
    if (function_.code.size() > 1u << 24) fail("a function is too long");
  }

  void decode(const std::string &name, const Names &parts, const Names &operands, Instruction &i) {
    const std::string &op = parts[0];
    const auto has = [&](const char *part) { return std::find(parts.begin(), parts.end(), part) != parts.end(); };
    const auto emit = [&](Op kind) { i.op = kind, function_.code.push_back(i); };
    if (op == "ret" || op == "exit") return emit(Op::exit);
    if (op == "bra") {
      jumps_.push_back({function_.code.size(), operands.at(0)});
      return emit(Op::branch);
    }
    if (asynchronous(name, op, has, operands, i)) return;
    if (op == "bar" || op == "barrier") return emit(has("warp") ? Op::warp_barrier : Op::block_barrier);
    if (op == "shfl") {
      if (!has("bfly") || operands.at(4) != "-1") fail("'" + name + "' of some threads is not emulated");
      set_operands(i, {result(operands[0].substr(0, operands[0].find('|'))), value(operands[1]), value(operands[2])});
      return emit(Op::shuffle_xor);
    }
    if (op == "mma") {
      if (name != "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32") fail("'" + name + "' is not emulated");
      std::vector<int> list;
      for (const std::string &vector : operands)
        for (const std::string &member : split(vector.substr(1, vector.size() - 2), ',')) list.push_back(list.size() < 4 ? result(member) : value(member));
      set_operands(i, list);
      return emit(Op::tensor_product);
    }
    i.type = type_named(parts.back());
    if (op == "ld" && has("param")) return parameter(name, operands, i);
    if (op == "ld" || op == "st") return memory(op == "ld", has, operands, i);
    if (op == "mov") return move(operands, i);
    if (op == "cvta") return convert_address(has("to"), has, operands, i);
    if (op == "cvt") return convert(parts, has, operands, i);
    if (op == "setp") return compare(parts, has, operands, i);
    std::vector<int> list = {result(operands.at(0))};
    for (size_t n = 1; n < operands.size(); ++n) list.push_back(value(operands[n], i.type));
    set_operands(i, list);
    if (op == "mul") return emit(i.type == Type::f32 || i.type == Type::f64 || has("lo") ? Op::mul_lo : has("wide") ? Op::mul_wide : Op::mul_hi);
    if (op == "mad") return emit(has("wide") ? Op::mad_wide : Op::mad_lo);
    const auto found = plain.find(op);
    if (found == plain.end()) fail("'" + name + "' is not emulated");
    if (has("ftz")) fail("'" + name + "' flushes subnormal numbers, which is not emulated");
    emit(found->second);
  }

  /// Reads a load of a parameter, or of neighbouring words of it.
  void parameter(const std::string &name, const Names &operands, Instruction &i) {
    const auto [base, offset] = address(operands.at(1));
    const bool is_vector = operands[0][0] == '{';
    i.op = Op::load_parameter;
    i.offset = offset;
    for (const std::string &member : is_vector ? split(operands[0].substr(1, operands[0].size() - 2), ',') : Names{operands[0]}) {
      if (is_vector && member == base) fail("'" + name + "' loads its own address");
      set_operands(i, {result(member), value(base)});
      function_.code.push_back(i);
      i.offset += size_of(i.type);
    }
  }

  template <class Has> void convert(const Names &parts, const Has &has, const Names &operands, Instruction &i) {
    i.op = Op::cvt;
    i.from = i.type;
    i.type = type_named(parts[parts.size() - 2]);
    for (auto [text, rounding] : {std::pair{"rni", Rounding::nearest}, {"rzi", Rounding::zero}, {"rmi", Rounding::down}, {"rpi", Rounding::up}})
      if (has(text)) i.rounding = rounding;
    set_operands(i, {result(operands.at(0)), value(operands.at(1), i.from)});
    function_.code.push_back(i);
  }

  template <class Has> void compare(const Names &parts, const Has &has, const Names &operands, Instruction &i) {
    i.op = Op::setp;
    i.comparison = comparisons.at(parts[1]);
    for (auto [text, letter] : {std::pair{"and", '&'}, {"or", '|'}, {"xor", '^'}})
      if (has(text)) i.combined = letter;
    std::vector<int> list = {result(operands.at(0)), value(operands.at(1), i.type), value(operands.at(2), i.type)};
    if (i.combined) {
      i.negated_operand = operands.at(3)[0] == '!';
      list.push_back(reg(operands[3].substr(i.negated_operand)));
    }
    set_operands(i, list);
    function_.code.push_back(i);
  }

  /// Reads what barriers in shared memory, the tensor copy engine and warp groups do; whether it is that.
  template <class Has> bool asynchronous(const std::string &name, const std::string &op, const Has &has, const Names &operands, Instruction &i) {
    const auto emit = [&](Op kind, const std::vector<int> &list) {
      set_operands(i, list);
      i.op = kind;
      function_.code.push_back(i);
    };
    const auto pointed = [&](const std::string &text) { return value(text.substr(1, text.size() - 2)); };
    if (op == "fence" || op == "setmaxnreg" || (op == "wgmma" && has("fence"))) return true;
    if (op == "mbarrier" && has("init")) return emit(Op::barrier_init, {pointed(operands.at(0)), value(operands.at(1))}), true;
    if (op == "mbarrier" && has("arrive")) return emit(Op::barrier_arrive, {pointed(operands.at(1)), has("expect_tx") ? value(operands.at(2)) : literal(0)}), true;
    if (op == "mbarrier" && has("try_wait")) return emit(Op::barrier_wait, {result(operands.at(0)), pointed(operands.at(1)), value(operands.at(2))}), true;
    if (op == "cp" && has("tensor")) {
      const Names source = split(operands.at(1).substr(1, operands[1].size() - 2), ',');
      std::vector<int> list = {pointed(operands[0]), pointed(operands.at(2)), value(source.at(0))};
      for (const std::string &coordinate : split(source.at(1).substr(1, source[1].size() - 2), ',')) list.push_back(value(coordinate));
      i.width = list.size() - 3;
      return emit(Op::copy_tile, list), true;
    }
    if (op == "wgmma" && has("commit_group")) return emit(Op::commit_products, {}), true;
    if (op == "wgmma" && has("wait_group")) return emit(Op::wait_for_products, {value(operands.at(0))}), true;
    if (op != "wgmma") return false;
    int columns = 0;
    char rest[32] = "";
    std::sscanf(name.c_str(), "wgmma.mma_async.sync.aligned.m64n%dk16.%31s", &columns, rest);
    if (std::string(rest) != "f32.bf16.bf16" || operands.at(4) != "1" || operands.at(5) != "1") fail("'" + name + "' is not emulated");
    std::vector<int> list;
    for (const std::string &sum : split(operands[0].substr(1, operands[0].size() - 2), ',')) list.push_back(result(sum));
    if ((int)list.size() != columns / 2) fail("'" + name + "' has a wrong number of sums");
    for (int n = 1; n <= 3; ++n) list.push_back(value(operands.at(n)));
    i.target = function_.lists.size();
    i.offset = std::atoi(operands.at(6).c_str()) | std::atoi(operands.at(7).c_str()) << 1;
    function_.lists.push_back(list);
    return emit(Op::group_product, {}), true;
  }

  template <class Has> void memory(bool loads, const Has &has, const Names &operands, Instruction &i) {
    i.space = has("shared") ? Space::shared : has("global") ? Space::global : has("local") ? Space::local : Space::generic;
    const std::string &data = operands.at(loads ? 0 : 1);
    const auto [base, offset] = address(operands.at(loads ? 1 : 0));
    std::vector<int> list;
    const Names names = data[0] == '{' ? split(data.substr(1, data.size() - 2), ',') : Names{data};
    for (const std::string &name : names) list.push_back(loads ? result(name) : value(name, i.type));
    i.width = names.size();
    i.offset = offset;
    list.push_back(value(base));
    set_operands(i, list);
    i.op = loads ? Op::load : Op::store;
    function_.code.push_back(i);
  }

  void move(const Names &operands, Instruction &i) {
    const bool packs = operands.at(1)[0] == '{', unpacks = operands[0][0] == '{';
    std::vector<int> list;
    const auto members = [](const std::string &text) { return split(text.substr(1, text.size() - 2), ','); };
    if (unpacks) for (const auto &name : members(operands[0])) list.push_back(name == "_" ? next_register_++ : result(name));
    else list.push_back(result(operands[0]));
    if (packs) for (const auto &name : members(operands[1])) list.push_back(value(name));
    else list.push_back(value(operands[1], i.type));
    set_operands(i, list);
    i.width = list.size() - 1;
    i.op = packs ? Op::pack : unpacks ? Op::unpack : Op::mov;
    function_.code.push_back(i);
  }

  template <class Has> void convert_address(bool leaves, const Has &has, const Names &operands, Instruction &i) {
    const uint64_t window = has("shared") ? shared_window : has("local") ? local_window : 0;
    set_operands(i, {result(operands.at(0)), value(operands.at(1)), literal(leaves ? -window : window)});
    i.op = Op::add;
    function_.code.push_back(i);
  }

  std::pair<std::string, int64_t> address(const std::string &text) {
    const std::string inner = text.substr(1, text.size() - 2);
    const size_t plus = inner.find('+');
    return {trimmed(inner.substr(0, plus)), plus == std::string::npos ? 0 : std::strtoll(inner.c_str() + plus + 1, nullptr, 0)};
  }

  void set_operands(Instruction &i, const std::vector<int> &list) {
    if (list.size() > std::size(i.operands)) fail("an instruction has too many operands");
    std::copy(list.begin(), list.end(), i.operands);
  }

  int reg(const std::string &name) {
    const auto [found, is_new] = registers_.try_emplace(name, next_register_);
    if (is_new) ++next_register_;
    return found->second;
  }

  int result(const std::string &name) {
    if (name.empty() || name[0] != '%') fail("'" + name + "' cannot be written");
    return reg(name);
  }

  int literal(uint64_t value) {
    const auto [found, is_new] = literals_.try_emplace(value, next_register_);
    if (is_new) function_.literals.push_back({next_register_++, value});
    return found->second;
  }

  int special(const std::string &name) {
    static const std::map<std::string, Special> names = {
        {"%tid.x", Special::thread}, {"%ctaid.x", Special::block}, {"%ntid.x", Special::threads}, {"%nctaid.x", Special::blocks}, {"%laneid", Special::lane}};
    const auto found = names.find(name);
    if (found == names.end()) return -1;
    if (!registers_.count(name)) function_.specials.push_back({reg(name), found->second});
    return reg(name);
  }

  /// The register that holds an operand.
  int value(const std::string &text, Type = Type::b64) {
    if (text[0] == '%') {
      const int known = special(text);
      return known >= 0 ? known : reg(text);
    }
    if (text.rfind("0f", 0) == 0 || text.rfind("0F", 0) == 0) return literal(std::strtoul(text.c_str() + 2, nullptr, 16));
    if (text.rfind("0d", 0) == 0 || text.rfind("0D", 0) == 0) return literal(std::strtoull(text.c_str() + 2, nullptr, 16));
    if (text[0] == '-' || std::isdigit((unsigned char)text[0])) return literal(text[0] == '-' ? (uint64_t)std::strtoll(text.c_str(), nullptr, 0) : std::strtoull(text.c_str(), nullptr, 0));
    const auto found = symbols_.find(text);
    if (found == symbols_.end()) fail("'" + text + "' is nothing that is known");
    return literal(found->second);
  }

  Function function_;
  std::map<std::string, uint64_t> symbols_;
  std::map<std::string, int> registers_;
  std::map<uint64_t, int> literals_;
  std::map<std::string, int> labels_;
  std::vector<std::pair<size_t, std::string>> jumps_;
  int next_register_ = 0;
};

/// The position of the brace that closes the one at `open`.
size_t closing(const std::string &text, size_t open) {
  int depth = 0;
  for (size_t i = open; i < text.size(); ++i) {
    if (text[i] == '{') ++depth;
    if (text[i] == '}' && --depth == 0) return i;
  }
  fail("a brace is not closed");
}

struct SharedArray {
  std::string name;
  /// No bytes are as many as a launch gives.
  unsigned alignment, bytes;
};

const char *const shared_directive = ".shared .align";

/// The arrays in shared memory, which may stand before, between or in functions.
std::vector<SharedArray> shared_arrays(const std::string &text) {
  std::vector<SharedArray> arrays;
  for (size_t at = text.find(shared_directive); at != std::string::npos; at = text.find(shared_directive, at + 1)) {
    const std::string declaration = text.substr(at, text.find(';', at) - at);
    const size_t name = declaration.find(".b8 ") + 4, bracket = declaration.find('[');
    if (name == 3 + std::string::npos || bracket == std::string::npos) fail("'" + declaration + "' is not understood");
    const unsigned alignment = std::atoi(declaration.c_str() + std::strlen(shared_directive));
    arrays.push_back({trimmed(declaration.substr(name, bracket - name)), alignment, (unsigned)std::atoi(declaration.c_str() + bracket + 1)});
  }
  return arrays;
}

}  // namespace

Program parse(const std::string &source) {
  const std::string text = without_comments(source);
  const std::vector<SharedArray> arrays = shared_arrays(text);
  Program program;
  for (size_t at = text.find(".entry"); at != std::string::npos; at = text.find(".entry", at + 1)) {
    const size_t list = text.find('(', at), list_end = text.find(')', list);
    const size_t open = text.find('{', list_end), close = closing(text, open);
    const std::string name = trimmed(text.substr(at + 6, list - at - 6));
    std::string body = text.substr(open + 1, close - open - 1);
    std::map<std::string, unsigned> shared;
    unsigned bytes = 0;
    for (const SharedArray &array : arrays) {
      // Only what this function names takes memory of it.
      if (body.find(array.name) == std::string::npos) continue;
      bytes = (bytes + array.alignment - 1) / array.alignment * array.alignment;
      shared[array.name] = bytes;
      bytes += array.bytes;
    }
    for (const SharedArray &array : arrays)
      if (array.bytes == 0 && shared.count(array.name)) shared[array.name] = bytes = (bytes + array.alignment - 1) / array.alignment * array.alignment;
    for (size_t s; (s = body.find(shared_directive)) != std::string::npos;) body.erase(s, body.find(';', s) + 1 - s);
    Reader reader(shared, bytes);
    reader.parameters(text.substr(list + 1, list_end - list - 1));
    program.emplace(name, reader.read(body));
  }
  return program;
}

}  // namespace ptx
