#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "voxloom/dataset/sample.h"
#include "voxloom/metrics/wire_table.h"

namespace voxloom::recipes::wire {

/// The measurements apart by detector dose: one entry a dose class, in order. Means are over the
/// frames that show an object (where there is none, every score is 0 or 1), with 95 % intervals by
/// sequence; frames without one are counted with those where something was found. rows() of `table`
/// are those of `samples`, in order. Empty when no sample knows its dose.
[[nodiscard]] nlohmann::ordered_json dose_table(const std::vector<dataset::Sample>& samples,
                                                const metrics::WireTable& table,
                                                int64_t resamples);

/// The same as an HTML table with its heading; empty for none.
[[nodiscard]] std::string dose_table_html(const nlohmann::ordered_json& doses);

}  // namespace voxloom::recipes::wire
