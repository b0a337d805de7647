#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/file_lock.h"
#include "voxloom/core/options.h"
#include "voxloom/train/metrics_log.h"

namespace voxloom::train {

/// What run.yaml says about a run.
struct RunInfo {
  std::string command_line, version;
  std::string data_fingerprint;    ///< Of the training and validation data.
  std::vector<std::string> notes;  ///< What the report has to say about the data.
  int64_t threads = 0;             ///< The numbers are the same at the same count.
  nlohmann::ordered_json options = nlohmann::ordered_json::object();
  std::vector<std::string> speed_only;  ///< Keys of `options` that may change on resume.

  /// Adds all settings of `list`, the seed with them.
  void add_options(const OptionList& list);
};

/// The folder of a training run:
///
///     run.yaml  metrics.jsonl  events.out.tfevents.*  checkpoints/{last,best}.safetensors
///     report.html  model/
///
/// One process at a time: a lock is held while the object lives.
class Run {
 public:
  /// Makes the folder. Throws kAlreadyExists when a run is there; with kReplace that one's files
  /// are removed first, others in the folder stay.
  static Run create(const std::filesystem::path& folder, RunInfo info, Overwrite overwrite);

  /// Opens a run that was stopped or killed. Throws kNotFound when there is none,
  /// kInvalidArgument listing the options that are not those of the run, or another data
  /// fingerprint, kUnavailable while another process trains in the folder.
  static Run resume(const std::filesystem::path& folder, RunInfo info);

  /// Whether `folder` holds a run.
  [[nodiscard]] static bool exists(const std::filesystem::path& folder);

  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }
  [[nodiscard]] const RunInfo& info() const { return info_; }
  [[nodiscard]] std::filesystem::path last_checkpoint() const;
  [[nodiscard]] std::filesystem::path best_checkpoint() const;
  [[nodiscard]] std::filesystem::path report() const { return folder_ / "report.html"; }
  [[nodiscard]] std::filesystem::path model() const { return folder_ / "model"; }
  [[nodiscard]] std::filesystem::path metrics_file() const { return folder_ / "metrics.jsonl"; }
  [[nodiscard]] MetricsLog& metrics() { return *metrics_; }

  /// Makes the last checkpoint the best one too, without a second copy where links are possible.
  void keep_last_as_best() const;

 private:
  Run(std::filesystem::path folder, RunInfo info);

  std::filesystem::path folder_;
  RunInfo info_;
  std::unique_ptr<FileLock> lock_;
  std::unique_ptr<MetricsLog> metrics_;
};

}  // namespace voxloom::train
