#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "voxloom/serve/datastore/datastore.h"

namespace voxloom::serve {

struct SessionOptions {
  std::filesystem::path folder;  ///< Made when it is missing.
  int64_t max_expiry_s = 3600;   ///< A session lives at most so long after its last use.
  size_t max_sessions = 1000;
  uint64_t max_bytes = uint64_t{64} << 30;  ///< Of all sessions together.
  /// How often expired sessions are removed; 0: only when clean() is called.
  std::chrono::seconds clean_every{300};
};

/// Images that clients bring along without adding them to the datastore: a folder per session with
/// the files and `meta.info` (its info, one JSON line), which is how MONAI Label keeps them.
/// Sessions survive a restart. Ids have the form of a UUID and 122 random bits. Thread-safe.
///
/// Info: {"name": id, "path": folder, "image": file (or the folder when there are several),
/// "meta": {}, "create_ts": s, "last_access_ts": s, "expiry": s}.
class SessionStore {
 public:
  /// Takes over what lies in the folder. Throws kUnavailable when it can't be made.
  explicit SessionStore(SessionOptions options);
  ~SessionStore();
  SessionStore(const SessionStore&) = delete;
  SessionStore& operator=(const SessionStore&) = delete;

  struct Upload {
    std::filesystem::path file;  ///< Is moved in.
    std::string file_name;       ///< As the client calls it; folders before it don't count.
  };
  /// `expiry_s` <= 0: the longest. `uncompress`: a single zip archive is unpacked. Returns the
  /// info. Throws kInvalidArgument (no file, a bad name, a bad archive), kUnavailable (limits).
  Json create(const std::vector<Upload>& files, bool uncompress, int64_t expiry_s);

  /// The info; `touch` counts as a use. nullopt when there is none, or it has expired.
  [[nodiscard]] std::optional<Json> get(std::string_view id, bool touch);
  /// The image: a file, or a folder. Counts as a use. Throws kNotFound.
  [[nodiscard]] std::filesystem::path image_path(std::string_view id);
  /// Its last info; nullopt when there was none.
  std::optional<Json> remove(std::string_view id);

  /// Removes what has expired; the number of sessions removed.
  size_t clean();
  [[nodiscard]] size_t size() const;

 private:
  struct Session {
    std::string image;  ///< Name of the only file; empty: the folder.
    Json meta = Json::object();
    int64_t create_ts = 0, last_access_ts = 0, expiry_s = 0;
    int64_t written_ts = 0;  ///< The last_access_ts that meta.info has.
    uint64_t bytes = 0;
  };

  [[nodiscard]] Json info(const std::string& id, const Session& session) const;
  [[nodiscard]] static bool expired(const Session& session, int64_t now_s);
  void write_meta(const std::string& id, Session& session);
  void load();
  void run();

  SessionOptions options_;
  mutable std::mutex mutex_;
  std::map<std::string, Session, std::less<>> sessions_;
  uint64_t bytes_ = 0;
  bool stop_ = false;
  std::condition_variable wake_;
  std::thread thread_;
};

}  // namespace voxloom::serve
