#pragma once

#include <nlohmann/json.hpp>

#include "voxloom/dataset/sample.h"

namespace voxloom::dataset {

/// {"0": "background", "128-255": "vessel"}; unknown ids are left out.
[[nodiscard]] nlohmann::ordered_json class_map_to_json(const ClassMap& map);
/// Throws kDataCorrupt for ids outside [0, 255], ids named twice and unknown class names.
[[nodiscard]] ClassMap class_map_from_json(const nlohmann::ordered_json& json);
/// "0=background,128-255=vessel", as given on a command line. Throws kInvalidArgument.
[[nodiscard]] ClassMap parse_class_map(std::string_view text);

}  // namespace voxloom::dataset
