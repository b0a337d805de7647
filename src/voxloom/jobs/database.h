#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "voxloom/core/error.h"

namespace voxloom::jobs {

/// One value of a statement or of a row; monostate is NULL.
using SqlValue = std::variant<std::monostate, int64_t, double, std::string>;

class SqlRow {
 public:
  explicit SqlRow(std::vector<SqlValue> values) : values_(std::move(values)) {}

  [[nodiscard]] bool is_null(size_t column) const;
  /// NULL reads as 0; a column that holds something else is a bug (kInternal).
  [[nodiscard]] int64_t integer(size_t column) const;
  [[nodiscard]] double number(size_t column) const;
  /// NULL reads as empty text.
  [[nodiscard]] std::string text(size_t column) const;

 private:
  std::vector<SqlValue> values_;
};

struct SqlResult {
  std::vector<SqlRow> rows;
  int64_t changed = 0;  ///< Rows inserted, updated or deleted.
};

/// A failure after which the whole transaction may be tried again. Database::transaction deals
/// with it; a transaction's body lets it pass.
class TransientError : public Error {
 public:
  enum class Kind { kBusy, kLostConnection };
  TransientError(Kind kind, const std::string& message)
      : Error(ErrorCode::kUnavailable, message), kind_(kind) {}
  [[nodiscard]] Kind kind() const { return kind_; }

 private:
  Kind kind_;
};

class Database;

/// What the body of a transaction works with.
class Transaction {
 public:
  explicit Transaction(Database& database) : database_(database) {}

  /// Runs one statement; each `?` outside quotes takes the next value.
  SqlResult run(std::string_view sql, const std::vector<SqlValue>& values = {});

  /// Milliseconds since 1970 by the database's clock: workers on many machines share it.
  [[nodiscard]] int64_t now_ms();

  /// Ends a SELECT that takes rows for itself: others pass over them. Empty for SQLite, where a
  /// transaction that writes is alone.
  [[nodiscard]] std::string_view take_rows() const;

 private:
  Database& database_;
};

/// One connection to SQLite or PostgreSQL, with voxloom's tables. Thread-safe: transactions of one
/// object run one after another. Several processes may open the same database.
class Database {
 public:
  virtual ~Database() = default;
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  /// Runs `body` in a transaction and commits; an exception rolls back and passes on. Where the
  /// database is busy, finds a conflict or loses the connection, `body` runs again from its start
  /// until patience() is over, so what it changes outside the database must bear that. After a
  /// connection lost during the commit it may have been committed already: statements have to
  /// bear that too. Throws kUnavailable naming the database. Not to be nested.
  void transaction(const std::function<void(Transaction&)>& body);

  /// One statement as a transaction.
  SqlResult run(std::string_view sql, const std::vector<SqlValue>& values = {});

  /// One statement that only reads: it waits for no other process that writes.
  SqlResult query(std::string_view sql, const std::vector<SqlValue>& values = {});

  /// The URL without a password.
  [[nodiscard]] const std::string& name() const { return name_; }

  /// How long a transaction is tried before kUnavailable; 60 s.
  void set_patience(std::chrono::milliseconds patience);

 protected:
  explicit Database(std::string name) : name_(std::move(name)) {}

  friend class Transaction;
  friend std::shared_ptr<Database> open_database(const std::string& url);

  // These throw TransientError or Error, both naming the database.
  enum class Access { kWrite, kRead };
  virtual void begin(Access access) = 0;
  virtual void commit() = 0;
  virtual void rollback() noexcept = 0;
  virtual void reconnect() = 0;
  virtual SqlResult execute(std::string_view sql, const std::vector<SqlValue>& values) = 0;
  virtual int64_t now_ms() = 0;
  [[nodiscard]] virtual std::string_view take_rows() const = 0;
  /// Makes the transaction exclusive among those that change the schema.
  virtual void lock_schema() = 0;

 private:
  void create_schema();
  void transaction(Access access, const std::function<void(Transaction&)>& body);

  std::string name_;
  std::mutex mutex_;
  std::chrono::milliseconds patience_{60000};
  bool lost_ = false;
};

/// Opens "sqlite:FILE" (made when absent; write-ahead log, every commit synced) or
/// "postgresql://USER:PASSWORD@HOST:PORT/NAME", and brings its tables to this version.
/// Throws kInvalidArgument for another URL, kUnavailable where it can't be opened or reached,
/// kDataCorrupt for a file that is no database, kUnsupported for tables of a newer version.
[[nodiscard]] std::shared_ptr<Database> open_database(const std::string& url);

/// The URL as it may be shown: a password is left out.
[[nodiscard]] std::string shown_url(const std::string& url);

}  // namespace voxloom::jobs
