#pragma once

#include <functional>

#include <nlohmann/json.hpp>

#include "voxloom/core/cancel.h"

namespace voxloom::serve {

/// The child's part of POST /scoring: {"scoring": "dice", "pairs": [{"id", "truth", "predicted"}]}.
/// `report` gets {"case": id, "dice": number or null, "progress": 0..1} for each pair,
/// with "error" where its files can't be read.
/// Throws kDataCorrupt naming the key, kNotFound for another method.
void run_scoring(const nlohmann::ordered_json& request,
                 const CancelToken& stop,
                 const std::function<void(const nlohmann::ordered_json&)>& report);

}  // namespace voxloom::serve
