#include "voxloom/serve/auth/users.h"

#include <algorithm>
#include <chrono>

#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/error.h"
#include "voxloom/core/json_text.h"
#include "voxloom/core/log.h"

namespace voxloom::serve {
namespace {

using nlohmann::ordered_json;

constexpr size_t kMaxFileBytes = size_t{4} << 20;
constexpr size_t kMaxUsers = 10000;
constexpr int kVersion = 1;

bool is_role(std::string_view text) {
  return std::any_of(
      std::begin(kRoles), std::end(kRoles), [&](std::string_view role) { return role == text; });
}

std::string text_of(const ordered_json& object, const char* key, const std::string& where) {
  const auto found = object.find(key);
  VOXLOOM_CHECK(found != object.end() && found->is_string(),
                ErrorCode::kDataCorrupt,
                "{}: '{}' must be a text",
                where,
                key);
  return found->get<std::string>();
}

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  });
}

User user_from_json(const ordered_json& object, const std::string& where) {
  VOXLOOM_CHECK(object.is_object(), ErrorCode::kDataCorrupt, "{}: must be an object", where);
  User user;
  user.name = text_of(object, "name", where);
  try {
    check_user_name(user.name);
  } catch (const Error& e) {
    throw Error(ErrorCode::kDataCorrupt, where + ": " + e.what());
  }
  user.hash = text_of(object, "hash", where);
  // 128 is libsodium's limit of a hash's text, its final zero included.
  VOXLOOM_CHECK(user.hash.rfind("$argon2id$", 0) == 0 && user.hash.size() < 128 &&
                    user.hash.find('\0') == std::string::npos,
                ErrorCode::kDataCorrupt,
                "{}: 'hash' must be an argon2id hash",
                where);
  user.stamp = text_of(object, "stamp", where);
  VOXLOOM_CHECK(user.stamp.size() == 16 && is_hex(user.stamp),
                ErrorCode::kDataCorrupt,
                "{}: 'stamp' must be 16 hex digits",
                where);
  const auto roles = object.find("roles");
  VOXLOOM_CHECK(roles != object.end() && roles->is_array() && roles->size() <= 16,
                ErrorCode::kDataCorrupt,
                "{}: 'roles' must be a list",
                where);
  std::string joined;
  for (const auto& role : *roles) {
    VOXLOOM_CHECK(role.is_string() && is_role(role.get<std::string>()),
                  ErrorCode::kDataCorrupt,
                  "{}: 'roles' must hold user, reviewer, annotator or admin",
                  where);
    joined += (joined.empty() ? "" : ",") + role.get<std::string>();
  }
  if (!joined.empty()) user.roles = parse_roles(joined);
  return user;
}

/// Holds "<file>.lock" while the file is changed.
class FileLock {
 public:
  explicit FileLock(const std::filesystem::path& path) {
    const std::string name = path.string() + ".lock";
    fd_ = ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    VOXLOOM_CHECK(fd_ >= 0 && ::flock(fd_, LOCK_EX) == 0,
                  ErrorCode::kUnavailable,
                  "users file '{}': its lock file cannot be made",
                  path.string());
  }
  ~FileLock() { ::close(fd_); }
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  int fd_ = -1;
};

int64_t steady_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

std::vector<std::string> User::effective_roles() const {
  if (std::find(roles.begin(), roles.end(), "admin") == roles.end()) return roles;
  return {std::begin(kRoles), std::end(kRoles)};
}

const User* UserList::find(std::string_view name) const {
  const auto found = std::lower_bound(
      users.begin(), users.end(), name, [](const User& user, std::string_view key) {
        return user.name < key;
      });
  return found != users.end() && found->name == name ? &*found : nullptr;
}

void UserList::put(User user) {
  remove(user.name);
  const auto place =
      std::lower_bound(users.begin(), users.end(), user, [](const User& a, const User& b) {
        return a.name < b.name;
      });
  users.insert(place, std::move(user));
}

bool UserList::remove(std::string_view name) {
  return std::erase_if(users, [&](const User& user) { return user.name == name; }) > 0;
}

