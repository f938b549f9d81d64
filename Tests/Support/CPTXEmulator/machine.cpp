// Runs a function's blocks, one after the other.
#include "block.hpp"

#include <cstdio>

namespace ptx {
namespace {

void launch(
    const Program &program, const char *name, unsigned blocks, unsigned threads, unsigned shared_bytes, const uint64_t *parameters, size_t count,
    Memory &memory, uint64_t order) {
  const auto found = program.find(name);
  if (found == program.end()) throw Error("there is no function of this name");
  const Function &function = found->second;
  const size_t words = std::accumulate(function.parameters.begin(), function.parameters.end(), 0u) / 8;
  if (words != count) throw Error("it has " + std::to_string(words) + " words of parameters, not " + std::to_string(count));
  if (threads > 1024 || threads == 0 || blocks == 0) throw Error("it cannot have so many threads");
  if (function.shared_bytes > 48 << 10) throw Error("it names more than 48 KiB of shared memory");
  if (function.shared_bytes + shared_bytes > 227 << 10) throw Error("it takes more than 227 KiB of shared memory");
  std::vector<unsigned> turns(blocks);
  std::iota(turns.begin(), turns.end(), 0);
  std::mt19937_64 random(order);
  if (order) std::shuffle(turns.begin(), turns.end(), random);
  Block block(function, memory, parameters, count, blocks, threads, shared_bytes, order);
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

size_t ptx_parameter_bytes(const ptx_module *module, const char *name, int number) {
  const auto found = module->program.find(name);
  return found == module->program.end() ? 0 : found->second.parameters.at(number);
}

const char *ptx_encode_tensor_map(
    void *map, uint64_t address, unsigned axes, const uint64_t *extents, const uint64_t *strides, const uint32_t *box) {
  if ((uintptr_t)map % PTX_TENSOR_MAP_ALIGNMENT) return "a description of an array lies at an odd address";
  ptx::TensorMap known = {ptx::TensorMap::right_magic, address, axes, {}, {}, {}};
  if (axes <= ptx::TensorMap::most_axes)
    for (unsigned axis = 0; axis < axes; ++axis) {
      known.extents[axis] = (uint32_t)extents[axis];
      known.box[axis] = box[axis];
      if (axis > 0) known.strides[axis - 1] = strides[axis - 1];
    }
  if (const char *problem = known.problem()) return problem;
  std::memset(map, 0, PTX_TENSOR_MAP_BYTES);
  std::memcpy(map, &known, sizeof known);
  return nullptr;
}

int ptx_launch(
    const ptx_module *module, const char *name, unsigned blocks, unsigned threads, unsigned shared_bytes, const uint64_t *parameters, size_t count,
    const ptx_memory *memory, size_t memory_count, uint64_t order, char *error, size_t error_size) {
  try {
    ptx::Memory ranges(memory, memory_count);
    ptx::launch(module->program, name, blocks, threads, shared_bytes, parameters, count, ranges, order);
    return 0;
  } catch (const std::exception &problem) {
    ptx::copy(std::string(name) + ": " + problem.what(), error, error_size);
    return 1;
  }
}
