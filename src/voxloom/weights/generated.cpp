#include "voxloom/weights/generated.h"

#include <cmath>
#include <cstring>

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/error.h"
#include "voxloom/core/mapped_file.h"
#include "voxloom/core/parallel.h"

namespace voxloom::weights {
namespace {

constexpr int64_t kMostElements = int64_t{1} << 33;

uint64_t fnv1a(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  return hash;
}

double unit(uint64_t hash, uint64_t index) {
  uint64_t z = hash + index + 0x9E3779B97F4A7C15;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  z ^= z >> 31;
  return static_cast<double>(z >> 40) / static_cast<double>(1 << 23) - 1.0;
}

/// value = base + scale u.
struct Rule {
  double base = 0, scale = 0;
};

Rule rule_for(const KeyShape& key, int64_t count) {
  const std::string_view name = key.name;
  const auto holds = [&](std::string_view part) { return name.find(part) != name.npos; };
  if (name.ends_with("pred_obj_score_head.layers.2.bias")) return {5, 0};
  if (name.ends_with("positional_encoding_gaussian_matrix")) return {0, 1.5};
  if (key.shape.size() == 1 && name.ends_with("weight")) return {1, 0.1};
  if (name.ends_with("gamma")) return {0, 1};
  if (key.shape.size() >= 2 && name.ends_with(".weight") && !holds("embed") && !holds("token")) {
    const double fan = static_cast<double>(count) / static_cast<double>(key.shape[0]);
    return {0, std::sqrt(3.0 / fan)};
  }
  return {0, 0.3};
}

KeyShape parse_line(std::string_view line, const std::string& where) {
  const auto bad = [&]() -> Error {
    return Error(ErrorCode::kDataCorrupt, where + ": must read 'name (d0, d1, ...)'");
  };
  const size_t open = line.find(" (");
  if (open == 0 || open == line.npos || line.back() != ')') throw bad();
  KeyShape key{std::string(line.substr(0, open)), {}};
  std::string_view list = line.substr(open + 2, line.size() - open - 3);
  while (!list.empty()) {
    size_t digits = 0;
    int64_t value = 0;
    while (digits < list.size() && list[digits] >= '0' && list[digits] <= '9') {
      value = value * 10 + (list[digits++] - '0');
      if (value > kMostElements) throw bad();
    }
    if (digits == 0) throw bad();
    list.remove_prefix(digits);
    key.shape.push_back(value);
    if (list.starts_with(", ")) {
      list.remove_prefix(2);
    } else if (list == ",") {
      list = {};
    } else if (!list.empty()) {
      throw bad();
    }
  }
  VOXLOOM_CHECK(element_count_of(key.shape, where) <= kMostElements,
                ErrorCode::kUnsupported,
                "{}: shape {} is too large",
                where,
                key.shape);
  return key;
}

}  // namespace

std::vector<KeyShape> read_key_list(const std::filesystem::path& path) {
  const std::string text = read_text_file(path);
  std::vector<KeyShape> keys;
  size_t number = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = std::string_view(text).substr(at, end - at);
    ++number;
    if (!line.empty()) {
      keys.push_back(parse_line(line, format("key list '{}', line {}", path.string(), number)));
    }
    at = end + 1;
  }
  return keys;
}

double stand_in_unit(std::string_view key, uint64_t index) {
  return unit(fnv1a(key), index);
}

std::vector<float> stand_in_input(std::string_view key, int64_t count, double scale) {
  VOXLOOM_CHECK(count >= 0 && count <= kMostElements,
                ErrorCode::kInvalidArgument,
                "stand-in input '{}': count must be 0 to {}, got {}",
                key,
                kMostElements,
                count);
  std::vector<float> values(static_cast<size_t>(count));
  const uint64_t hash = fnv1a(key);
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(scale * unit(hash, i));
  }
  return values;
}

TensorView stand_in_tensor(const KeyShape& key) {
  const int64_t count = element_count_of(key.shape, "stand-in tensor '" + key.name + "'");
  VOXLOOM_CHECK(count <= kMostElements,
                ErrorCode::kInvalidArgument,
                "stand-in tensor '{}': shape {} is too large",
                key.name,
                key.shape);
  const Rule rule = rule_for(key, count);
  const uint64_t hash = fnv1a(key.name);
  auto values = std::make_shared<std::vector<float>>(static_cast<size_t>(count));
  parallel_for(0, count, 1 << 16, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      const double value = rule.base + rule.scale * unit(hash, static_cast<uint64_t>(i));
      (*values)[static_cast<size_t>(i)] = static_cast<float>(value);
    }
  });
  const auto bytes = std::as_bytes(std::span<const float>(*values));
  return {DType::kF32, key.shape, bytes, std::move(values)};
}

StateDict make_stand_in_weights(std::span<const KeyShape> keys) {
  StateDict dict;
  for (const KeyShape& key : keys) dict.add(key.name, stand_in_tensor(key));
  return dict;
}

}  // namespace voxloom::weights
