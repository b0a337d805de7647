#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "voxloom/dataset/data_check.h"

namespace voxloom::dataset {

/// For a person: counts, files, rules, near duplicates (the closest ones).
[[nodiscard]] std::string check_table(const DataCheck& check);

/// Everything, for programs.
[[nodiscard]] nlohmann::ordered_json check_json(const DataCheck& check);

/// A page in one file with the closest pairs side by side, at most `pictures` of them.
[[nodiscard]] std::string check_html(const DataCheck& check, int64_t pictures);

}  // namespace voxloom::dataset
