#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include <nlohmann/json.hpp>

namespace voxloom::train {

/// metrics.jsonl: one JSON object a line,
///
///     {"kind":"train","step":20,"epoch":0,"loss":0.41,"lr":0.001,"grad_norm":1.2,"terms":{...}}
///     {"kind":"validation","step":50,"epoch":0,"metrics":{"dice":0.83,...}}
///
/// Step counts updates done, epoch counts from 0. No line holds a time, so that a run that was
/// killed and resumed has the same bytes as one that was not; times are in the event files.
/// A number that is not finite is null.
class MetricsLog {
 public:
  /// Opens or makes the file. Throws kUnavailable.
  explicit MetricsLog(const std::filesystem::path& path);
  ~MetricsLog();
  MetricsLog(const MetricsLog&) = delete;
  MetricsLog& operator=(const MetricsLog&) = delete;

  /// Throws kUnavailable when the disk is full or fails.
  void append(const nlohmann::ordered_json& line);

  /// Waits until the disk has all lines. Returns the file's size, for truncate().
  int64_t sync();
  /// Drops what was written after the file had `size` bytes. Throws kDataCorrupt when it is
  /// shorter than that.
  void truncate(int64_t size);

 private:
  std::filesystem::path path_;
  int fd_ = -1;
};

/// Every complete line that is a JSON object; a line cut short by a kill is left out.
[[nodiscard]] std::vector<nlohmann::ordered_json> read_metrics(const std::filesystem::path& path);

}  // namespace voxloom::train
