#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "voxloom/jobs/job_runner.h"
#include "voxloom/serve/monailabel/services.h"

namespace voxloom::serve {

inline constexpr const char* kBatchInfer = "batch_infer";
inline constexpr const char* kScoring = "scoring";
inline constexpr const char* kTrain = "train";

/// The server's background jobs: what their child processes are asked, and what becomes of what
/// they print. A child never touches the datastore: it reads images and writes files into a
/// folder of its own; the server saves them.
class Tasks {
 public:
  /// `folder`: for requests and results. `program`: this executable.
  Tasks(Services& services,
        std::shared_ptr<jobs::Database> database,
        std::string scope,
        std::filesystem::path folder,
        std::filesystem::path program);
  ~Tasks();
  Tasks(const Tasks&) = delete;
  Tasks& operator=(const Tasks&) = delete;

  [[nodiscard]] jobs::JobRunner& runner() { return *runner_; }

  /// What the finished job gave: {image id: {"label": id, "tag": ..., "params": {...}}} of a
  /// batch, {image id: score} of scoring, {model: {"dice", "baseline", "used"}} of training.
  [[nodiscard]] Json result_of(const std::string& job_id);

 private:
  [[nodiscard]] std::vector<std::string> batch_command(const jobs::JobRecord& job);
  [[nodiscard]] std::vector<std::string> scoring_command(const jobs::JobRecord& job);
  [[nodiscard]] std::vector<std::string> train_command(const jobs::JobRecord& job);
  void on_line(const jobs::JobRecord& job, std::string_view line);
  void save_prediction(const jobs::JobRecord& job, const Json& line);
  void save_score(const Json& line);
  /// Serves the trained package when it is no worse than the old one; either way the other one
  /// stays beside it.
  void adopt_package(const Json& line);
  std::filesystem::path folder_of(const jobs::JobRecord& job) const;

  Services& services_;
  const std::filesystem::path folder_, program_;
  std::mutex mutex_;
  std::map<std::string, Json> results_;  ///< By job id, of this run of the server.
  std::unique_ptr<jobs::JobRunner> runner_;
};

}  // namespace voxloom::serve
