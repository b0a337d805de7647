#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "voxloom/weights/state_dict.h"

namespace voxloom::tensor {

/// Name and shape of one parameter or buffer.
struct NamedShape {
  std::string name;
  std::vector<int64_t> shape;

  bool operator==(const NamedShape&) const = default;
};

/// What keeps a file from being loaded into a network. All problems, not the first.
struct KeyDiff {
  struct Misshapen {
    std::string name;
    std::vector<int64_t> expected, found;
  };
  std::vector<std::string> missing;     ///< Wanted by the network, not in the file.
  std::vector<std::string> unexpected;  ///< In the file, unknown to the network.
  std::vector<Misshapen> misshapen;

  [[nodiscard]] bool empty() const {
    return missing.empty() && unexpected.empty() && misshapen.empty();
  }

  /// "2 missing keys: 'a', 'b'; 1 key with a wrong shape: 'c' must be [3], got [4]".
  /// At most `limit` names of each kind are printed, totals always.
  [[nodiscard]] std::string describe(size_t limit = 20) const;
};

[[nodiscard]] KeyDiff diff_keys(const std::vector<NamedShape>& expected,
                                const weights::StateDict& found);

}  // namespace voxloom::tensor
