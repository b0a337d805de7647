#pragma once

#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "voxloom/serve/datastore/durable.h"

namespace voxloom::serve {

/// SHA-256 of files, remembered by name and stamp. Thread-safe.
class Checksums {
 public:
  /// "SHA256:<hex>", read from the disk unless the file's stamp is the one remembered.
  [[nodiscard]] std::string of(const std::string& name, const std::filesystem::path& path);
  /// Only what is remembered.
  [[nodiscard]] std::optional<std::string> known(const std::string& name,
                                                 const FileStamp& stamp) const;

  /// To and from a JSON text; text of another shape is like an empty one.
  [[nodiscard]] std::string to_text() const;
  void from_text(std::string_view text);
  /// Whether something was added since the last to_text().
  [[nodiscard]] bool changed() const;

 private:
  struct Entry {
    FileStamp stamp;
    std::string digest;
  };
  mutable std::mutex mutex_;
  std::map<std::string, Entry, std::less<>> entries_;
  mutable bool changed_ = false;
};

}  // namespace voxloom::serve
