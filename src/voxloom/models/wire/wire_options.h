#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "voxloom/core/options.h"

namespace voxloom::models::wire {

/// A list of whole numbers as a setting; its text is "16,32,48".
void list_option(OptionList& list,
                 const std::string& name,
                 std::vector<int64_t>& field,
                 const std::string& help);
/// Numbers: "1,1.5,2".
void list_option(OptionList& list,
                 const std::string& name,
                 std::vector<double>& field,
                 const std::string& help);

/// `start` with the settings of `json` read into it, checked. Throws kInvalidArgument that begins
/// with `where`.
template <class Options>
[[nodiscard]] Options read_options(const nlohmann::ordered_json& json,
                                   const std::string& where,
                                   Options start = {}) {
  OptionList list;
  start.visit(list);
  if (!json.is_null()) list.read_json(json, where);
  start.validate();
  return start;
}

/// All settings with their values.
template <class Options>
[[nodiscard]] nlohmann::ordered_json options_json(Options options) {
  OptionList list;
  options.visit(list);
  return list.to_json();
}

}  // namespace voxloom::models::wire
