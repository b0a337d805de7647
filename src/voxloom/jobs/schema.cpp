#include "voxloom/jobs/schema.h"

#include <array>

namespace voxloom::jobs {
namespace {

// Times are milliseconds since 1970. `token` tells one attempt at a case from every other.
constexpr std::array<std::string_view, 5> kFirst = {
    R"(CREATE TABLE voxloom_queues (
         name TEXT PRIMARY KEY,
         settings TEXT NOT NULL,
         max_attempts BIGINT NOT NULL,
         created_ms BIGINT NOT NULL))",
    R"(CREATE TABLE voxloom_cases (
         queue TEXT NOT NULL,
         case_key TEXT NOT NULL,
         position BIGINT NOT NULL,
         request TEXT NOT NULL,
         state TEXT NOT NULL,
         redo BIGINT NOT NULL,
         attempts BIGINT NOT NULL,
         token TEXT,
         worker TEXT,
         lease_until_ms BIGINT,
         start_ms BIGINT,
         end_ms BIGINT,
         message TEXT,
         PRIMARY KEY (queue, case_key)))",
    "CREATE INDEX voxloom_cases_next ON voxloom_cases (queue, state, attempts, position)",
    R"(CREATE TABLE voxloom_jobs (
         id TEXT PRIMARY KEY,
         scope TEXT NOT NULL,
         kind TEXT NOT NULL,
         number BIGINT NOT NULL,
         status TEXT NOT NULL,
         request TEXT NOT NULL,
         submitted_ms BIGINT NOT NULL,
         start_ms BIGINT,
         end_ms BIGINT,
         attempts BIGINT NOT NULL,
         progress DOUBLE PRECISION NOT NULL,
         details TEXT NOT NULL,
         result TEXT NOT NULL,
         owner TEXT NOT NULL,
         alive_ms BIGINT NOT NULL))",
    "CREATE INDEX voxloom_jobs_kind ON voxloom_jobs (scope, kind, number)",
};

constexpr std::array<std::span<const std::string_view>, 1> kSteps = {kFirst};

}  // namespace

std::span<const std::span<const std::string_view>> schema_steps() {
  return kSteps;
}

}  // namespace voxloom::jobs
