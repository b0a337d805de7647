#include "voxloom/jobs/job_store.h"

#include <algorithm>
#include <array>
#include <ctime>

#include "voxloom/core/json_text.h"
#include "voxloom/core/line_splitter.h"
#include "voxloom/jobs/process_identity.h"
#include "voxloom/jobs/uuid.h"

namespace voxloom::jobs {
namespace {

constexpr size_t kKeptLines = 20;
constexpr size_t kMaxLineBytes = 2000;
constexpr std::array<std::string_view, 6> kStatusNames = {
    "SUBMITTED", "RUNNING", "DONE", "ERROR", "STOPPED", "LOST"};

constexpr const char* kColumns =
    "id, kind, status, request, submitted_ms, start_ms, end_ms, attempts, progress, details, "
    "result";

JobStatus parse_status(const std::string& name) {
  const auto* found = std::find(kStatusNames.begin(), kStatusNames.end(), name);
  VOXLOOM_CHECK(found != kStatusNames.end(),
                ErrorCode::kDataCorrupt,
                "job: status must be one this program knows, got '{}'",
                name);
  return static_cast<JobStatus>(found - kStatusNames.begin());
}

JobRecord read_job(const SqlRow& row) {
  JobRecord job;
  job.id = row.text(0);
  job.kind = row.text(1);
  job.status = parse_status(row.text(2));
  job.request = parse_json(row.text(3), "job request");
  job.submitted_ms = row.integer(4);
  job.start_ms = row.integer(5);
  job.end_ms = row.integer(6);
  job.attempts = row.integer(7);
  job.progress = row.number(8);
  job.details = parse_json(row.text(9), "job details").get<std::vector<std::string>>();
  job.result = parse_json(row.text(10), "job result");
  return job;
}

/// "2026-01-31 14:05:09", local time.
std::string time_stamp(int64_t ms) {
  const std::time_t seconds = static_cast<std::time_t>(ms / 1000);
  std::tm parts{};
  ::localtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  const size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &parts);
  return {text.data(), size};
}

SqlValue time_or_null(int64_t ms) {
  return ms == 0 ? SqlValue{} : SqlValue{ms};
}

}  // namespace

std::string_view job_status_name(JobStatus status) {
  return kStatusNames.at(static_cast<size_t>(status));
}

bool is_finished(JobStatus status) {
  return status != JobStatus::kSubmitted && status != JobStatus::kRunning;
}

void JobRecord::log(std::string_view line) {
  // Cutting may split a character: clean afterwards.
  details.push_back(clean_text(line.substr(0, kMaxLineBytes)));
  if (details.size() > kKeptLines) {
    details.erase(details.begin(), details.end() - static_cast<std::ptrdiff_t>(kKeptLines));
  }
}

Json task_json(const JobRecord& job) {
  const JobStatus shown = job.status == JobStatus::kLost ? JobStatus::kError : job.status;
  Json json = {{"id", job.id},
               {"status", job_status_name(shown)},
               {"request", job.request},
               {"start_ts", time_stamp(job.start_ms != 0 ? job.start_ms : job.submitted_ms)}};
  if (job.status != JobStatus::kSubmitted) {
    json["details"] = job.details.empty()
                          ? std::vector<std::string>{std::string(job_status_name(job.status))}
                          : job.details;
  }
  if (job.end_ms != 0) json["end_ts"] = time_stamp(job.end_ms);
  return json;
}

Json job_json(const JobRecord& job) {
  return {{"id", job.id},
          {"kind", job.kind},
          {"status", job_status_name(job.status)},
          {"request", job.request},
          {"submitted_ms", job.submitted_ms},
          {"start_ms", job.start_ms},
          {"end_ms", job.end_ms},
          {"attempts", job.attempts},
          {"progress", job.progress},
          {"details", job.details},
          {"result", job.result}};
}

JobStore::JobStore(std::shared_ptr<Database> database, std::string scope)
    : database_(std::move(database)), scope_(std::move(scope)) {}

