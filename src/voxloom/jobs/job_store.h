#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "voxloom/jobs/database.h"

namespace voxloom::jobs {

using Json = nlohmann::ordered_json;

/// In the database by name: append only.
enum class JobStatus { kSubmitted, kRunning, kDone, kError, kStopped, kLost };
/// "SUBMITTED", "RUNNING", ...
[[nodiscard]] std::string_view job_status_name(JobStatus status);
[[nodiscard]] bool is_finished(JobStatus status);

/// A background job of the server and what became of it.
struct JobRecord {
  std::string id;    ///< UUID, version 4.
  std::string kind;  ///< "batch_infer", "scoring", "train".
  JobStatus status = JobStatus::kSubmitted;
  Json request = Json::object();
  int64_t submitted_ms = 0, start_ms = 0, end_ms = 0;  ///< Since 1970; 0: not yet.
  int64_t attempts = 0;                                ///< Starts; more than 1 after a restart.
  double progress = 0.0;                               ///< 0..1.
  std::vector<std::string> details;  ///< The last 20 log lines; not empty once it ran or stopped.
  Json result = nullptr;

  /// Appends to `details`, dropping the oldest line and cutting a very long one.
  void log(std::string_view line);
};

/// The task object of the MONAI Label protocol: id, status, request, start_ts, and when there,
/// details and end_ts. Its clients know no LOST: such a job shows as ERROR, its details say why.
[[nodiscard]] Json task_json(const JobRecord& job);

/// Everything, under our own names: the status as it is, times in ms, progress, result.
[[nodiscard]] Json job_json(const JobRecord& job);

/// The jobs of one scope (a server's studies folder, say) in a database, history included.
/// Thread-safe as its Database is.
class JobStore {
 public:
  JobStore(std::shared_ptr<Database> database, std::string scope);

  /// A new job, SUBMITTED, held by `owner` (a process_identity()).
  JobRecord add(const std::string& kind, const Json& request, const std::string& owner);

  [[nodiscard]] std::optional<JobRecord> find(const std::string& id);
  /// The newest `limit` of a kind, oldest first.
  [[nodiscard]] std::vector<JobRecord> list(const std::string& kind, int64_t limit = 1000);
  [[nodiscard]] std::optional<JobRecord> latest(const std::string& kind);

  /// Writes what has changed. False when the job is no longer `owner`'s.
  bool save(const JobRecord& job, const std::string& owner);

  /// `owner` still works on its jobs.
  void mark_alive(const std::string& owner);
  /// Unfinished jobs of `owner` are nobody's: the next server takes them.
  void disown(const std::string& owner);
  /// Takes the unfinished jobs of owners that are dead, or of another machine and silent for
  /// `silence_ms`, and returns them as they were left, oldest first.
  std::vector<JobRecord> adopt(const std::string& owner, int64_t silence_ms = 60000);

  /// Deletes finished jobs of a kind but the newest `keep`. Returns how many.
  int64_t prune(const std::string& kind, int64_t keep);

 private:
  std::vector<JobRecord> select(const std::string& rest, const std::vector<SqlValue>& values);

  std::shared_ptr<Database> database_;
  std::string scope_;
};

}  // namespace voxloom::jobs
