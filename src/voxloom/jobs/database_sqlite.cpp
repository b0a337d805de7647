#include <filesystem>

#include <sqlite3.h>

#include "voxloom/jobs/database_backends.h"

namespace voxloom::jobs {
namespace {

constexpr int kBusyTimeoutMs = 5000;

struct Finalizer {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, Finalizer>;

class SqliteDatabase final : public Database {
 public:
  explicit SqliteDatabase(const std::string& file) : Database("sqlite:" + file), file_(file) {
    open();
  }
  ~SqliteDatabase() override { sqlite3_close_v2(handle_); }

 protected:
  // Immediate: taking the write lock first means that a transaction that has read never fails
  // for another's write.
  void begin(Access access) override {
    execute(access == Access::kWrite ? "BEGIN IMMEDIATE" : "BEGIN", {});
  }
  void commit() override { execute("COMMIT", {}); }
  void rollback() noexcept override {
    // Some failures have ended the transaction already; then this one changes nothing.
    if (sqlite3_get_autocommit(handle_) == 0) {
      sqlite3_exec(handle_, "ROLLBACK", nullptr, nullptr, nullptr);
    }
  }
  void reconnect() override {}
  std::string_view take_rows() const override { return ""; }
  void lock_schema() override {}

  int64_t now_ms() override {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
  }

  SqlResult execute(std::string_view sql, const std::vector<SqlValue>& values) override {
    sqlite3_stmt* raw = nullptr;
    check(sqlite3_prepare_v2(handle_, sql.data(), static_cast<int>(sql.size()), &raw, nullptr));
    const Statement statement(raw);
    for (size_t i = 0; i < values.size(); ++i) bind(raw, static_cast<int>(i) + 1, values[i]);
    SqlResult result;
    int code = sqlite3_step(raw);
    for (; code == SQLITE_ROW; code = sqlite3_step(raw)) result.rows.push_back(read_row(raw));
    if (code != SQLITE_DONE) check(code);
    result.changed = sqlite3_changes(handle_);
    return result;
  }

 private:
  void open() {
    const int flags =
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    if (sqlite3_open_v2(file_.c_str(), &handle_, flags, nullptr) != SQLITE_OK) {
      const std::string reason = handle_ != nullptr ? sqlite3_errmsg(handle_) : "out of memory";
      sqlite3_close_v2(handle_);
      handle_ = nullptr;
      throw Error(ErrorCode::kUnavailable,
                  format("database '{}': cannot be opened: {}", name(), reason));
    }
    try {
      sqlite3_extended_result_codes(handle_, 1);
      check(sqlite3_busy_timeout(handle_, kBusyTimeoutMs));
      const auto mode = execute("PRAGMA journal_mode=WAL", {}).rows;
      VOXLOOM_CHECK(!mode.empty() && mode[0].text(0) == "wal",
                    ErrorCode::kUnavailable,
                    "database '{}': cannot keep a write-ahead log there; use a folder on a local "
                    "disk, or PostgreSQL",
                    name());
      execute("PRAGMA synchronous=FULL", {});
    } catch (...) {
      sqlite3_close_v2(handle_);
      handle_ = nullptr;
      throw;
    }
  }

  void check(int code) {
    if (code == SQLITE_OK) return;
    const std::string message = format("database '{}': {}", name(), sqlite3_errmsg(handle_));
    switch (code & 0xff) {
      case SQLITE_BUSY:
      case SQLITE_LOCKED:
        throw TransientError(TransientError::Kind::kBusy, message);
      case SQLITE_NOTADB:
      case SQLITE_CORRUPT:
        throw Error(ErrorCode::kDataCorrupt, message);
      case SQLITE_CANTOPEN:
      case SQLITE_IOERR:
      case SQLITE_FULL:
      case SQLITE_READONLY:
      case SQLITE_PERM:
        throw Error(ErrorCode::kUnavailable, message);
      default:
        throw Error(ErrorCode::kInternal, message);
    }
  }

  void bind(sqlite3_stmt* statement, int index, const SqlValue& value) {
    if (const auto* whole = std::get_if<int64_t>(&value)) {
      check(sqlite3_bind_int64(statement, index, *whole));
    } else if (const auto* number = std::get_if<double>(&value)) {
      check(sqlite3_bind_double(statement, index, *number));
    } else if (const auto* text = std::get_if<std::string>(&value)) {
      // The caller's values outlive the statement, so nothing is copied.
      check(sqlite3_bind_text64(
          statement, index, text->data(), text->size(), SQLITE_STATIC, SQLITE_UTF8));
    } else {
      check(sqlite3_bind_null(statement, index));
    }
  }

  static SqlRow read_row(sqlite3_stmt* statement) {
    std::vector<SqlValue> values;
    const int columns = sqlite3_column_count(statement);
    for (int i = 0; i < columns; ++i) {
      switch (sqlite3_column_type(statement, i)) {
        case SQLITE_NULL:
          values.emplace_back();
          break;
        case SQLITE_INTEGER:
          values.emplace_back(static_cast<int64_t>(sqlite3_column_int64(statement, i)));
          break;
        case SQLITE_FLOAT:
          values.emplace_back(sqlite3_column_double(statement, i));
          break;
        default: {
          const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, i));
          const auto size = static_cast<size_t>(sqlite3_column_bytes(statement, i));
          values.emplace_back(text != nullptr ? std::string(text, size) : std::string());
        }
      }
    }
    return SqlRow(std::move(values));
  }

  std::string file_;
  sqlite3* handle_ = nullptr;
};

}  // namespace

std::unique_ptr<Database> open_sqlite(const std::string& file) {
  // Several programs that make the same new file find it busy for a moment: journal modes are
  // changed without the busy timeout.
  for (int attempt = 0;; ++attempt) {
    try {
      return std::make_unique<SqliteDatabase>(file);
    } catch (const TransientError& e) {
      if (attempt == 50) throw Error(ErrorCode::kUnavailable, e.what());
      sqlite3_sleep(20 + 10 * attempt);
    }
  }
}

}  // namespace voxloom::jobs
