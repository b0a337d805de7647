#pragma once

#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "voxloom/serve/sampling/image_scores.h"

namespace voxloom::serve {

/// Scores on disk: JSON lines, one for each image scored, the last one of an id counts. Lines are
/// appended, so that a kill costs at most the line being written; a line that can't be read is
/// left out. Thread-safe.
class ScoreCache {
 public:
  /// Reads `file` when it is there, and makes its folder. With more lines replaced than in use the
  /// file is written anew. An unreadable file is no error: the scores are made again.
  explicit ScoreCache(std::filesystem::path file);
  ~ScoreCache();
  ScoreCache(const ScoreCache&) = delete;
  ScoreCache& operator=(const ScoreCache&) = delete;

  [[nodiscard]] std::optional<ScoreEntry> find(const std::string& id) const;
  /// In memory at once; on disk best effort (a full disk is logged once).
  void put(const ScoreEntry& entry);
  [[nodiscard]] size_t size() const;

 private:
  void load();
  void rewrite();
  void append(const std::string& line);

  mutable std::mutex mutex_;
  std::filesystem::path file_;
  std::map<std::string, ScoreEntry> entries_;
  int fd_ = -1;
  bool warned_ = false;
};

}  // namespace voxloom::serve