UserList parse_users(std::string_view text, std::string_view where) {
  VOXLOOM_CHECK(text.size() <= kMaxFileBytes,
                ErrorCode::kDataCorrupt,
                "{}: must hold at most {} bytes, got {}",
                where,
                kMaxFileBytes,
                text.size());
  const auto json = parse_json(text, where);
  VOXLOOM_CHECK(json.is_object(), ErrorCode::kDataCorrupt, "{}: must be a JSON object", where);
  const auto version = json.find("voxloom_users");
  VOXLOOM_CHECK(version != json.end() && *version == kVersion,
                ErrorCode::kDataCorrupt,
                "{}: 'voxloom_users' must be {}",
                where,
                kVersion);
  const auto users = json.find("users");
  VOXLOOM_CHECK(users != json.end() && users->is_array() && users->size() <= kMaxUsers,
                ErrorCode::kDataCorrupt,
                "{}: 'users' must be a list of at most {}",
                where,
                kMaxUsers);
  UserList list;
  for (size_t i = 0; i < users->size(); ++i) {
    list.users.push_back(user_from_json((*users)[i], format("{}: user {}", where, i + 1)));
  }
  std::sort(list.users.begin(), list.users.end(), [](const User& a, const User& b) {
    return a.name < b.name;
  });
  for (size_t i = 1; i < list.users.size(); ++i) {
    VOXLOOM_CHECK(list.users[i - 1].name != list.users[i].name,
                  ErrorCode::kDataCorrupt,
                  "{}: user '{}' must be there once",
                  where,
                  list.users[i].name);
  }
  return list;
}

std::string users_text(const UserList& list) {
  auto users = ordered_json::array();
  for (const auto& user : list.users) {
    users.push_back(
        {{"name", user.name}, {"hash", user.hash}, {"roles", user.roles}, {"stamp", user.stamp}});
  }
  const ordered_json json = {{"voxloom_users", kVersion}, {"users", std::move(users)}};
  return json.dump(1) + "\n";
}

UserList load_users(const std::filesystem::path& path) {
  return parse_users(read_text_file(path, kMaxFileBytes), format("users file '{}'", path.string()));
}

void update_users(const std::filesystem::path& path, const std::function<void(UserList&)>& change) {
  check_output(path, Overwrite::kReplace);
  const FileLock lock(path);
  UserList list;
  if (std::filesystem::exists(path)) list = load_users(path);
  change(list);
  AtomicFile file(path, Overwrite::kReplace);
  // Before the first byte: nobody else may ever read a hash.
  VOXLOOM_CHECK(::chmod(file.temporary_path().c_str(), 0600) == 0,
                ErrorCode::kUnavailable,
                "users file '{}': its mode cannot be set to 0600",
                path.string());
  file.write(users_text(list));
  file.commit();
}

void check_user_name(std::string_view name) {
  const bool fits = !name.empty() && name.size() <= 64 && name[0] != '-' && name[0] != '.' &&
                    std::all_of(name.begin(), name.end(), [](char c) {
                      return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                             (c >= 'A' && c <= 'Z') || c == '.' || c == '_' || c == '@' || c == '-';
                    });
  VOXLOOM_CHECK(fits,
                ErrorCode::kInvalidArgument,
                "user name: must be 1 to 64 of A-Z, a-z, 0-9 and . _ @ -, starting with none of "
                "- and ., got {} bytes",
                name.size());
}

std::vector<std::string> parse_roles(std::string_view text) {
  std::vector<std::string> given;
  for (size_t start = 0; start <= text.size();) {
    const size_t end = std::min(text.find(',', start), text.size());
    const auto role = text.substr(start, end - start);
    VOXLOOM_CHECK(is_role(role),
                  ErrorCode::kInvalidArgument,
                  "roles: must be of user, reviewer, annotator, admin, separated by commas, "
                  "got '{}'",
                  text.substr(0, 80));
    given.emplace_back(role);
    start = end + 1;
  }
  std::vector<std::string> roles;
  for (const char* role : kRoles) {
    if (std::find(given.begin(), given.end(), role) != given.end()) roles.emplace_back(role);
  }
  return roles;
}

UserStore::UserStore(std::filesystem::path path) : path_(std::move(path)) {
  // Seen first: a change while it is read is then found by the next look.
  seen_ = look();
  list_ = std::make_shared<const UserList>(load_users(path_));
  looked_ms_ = steady_ms();
}

std::optional<UserStore::Seen> UserStore::look() const {
  struct stat info {};
  if (::stat(path_.c_str(), &info) != 0) return std::nullopt;
  return Seen{
      int64_t{info.st_mtim.tv_sec} * 1000000000 + info.st_mtim.tv_nsec, info.st_size, info.st_ino};
}

void UserStore::reload_if_changed() {
  const auto now = look();
  if (now == seen_) return;
  seen_ = now;
  try {
    list_ = std::make_shared<const UserList>(load_users(path_));
  } catch (const std::exception&) {
    VOXLOOM_LOG_ERROR("the users file changed and cannot be read; the accounts stay as they were");
  }
}

std::shared_ptr<const UserList> UserStore::current() {
  const std::lock_guard lock(mutex_);
  const int64_t now = steady_ms();
  if (now - looked_ms_ >= 1000) {
    looked_ms_ = now;
    reload_if_changed();
  }
  return list_;
}

std::shared_ptr<const UserList> UserStore::refresh() {
  const std::lock_guard lock(mutex_);
  looked_ms_ = steady_ms();
  reload_if_changed();
  return list_;
}

}  // namespace voxloom::serve
