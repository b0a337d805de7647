#pragma once

#include <span>
#include <string_view>

namespace voxloom::jobs {

/// The statements that lead from schema version i to i + 1. Append only: databases in use hold the
/// number of steps they have taken. Both SQLite and PostgreSQL run the same text.
[[nodiscard]] std::span<const std::span<const std::string_view>> schema_steps();

}  // namespace voxloom::jobs
