#pragma once

#include <memory>
#include <string>

#include "voxloom/jobs/database.h"

namespace voxloom::jobs {

// Used by database.cpp alone.
[[nodiscard]] std::unique_ptr<Database> open_sqlite(const std::string& file);
[[nodiscard]] std::unique_ptr<Database> open_postgres(const std::string& url);
/// "postgresql://user@host:port/name", without password and other settings.
[[nodiscard]] std::string shown_postgres_url(const std::string& url);

}  // namespace voxloom::jobs
