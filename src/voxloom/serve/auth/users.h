#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace voxloom::serve {

/// The roles, in the order in which they are printed. A route asks for exactly one of them, and
/// having one does not include another, as in MONAI Label, but for `admin`, who has all four.
///
/// | role      | may                                                             |
/// |-----------|-----------------------------------------------------------------|
/// | user      | read: info, images, labels, next sample, inference, task status |
/// | annotator | add images, save labels, change image info, run scoring         |
/// | reviewer  | what routes for reviewers ask for (label status)                |
/// | admin     | everything, also deleting, training, batch inference, logs      |
///
/// A person who annotates in 3D Slicer needs user and annotator.
inline constexpr const char* kRoles[] = {"user", "reviewer", "annotator", "admin"};

/// One account. `stamp` is drawn anew with each password: tokens made before are void then.
struct User {
  std::string name;
  std::string hash;  ///< libsodium's text form of argon2id: "$argon2id$v=19$m=...".
  std::vector<std::string> roles;
  std::string stamp;  ///< 16 hex digits.

  /// The roles it has by the rule above: all of them for an admin.
  [[nodiscard]] std::vector<std::string> effective_roles() const;
  bool operator==(const User&) const = default;
};

/// The accounts of one file, sorted by name.
///
/// The file is JSON, at most 4 MiB, mode 0600 when written here:
///     {"voxloom_users": 1, "users": [{"name": "anna", "hash": "$argon2id$...",
///      "roles": ["user", "annotator"], "stamp": "0123456789abcdef"}]}
struct UserList {
  std::vector<User> users;

  [[nodiscard]] const User* find(std::string_view name) const;
  /// Adds it or replaces the one of that name.
  void put(User user);
  bool remove(std::string_view name);
  bool operator==(const UserList&) const = default;
};

/// Throws kDataCorrupt, saying which user and what is wrong. `where` starts the message.
[[nodiscard]] UserList parse_users(std::string_view text, std::string_view where);
[[nodiscard]] std::string users_text(const UserList& list);

/// Reads the file; throws kNotFound, kDataCorrupt.
[[nodiscard]] UserList load_users(const std::filesystem::path& path);
/// Reads, changes and writes the file under a lock beside it, so that two programs may do so at
/// once. An absent file is an empty list. What `change` throws leaves the file as it was.
void update_users(const std::filesystem::path& path, const std::function<void(UserList&)>& change);

/// 1 to 64 letters, digits and "._@-", not starting with '-' or '.'. Throws kInvalidArgument.
void check_user_name(std::string_view name);
/// "user,annotator" -> known roles, each once, in the order of kRoles. Throws kInvalidArgument.
[[nodiscard]] std::vector<std::string> parse_roles(std::string_view text);

/// The accounts of a file that changes while the server runs. Thread-safe.
///
/// The file is looked at (one stat) at most once a second. A file that can't be read or is not
/// valid leaves the accounts as they were, and one error in the log.
class UserStore {
 public:
  /// Throws as load_users does: a server must not start with a broken file.
  explicit UserStore(std::filesystem::path path);
  UserStore(const UserStore&) = delete;
  UserStore& operator=(const UserStore&) = delete;

  [[nodiscard]] std::shared_ptr<const UserList> current();
  /// The same without waiting for the second to pass.
  [[nodiscard]] std::shared_ptr<const UserList> refresh();

 private:
  struct Seen {
    int64_t mtime_ns = 0, size = 0;
    uint64_t inode = 0;
    bool operator==(const Seen&) const = default;
  };
  [[nodiscard]] std::optional<Seen> look() const;
  void reload_if_changed();

  std::filesystem::path path_;
  std::mutex mutex_;
  std::shared_ptr<const UserList> list_;
  std::optional<Seen> seen_;
  int64_t looked_ms_ = 0;
};

}  // namespace voxloom::serve
