#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "voxloom/core/cancel.h"
#include "voxloom/jobs/job_store.h"

namespace voxloom::jobs {

/// How jobs of one kind are run.
struct JobKind {
  std::string name;  ///< "batch_infer"
  /// The program and its arguments for one job. What it throws makes the job an ERROR.
  std::function<std::vector<std::string>(const JobRecord& job)> argv;
  /// A job that was running when its server ended is started again, up to three times; else LOST.
  bool resumable = false;
  std::vector<std::pair<std::string, std::string>> environment;
  std::filesystem::path folder;           ///< Where the child works; empty: where the server does.
  std::chrono::milliseconds timeout{0};   ///< 0: none.
  std::chrono::milliseconds grace{3000};  ///< From SIGTERM to SIGKILL when it is stopped.
  int64_t keep = 1000;                    ///< Finished jobs kept as history.
};

/// Runs background jobs as child processes: for every kind one at a time, in the order of their
/// submission. A child's standard output is read as lines: {"progress": 0..1, "message": "...",
/// "result": ...} or plain text; standard error is log. All members may be called from any thread.
///
///     JobRunner runner(database, "studies", {{.name = "train", .argv = make_argv}}, on_change);
///     auto job = runner.submit("train", request);
class JobRunner {
 public:
  /// Called after every change of a job, from the runner's threads, without locks held; changes of
  /// one job come in their order. It may call the runner, but not wait(), stop() or destroy it;
  /// jobs that are taken over are told before the constructor returns.
  using OnChange = std::function<void(const JobRecord& job)>;
  /// Every line that a job prints, as it comes and as it is: its log has the messages alone.
  using OnLine = std::function<void(const JobRecord& job, std::string_view line)>;

  /// Takes over what dead servers of the same scope have left: submitted jobs are queued, running
  /// ones started again or marked LOST. Throws what the database throws.
  JobRunner(std::shared_ptr<Database> database,
            std::string scope,
            std::vector<JobKind> kinds,
            OnChange on_change = {},
            OnLine on_line = {});
  /// Stops the running children. Their jobs go on at the next start where they are resumable, else
  /// they are STOPPED; queued jobs stay queued in the database.
  ~JobRunner();
  JobRunner(const JobRunner&) = delete;
  JobRunner& operator=(const JobRunner&) = delete;

  /// Throws kNotFound for a kind that is not there.
  JobRecord submit(const std::string& kind, const Json& request);

  /// The running job of a kind.
  [[nodiscard]] std::optional<JobRecord> running(const std::string& kind) const;
  /// The newest job of a kind.
  [[nodiscard]] std::optional<JobRecord> latest(const std::string& kind) const;
  /// The newest `limit` jobs of a kind, oldest first.
  [[nodiscard]] std::vector<JobRecord> list(const std::string& kind, int64_t limit = 1000) const;
  [[nodiscard]] std::optional<JobRecord> find(const std::string& id) const;

  /// Stops the running job of a kind and waits for its end; nothing when none runs. The next one
  /// of the queue starts.
  std::optional<JobRecord> stop_running(const std::string& kind);
  /// Stops a job that runs or waits, and waits for its end; one that has finished is returned as
  /// it is. Nothing for an unknown id.
  std::optional<JobRecord> stop(const std::string& id);

  /// Waits for the end of a job. Throws kNotFound, or kCancelled when `stop` is set (the job goes
  /// on).
  JobRecord wait(const std::string& id, const CancelToken& stop) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace voxloom::jobs
