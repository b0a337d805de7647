#include "voxloom/train/run.h"

#include <algorithm>

#include "voxloom/core/error.h"
#include "voxloom/core/log.h"
#include "voxloom/core/yaml_text.h"

namespace voxloom::train {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr const char* kRunYaml = "run.yaml";
constexpr int64_t kFormatVersion = 1;

ordered_json to_json(const RunInfo& info) {
  return {{"format_version", kFormatVersion},
          {"command_line", info.command_line},
          {"version", info.version},
          {"threads", info.threads},
          {"data_fingerprint", info.data_fingerprint},
          {"notes", info.notes},
          {"options", info.options}};
}

std::unique_ptr<FileLock> lock_folder(const fs::path& folder) {
  auto lock = std::make_unique<FileLock>(folder / ".lock", std::chrono::milliseconds(0));
  VOXLOOM_CHECK(lock->held(),
                ErrorCode::kUnavailable,
                "run '{}': must be free, got another process that trains there",
                folder.string());
  return lock;
}

/// Temporary files of a process that was killed; the lock says that it is gone.
void remove_leftovers(const fs::path& folder) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    if (entry.path().filename().string().starts_with(".tmp-")) fs::remove(entry.path(), ignored);
  }
}

void remove_run(const fs::path& folder) {
  for (const char* name : {kRunYaml, "metrics.jsonl", "report.html"}) fs::remove(folder / name);
  for (const char* name : {"checkpoints", "model"}) fs::remove_all(folder / name);
  std::vector<fs::path> events;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().filename().string().starts_with("events.out.tfevents.")) {
      events.push_back(entry.path());
    }
  }
  for (const auto& path : events) fs::remove(path);
}

/// What of `now` is not as it was when the run began, a line of text; empty: nothing.
std::string differences(const RunInfo& now, const ordered_json& before) {
  std::string list;
  const auto note = [&](const std::string& name, const ordered_json& was, const ordered_json& is) {
    list += format("{}{} was {} and is {}", list.empty() ? "" : "; ", name, was.dump(), is.dump());
  };
  const ordered_json& options =
      before.contains("options") ? before.at("options") : ordered_json::object();
  for (const auto& [key, value] : now.options.items()) {
    if (std::find(now.speed_only.begin(), now.speed_only.end(), key) != now.speed_only.end()) {
      continue;
    }
    const ordered_json was = options.contains(key) ? options.at(key) : ordered_json();
    if (was != value) note(key, was, value);
  }
  const ordered_json data =
      before.contains("data_fingerprint") ? before.at("data_fingerprint") : ordered_json();
  if (data != now.data_fingerprint) note("data_fingerprint", data, now.data_fingerprint);
  return list;
}

}  // namespace

void RunInfo::add_options(const OptionList& list) {
  options.update(list.to_json());
  for (const auto& spec : list.specs()) {
    if (spec.speed_only) speed_only.push_back(spec.key());
  }
}

Run::Run(fs::path folder, RunInfo info)
    : folder_(std::move(folder)), info_(std::move(info)), lock_(lock_folder(folder_)) {}

bool Run::exists(const fs::path& folder) {
  std::error_code ignored;
  return fs::is_regular_file(folder / kRunYaml, ignored);
}

Run Run::create(const fs::path& folder, RunInfo info, Overwrite overwrite) {
  std::error_code failed;
  fs::create_directories(folder, failed);
  VOXLOOM_CHECK(!failed,
                ErrorCode::kUnavailable,
                "run '{}': cannot be created: {}",
                folder.string(),
                failed.message());
  VOXLOOM_CHECK(overwrite == Overwrite::kReplace || !exists(folder),
                ErrorCode::kAlreadyExists,
                "run '{}' exists; use --resume to go on with it or --force to start again",
                folder.string());
  Run run(folder, std::move(info));
  remove_run(folder);
  remove_leftovers(folder);
  fs::create_directories(folder / "checkpoints");
  run.metrics_ = std::make_unique<MetricsLog>(run.metrics_file());
  AtomicFile file(folder / kRunYaml, Overwrite::kReplace);
  file.write(to_yaml(to_json(run.info_)));
  file.commit();
  return run;
}

Run Run::resume(const fs::path& folder, RunInfo info) {
  VOXLOOM_CHECK(exists(folder),
                ErrorCode::kNotFound,
                "run '{}': must hold {} to resume, got none",
                folder.string(),
                kRunYaml);
  Run run(folder, std::move(info));
  const fs::path file = folder / kRunYaml;
  const auto before = parse_yaml(read_text_file(file), file.string());
  VOXLOOM_CHECK(before.is_object() && before.contains("format_version") &&
                    before.at("format_version") == kFormatVersion,
                ErrorCode::kDataCorrupt,
                "run '{}': must be of format version {}, got another",
                folder.string(),
                kFormatVersion);
  const std::string changed = differences(run.info_, before);
  VOXLOOM_CHECK(changed.empty(),
                ErrorCode::kInvalidArgument,
                "run '{}': a run resumes with the options it began with, got {}",
                folder.string(),
                changed);
  if (before.contains("threads") && before.at("threads") != run.info_.threads) {
    VOXLOOM_LOG_WARN("run: it began with {} threads and goes on with {}: numbers may differ",
                     before.at("threads").dump(),
                     run.info_.threads);
  }
  fs::create_directories(folder / "checkpoints");
  remove_leftovers(folder);
  remove_leftovers(folder / "checkpoints");
  run.metrics_ = std::make_unique<MetricsLog>(run.metrics_file());
  return run;
}

fs::path Run::last_checkpoint() const {
  return folder_ / "checkpoints" / "last.safetensors";
}

fs::path Run::best_checkpoint() const {
  return folder_ / "checkpoints" / "best.safetensors";
}

void Run::keep_last_as_best() const {
  const fs::path temporary = folder_ / "checkpoints" / ".tmp-best.safetensors";
  std::error_code failed;
  fs::remove(temporary, failed);
  fs::create_hard_link(last_checkpoint(), temporary, failed);
  if (failed) fs::copy_file(last_checkpoint(), temporary, failed);
  if (!failed) fs::rename(temporary, best_checkpoint(), failed);
  VOXLOOM_CHECK(!failed,
                ErrorCode::kUnavailable,
                "checkpoint '{}': cannot be written: {}",
                best_checkpoint().string(),
                failed.message());
}

}  // namespace voxloom::train