JobRecord JobStore::add(const std::string& kind, const Json& request, const std::string& owner) {
  JobRecord job;
  job.id = make_uuid();
  job.kind = kind;
  job.request = request;
  database_->transaction([&](Transaction& t) {
    job.submitted_ms = t.now_ms();
    const int64_t number = t.run("SELECT MAX(number) FROM voxloom_jobs WHERE scope = ?", {scope_})
                               .rows.at(0)
                               .integer(0) +
                           1;
    // A commit whose answer was lost leaves the row there: the id is the same.
    t.run(
        "INSERT INTO voxloom_jobs (id, scope, kind, number, status, request, submitted_ms, "
        "attempts, progress, details, result, owner, alive_ms) VALUES (?, ?, ?, ?, 'SUBMITTED', "
        "?, ?, 0, ?, '[]', 'null', ?, ?) ON CONFLICT (id) DO NOTHING",
        {job.id,
         scope_,
         kind,
         number,
         request.dump(),
         job.submitted_ms,
         0.0,
         owner,
         job.submitted_ms});
  });
  return job;
}

std::vector<JobRecord> JobStore::select(const std::string& rest,
                                        const std::vector<SqlValue>& values) {
  std::vector<JobRecord> jobs;
  const auto result =
      database_->query(format("SELECT {} FROM voxloom_jobs {}", kColumns, rest), values);
  for (const auto& row : result.rows) jobs.push_back(read_job(row));
  return jobs;
}

std::optional<JobRecord> JobStore::find(const std::string& id) {
  auto jobs = select("WHERE scope = ? AND id = ?", {scope_, id});
  if (jobs.empty()) return std::nullopt;
  return std::move(jobs.front());
}

std::vector<JobRecord> JobStore::list(const std::string& kind, int64_t limit) {
  auto jobs = select("WHERE scope = ? AND kind = ? ORDER BY number DESC, id DESC LIMIT ?",
                     {scope_, kind, limit});
  std::reverse(jobs.begin(), jobs.end());
  return jobs;
}

std::optional<JobRecord> JobStore::latest(const std::string& kind) {
  auto jobs = list(kind, 1);
  if (jobs.empty()) return std::nullopt;
  return std::move(jobs.front());
}

bool JobStore::save(const JobRecord& job, const std::string& owner) {
  return database_
             ->run(
                 "UPDATE voxloom_jobs SET status = ?, start_ms = ?, end_ms = ?, attempts = ?, "
                 "progress = ?, details = ?, result = ? WHERE id = ? AND owner = ?",
                 {std::string(job_status_name(job.status)),
                  time_or_null(job.start_ms),
                  time_or_null(job.end_ms),
                  job.attempts,
                  job.progress,
                  Json(job.details).dump(),
                  job.result.dump(),
                  job.id,
                  owner})
             .changed == 1;
}

void JobStore::mark_alive(const std::string& owner) {
  database_->transaction([&](Transaction& t) {
    t.run(
        "UPDATE voxloom_jobs SET alive_ms = ? WHERE scope = ? AND owner = ? AND status IN "
        "('SUBMITTED', 'RUNNING')",
        {t.now_ms(), scope_, owner});
  });
}

void JobStore::disown(const std::string& owner) {
  database_->run(
      "UPDATE voxloom_jobs SET owner = '' WHERE scope = ? AND owner = ? AND status IN "
      "('SUBMITTED', 'RUNNING')",
      {scope_, owner});
}

std::vector<JobRecord> JobStore::adopt(const std::string& owner, int64_t silence_ms) {
  std::vector<JobRecord> adopted;
  database_->transaction([&](Transaction& t) {
    adopted.clear();
    const int64_t now = t.now_ms();
    const auto rows =
        t.run(format("SELECT {}, owner, alive_ms FROM voxloom_jobs WHERE scope = ? AND owner <> ? "
                     "AND status IN ('SUBMITTED', 'RUNNING') ORDER BY number, id{}",
                     kColumns,
                     t.take_rows()),
              {scope_, owner})
            .rows;
    for (const auto& row : rows) {
      const Liveness life = liveness(row.text(11));
      const bool silent = now - row.integer(12) > silence_ms;
      if (life == Liveness::kAlive || (life == Liveness::kUnknown && !silent)) continue;
      t.run("UPDATE voxloom_jobs SET owner = ?, alive_ms = ? WHERE id = ?",
            {owner, now, row.text(0)});
      adopted.push_back(read_job(row));
    }
  });
  return adopted;
}

int64_t JobStore::prune(const std::string& kind, int64_t keep) {
  return database_
      ->run(
          "DELETE FROM voxloom_jobs WHERE scope = ? AND kind = ? AND status NOT IN "
          "('SUBMITTED', 'RUNNING') AND id NOT IN (SELECT id FROM voxloom_jobs WHERE scope = ? "
          "AND kind = ? ORDER BY number DESC, id DESC LIMIT ?)",
          {scope_, kind, scope_, kind, keep})
      .changed;
}

}  // namespace voxloom::jobs
