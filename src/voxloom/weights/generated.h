#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "voxloom/weights/state_dict.h"

namespace voxloom::weights {

/// Deterministic stand-in weights: numbers made from key names, so that tests, golden values and
/// benches have a full network without a download. They were never trained: what such a network
/// answers has no meaning beyond being reproducible.
///
/// For element i of key k: u = the top 24 bits of splitmix64(FNV-1a-64(k) + i + 0x9E3779B97F4A7C15)
/// over 2^23, minus 1, in [-1, 1). The value then depends on the key, first match:
///   ends with "positional_encoding_gaussian_matrix"          1.5 u
///   one dimension, ends with "weight"                        1 + 0.1 u
///   ends with "gamma"                                        u
///   two dimensions or more, ends with ".weight", holds
///   neither "embed" nor "token"                              u sqrt(3 / (numel / shape[0]))
///   anything else                                            0.3 u
/// computed in double precision and rounded to float32; "...pred_obj_score_head.layers.2.bias" is
/// 5, so that objects count as present.

/// One line of a key list.
struct KeyShape {
  std::string name;
  std::vector<int64_t> shape;
};

/// Reads lines `name (d0, d1, ...)`; blank lines are skipped. Throws kDataCorrupt naming file and
/// line, kNotFound for a missing file.
[[nodiscard]] std::vector<KeyShape> read_key_list(const std::filesystem::path& path);

/// u of the rule above, for element `index` of `key`.
[[nodiscard]] double stand_in_unit(std::string_view key, uint64_t index);

/// `scale` u for each element: the golden files' inputs ("input.images" with scale 2, ...).
[[nodiscard]] std::vector<float> stand_in_input(std::string_view key, int64_t count, double scale);

/// The tensor of one key.
[[nodiscard]] TensorView stand_in_tensor(const KeyShape& key);

/// All tensors of a list, in its order, made in parallel.
[[nodiscard]] StateDict make_stand_in_weights(std::span<const KeyShape> keys);

}  // namespace voxloom::weights
