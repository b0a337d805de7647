#include "voxloom/serve/datastore/session_store.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <system_error>
#include <utility>

#include <sys/random.h>

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/error.h"
#include "voxloom/core/json_text.h"
#include "voxloom/core/log.h"
#include "voxloom/core/zip_reader.h"
#include "voxloom/serve/datastore/durable.h"
#include "voxloom/serve/datastore/file_name.h"
#include "voxloom/serve/datastore/info_json.h"

namespace voxloom::serve {
namespace {

namespace fs = std::filesystem;

constexpr const char* kMeta = "meta.info";
constexpr int64_t kWriteAfter = 30;  ///< Seconds of use that a kill may forget.
constexpr size_t kMaxFiles = 10'000;

int64_t now_s() {
  return static_cast<int64_t>(std::time(nullptr));
}

/// A random UUID (RFC 9562, version 4).
std::string new_id() {
  std::array<unsigned char, 16> b{};
  VOXLOOM_CHECK(::getrandom(b.data(), b.size(), 0) == static_cast<ssize_t>(b.size()),
                ErrorCode::kUnavailable,
                "session: the system must give random numbers");
  b[6] = static_cast<unsigned char>((b[6] & 0x0f) | 0x40);
  b[8] = static_cast<unsigned char>((b[8] & 0x3f) | 0x80);
  std::string out;
  for (size_t i = 0; i < b.size(); ++i) {
    std::array<char, 3> hex{};
    std::snprintf(hex.data(), hex.size(), "%02x", b[i]);
    if (i == 4 || i == 6 || i == 8 || i == 10) out += '-';
    out += hex.data();
  }
  return out;
}

bool is_id(std::string_view id) {
  if (id.size() != 36) return false;
  for (size_t i = 0; i < id.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    const char c = id[i];
    const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    if (dash ? c != '-' : !hex) return false;
  }
  return true;
}

std::string file_name_of(std::string_view client_name) {
  const std::string name(base_name(client_name));
  check_name(name, "session file name");
  VOXLOOM_CHECK(
      name != kMeta, ErrorCode::kInvalidArgument, "session file name: must not be '{}'", kMeta);
  return name;
}

/// An entry is unpacked in memory: a small archive must not fill it.
constexpr uint64_t kMaxUnpackedEntry = uint64_t{1} << 30;

/// Files of an archive go side by side: what counts is their content, not their folders.
std::vector<std::string> unpack(const fs::path& archive, const fs::path& folder, uint64_t room) {
  try {
    const auto zip = ZipReader::open(archive,
                                     {.max_entries = kMaxFiles,
                                      .max_entry_bytes = std::min(room, kMaxUnpackedEntry),
                                      .max_total_bytes = room});
    std::vector<std::string> names;
    for (const auto& entry : zip.entries()) {
      if (entry.name.ends_with('/')) continue;
      std::string name = file_name_of(entry.name);
      // Equal names in different folders.
      for (int i = 2; std::find(names.begin(), names.end(), name) != names.end(); ++i) {
        name = std::to_string(i) + "_" + file_name_of(entry.name);
      }
      AtomicFile file(folder / name, Overwrite::kReplace);
      file.write(zip.read(entry).bytes);
      file.commit();
      names.push_back(name);
    }
    return names;
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kUnavailable) throw;
    throw Error(ErrorCode::kInvalidArgument, "session: its archive must be a readable zip file");
  }
}

uint64_t bytes_below(const fs::path& folder) {
  uint64_t out = 0;
  std::error_code failure;
  for (fs::directory_iterator it(folder, failure), end; !failure && it != end;
       it.increment(failure)) {
    std::error_code ignored;
    if (it->is_regular_file(ignored)) out += it->file_size(ignored);
  }
  return out;
}

int64_t integer_member(const Json& value, const char* key) {
  const auto it = value.find(key);
  return it != value.end() && it->is_number() ? it->get<int64_t>() : 0;
}

}  // namespace

