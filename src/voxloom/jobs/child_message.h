#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace voxloom::jobs {

/// One line of a job's standard output.
struct ChildMessage {
  std::optional<double> progress;   ///< 0..1.
  std::optional<std::string> text;  ///< For the log.
  std::optional<nlohmann::ordered_json> result;
};

/// Reads {"progress": 0.5, "message": "...", "result": ...}, each key optional; any other line,
/// JSON or not, is text. Never throws for what the line holds; deep JSON (over 64 levels) is text.
[[nodiscard]] ChildMessage parse_child_line(std::string_view line);

}  // namespace voxloom::jobs
