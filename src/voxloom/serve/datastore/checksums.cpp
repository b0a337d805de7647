#include "voxloom/serve/datastore/checksums.h"

#include <exception>
#include <utility>

#include "voxloom/core/json_text.h"
#include "voxloom/core/sha256.h"
#include "voxloom/serve/datastore/index_json.h"
#include "voxloom/serve/datastore/info_json.h"

namespace voxloom::serve {

std::string Checksums::of(const std::string& name, const std::filesystem::path& path) {
  const FileStamp stamp = stamp_of(path);
  if (const auto digest = known(name, stamp)) return *digest;
  std::string digest = "SHA256:" + sha256_file(path);
  // A file that was replaced meanwhile must not keep the digest of its predecessor.
  if (stamp_of(path) == stamp) {
    const std::lock_guard lock(mutex_);
    entries_.insert_or_assign(name, Entry{stamp, digest});
    changed_ = true;
  }
  return digest;
}

std::optional<std::string> Checksums::known(const std::string& name, const FileStamp& stamp) const {
  const std::lock_guard lock(mutex_);
  const auto it = entries_.find(name);
  if (it == entries_.end() || it->second.stamp != stamp) return std::nullopt;
  return it->second.digest;
}

bool Checksums::changed() const {
  const std::lock_guard lock(mutex_);
  return changed_;
}

std::string Checksums::to_text() const {
  const std::lock_guard lock(mutex_);
  Json all = Json::object();
  for (const auto& [name, entry] : entries_) {
    append_key(all, name, Json::array({to_json(entry.stamp), entry.digest}));
  }
  changed_ = false;
  return to_line(all);
}

void Checksums::from_text(std::string_view text) {
  const std::lock_guard lock(mutex_);
  entries_.clear();
  try {
    const Json all = parse_json(text, "checksums");
    if (!all.is_object()) return;
    for (const auto& [name, value] : all.items()) {
      entries_.emplace(name, Entry{stamp_from_json(value.at(0)), value.at(1).get<std::string>()});
    }
  } catch (const std::exception&) {
    entries_.clear();  // They only save time.
  }
}

}  // namespace voxloom::serve