SessionStore::SessionStore(SessionOptions options) : options_(std::move(options)) {
  std::error_code failure;
  fs::create_directories(options_.folder, failure);
  options_.folder = fs::canonical(options_.folder, failure);
  VOXLOOM_CHECK(!failure,
                ErrorCode::kUnavailable,
                "sessions folder: must be a folder that can be made: {}",
                failure.message());
  load();
  if (options_.clean_every.count() > 0) thread_ = std::thread([this] { run(); });
}

SessionStore::~SessionStore() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void SessionStore::load() {
  std::error_code failure;
  for (fs::directory_iterator it(options_.folder, failure), end; !failure && it != end;
       it.increment(failure)) {
    const std::string id = it->path().filename().string();
    std::error_code ignored;
    if (!is_id(id) || it->is_symlink(ignored) || !it->is_directory(ignored)) continue;
    try {
      const Json meta = parse_json(read_text_file(it->path() / kMeta, size_t{1} << 20), kMeta);
      Session session;
      session.create_ts = integer_member(meta, "create_ts");
      session.last_access_ts = integer_member(meta, "last_access_ts");
      session.expiry_s = std::min(integer_member(meta, "expiry"), options_.max_expiry_s);
      if (const auto found = meta.find("meta"); found != meta.end()) session.meta = *found;
      const fs::path image = fs::path(text_member(meta, "image")).filename();
      if (image != id && fs::is_regular_file(it->path() / image, ignored)) {
        session.image = image.string();
      }
      session.bytes = bytes_below(it->path());
      bytes_ += session.bytes;
      sessions_.emplace(id, std::move(session));
    } catch (const std::exception&) {
      fs::remove_all(it->path(), ignored);  // An upload that a kill cut short.
    }
  }
  clean();
}

Json SessionStore::info(const std::string& id, const Session& session) const {
  const fs::path folder = options_.folder / id;
  return {{"name", id},
          {"path", folder.string()},
          {"image", session.image.empty() ? folder.string() : (folder / session.image).string()},
          {"meta", session.meta},
          {"create_ts", session.create_ts},
          {"last_access_ts", session.last_access_ts},
          {"expiry", session.expiry_s}};
}

bool SessionStore::expired(const Session& session, int64_t now) {
  return now > session.last_access_ts + session.expiry_s;
}

void SessionStore::write_meta(const std::string& id, Session& session) {
  session.written_ts = session.last_access_ts;
  AtomicFile file(options_.folder / id / kMeta, Overwrite::kReplace);
  file.write(to_line(info(id, session)) + "\n");
  file.commit();
}

