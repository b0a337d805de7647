#pragma once

#include <filesystem>

#include <nlohmann/json_fwd.hpp>

namespace voxloom::dataset {

inline constexpr const char* kUnsealLog = "unsealed.jsonl";

/// Appends one line {"time": <UTC, ISO 8601>, ...entry} and waits until the disk has it. The file
/// is opened for appending only, so that two programs never overwrite each other's lines, and a
/// line that a crash cut off stays on its own. Nothing can show that no line was taken away: keep
/// the folder under an account that the users of the data can't write with.
/// Throws kUnavailable naming the file.
void append_unsealing(const std::filesystem::path& log, const nlohmann::ordered_json& entry);

}  // namespace voxloom::dataset