Json SessionStore::create(const std::vector<Upload>& files, bool uncompress, int64_t expiry_s) {
  VOXLOOM_CHECK(!files.empty() && files.size() <= kMaxFiles,
                ErrorCode::kInvalidArgument,
                "session: must have 1 to {} files, got {}",
                kMaxFiles,
                files.size());
  uint64_t room = 0;
  {
    const std::lock_guard lock(mutex_);
    VOXLOOM_CHECK(sessions_.size() < options_.max_sessions,
                  ErrorCode::kUnavailable,
                  "session: at most {} can be kept, try again later",
                  options_.max_sessions);
    room = options_.max_bytes - std::min(bytes_, options_.max_bytes);
  }
  uint64_t bytes = 0;
  for (const auto& upload : files) {
    std::error_code failure;
    bytes += fs::file_size(upload.file, failure);
    VOXLOOM_CHECK(!failure, ErrorCode::kNotFound, "session: its uploaded file must exist");
  }
  VOXLOOM_CHECK(bytes <= room,
                ErrorCode::kUnavailable,
                "session: at most {} bytes can be kept now, got {}; try again later",
                room,
                bytes);

  const std::string id = new_id();
  const fs::path folder = options_.folder / id;
  std::error_code ignored;
  VOXLOOM_CHECK(fs::create_directory(folder, ignored),
                ErrorCode::kUnavailable,
                "session: its folder must be possible to make: {}",
                ignored.message());
  fs::permissions(folder, fs::perms::owner_all, ignored);
  try {
    std::vector<std::string> names;
    if (uncompress && files.size() == 1) {
      names = unpack(files[0].file, folder, room);
      fs::remove(files[0].file, ignored);
    } else {
      for (const auto& upload : files) {
        const std::string name = file_name_of(upload.file_name);
        VOXLOOM_CHECK(!fs::exists(folder / name),
                      ErrorCode::kInvalidArgument,
                      "session file name: must differ from the others, got '{}' twice",
                      name);
        TemporaryFile file(folder, "");
        file.take(upload.file);
        fs::rename(file.path(), folder / name);
        names.push_back(name);
      }
    }
    VOXLOOM_CHECK(
        !names.empty(), ErrorCode::kInvalidArgument, "session: its archive must hold a file");
    Session session;
    if (names.size() == 1) session.image = names[0];
    session.create_ts = session.last_access_ts = now_s();
    session.expiry_s =
        expiry_s > 0 ? std::min(expiry_s, options_.max_expiry_s) : options_.max_expiry_s;
    session.bytes = bytes_below(folder);
    write_meta(id, session);
    Json out = info(id, session);
    const std::lock_guard lock(mutex_);
    bytes_ += session.bytes;
    sessions_.emplace(id, std::move(session));
    return out;
  } catch (...) {
    fs::remove_all(folder, ignored);
    throw;
  }
}

std::optional<Json> SessionStore::get(std::string_view id, bool touch) {
  const std::lock_guard lock(mutex_);
  const auto it = sessions_.find(id);
  const int64_t now = now_s();
  if (it == sessions_.end() || expired(it->second, now)) return std::nullopt;
  Session& session = it->second;
  if (touch) {
    session.last_access_ts = now;
    if (now - session.written_ts >= kWriteAfter) write_meta(it->first, session);
  }
  return info(it->first, session);
}

fs::path SessionStore::image_path(std::string_view id) {
  const auto found = get(id, true);
  VOXLOOM_CHECK(found, ErrorCode::kNotFound, "session '{}': must exist and not have expired", id);
  return found->at("image").get<std::string>();
}

std::optional<Json> SessionStore::remove(std::string_view id) {
  Json out;
  fs::path folder;
  {
    const std::lock_guard lock(mutex_);
    const auto it = sessions_.find(id);
    if (it == sessions_.end()) return std::nullopt;
    out = info(it->first, it->second);
    folder = options_.folder / it->first;
    bytes_ -= it->second.bytes;
    sessions_.erase(it);
  }
  std::error_code failure;
  fs::remove_all(folder, failure);
  if (failure) VOXLOOM_LOG_WARN("sessions: the files of a session cannot be removed");
  return out;
}

size_t SessionStore::clean() {
  std::vector<std::string> gone;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, session] : sessions_) {
      if (expired(session, now_s())) gone.push_back(id);
    }
  }
  size_t removed = 0;
  for (const auto& id : gone) {
    {
      // It may have been used since.
      const std::lock_guard lock(mutex_);
      const auto it = sessions_.find(id);
      if (it == sessions_.end() || !expired(it->second, now_s())) continue;
    }
    if (remove(id)) ++removed;
  }
  return removed;
}

size_t SessionStore::size() const {
  const std::lock_guard lock(mutex_);
  return sessions_.size();
}

void SessionStore::run() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    wake_.wait_for(lock, options_.clean_every);
    if (stop_) return;
    lock.unlock();
    try {
      clean();
    } catch (const std::exception&) {
      VOXLOOM_LOG_WARN("sessions: expired sessions cannot be removed now");
    }
    lock.lock();
  }
}

}  // namespace voxloom::serve
