#include "voxloom/jobs/database.h"

#include <algorithm>
#include <thread>

#include "voxloom/core/log.h"
#include "voxloom/jobs/database_backends.h"
#include "voxloom/jobs/schema.h"

namespace voxloom::jobs {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kFirstPause{5}, kLongestPause{500};

bool starts_with(const std::string& text, std::string_view start) {
  return text.compare(0, start.size(), start) == 0;
}

bool is_postgres(const std::string& url) {
  return starts_with(url, "postgresql://") || starts_with(url, "postgres://");
}

template <class T>
const T& held(const SqlValue& value, const char* what) {
  const T* found = std::get_if<T>(&value);
  VOXLOOM_CHECK(found != nullptr, ErrorCode::kInternal, "database row: column must hold {}", what);
  return *found;
}

}  // namespace

bool SqlRow::is_null(size_t column) const {
  return std::holds_alternative<std::monostate>(values_.at(column));
}

int64_t SqlRow::integer(size_t column) const {
  return is_null(column) ? 0 : held<int64_t>(values_.at(column), "a whole number");
}

double SqlRow::number(size_t column) const {
  const SqlValue& value = values_.at(column);
  if (const auto* whole = std::get_if<int64_t>(&value)) return static_cast<double>(*whole);
  return is_null(column) ? 0.0 : held<double>(value, "a number");
}

std::string SqlRow::text(size_t column) const {
  return is_null(column) ? std::string() : held<std::string>(values_.at(column), "text");
}

SqlResult Transaction::run(std::string_view sql, const std::vector<SqlValue>& values) {
  return database_.execute(sql, values);
}

int64_t Transaction::now_ms() {
  return database_.now_ms();
}

std::string_view Transaction::take_rows() const {
  return database_.take_rows();
}

void Database::set_patience(milliseconds patience) {
  const std::scoped_lock lock(mutex_);
  patience_ = patience;
}

void Database::transaction(const std::function<void(Transaction&)>& body) {
  transaction(Access::kWrite, body);
}

void Database::transaction(Access access, const std::function<void(Transaction&)>& body) {
  const std::scoped_lock lock(mutex_);
  const auto give_up = Clock::now() + patience_;
  for (milliseconds pause = kFirstPause;; pause = std::min(pause * 2, kLongestPause)) {
    try {
      if (lost_) {
        reconnect();
        VOXLOOM_LOG_INFO("{}: connected again", name_);
        lost_ = false;
      }
      begin(access);
      try {
        Transaction transaction(*this);
        body(transaction);
        commit();
      } catch (...) {
        rollback();
        throw;
      }
      return;
    } catch (const TransientError& e) {
      if (e.kind() == TransientError::Kind::kLostConnection) lost_ = true;
      if (Clock::now() + pause >= give_up) throw Error(ErrorCode::kUnavailable, e.what());
      VOXLOOM_LOG_DEBUG("{}; tried again in {} ms", e.what(), pause.count());
    }
    std::this_thread::sleep_for(pause);
  }
}

SqlResult Database::run(std::string_view sql, const std::vector<SqlValue>& values) {
  SqlResult result;
  transaction([&](Transaction& t) { result = t.run(sql, values); });
  return result;
}

SqlResult Database::query(std::string_view sql, const std::vector<SqlValue>& values) {
  SqlResult result;
  transaction(Access::kRead, [&](Transaction& t) { result = t.run(sql, values); });
  return result;
}

void Database::create_schema() {
  const auto steps = schema_steps();
  transaction([&](Transaction& t) {
    lock_schema();
    t.run("CREATE TABLE IF NOT EXISTS voxloom_schema (version BIGINT NOT NULL)");
    const auto rows = t.run("SELECT MAX(version) FROM voxloom_schema").rows;
    const auto version = static_cast<size_t>(rows.at(0).integer(0));
    VOXLOOM_CHECK(version <= steps.size(),
                  ErrorCode::kUnsupported,
                  "database '{}': its tables are of version {}, this program knows up to {}; use "
                  "a newer voxloom",
                  name_,
                  version,
                  steps.size());
    if (version == steps.size()) return;
    for (size_t i = version; i < steps.size(); ++i) {
      for (const auto statement : steps[i]) t.run(statement);
    }
    t.run("DELETE FROM voxloom_schema");
    t.run("INSERT INTO voxloom_schema (version) VALUES (?)", {static_cast<int64_t>(steps.size())});
  });
}

std::string shown_url(const std::string& url) {
  if (is_postgres(url)) return shown_postgres_url(url);
  if (starts_with(url, "sqlite:")) return url;
  // Whatever it is, it may hold a password: the scheme alone is shown.
  const size_t colon = url.find(':');
  return colon == std::string::npos ? url : url.substr(0, colon) + ":...";
}

std::shared_ptr<Database> open_database(const std::string& url) {
  std::shared_ptr<Database> database;
  if (is_postgres(url)) {
    database = open_postgres(url);
  } else {
    VOXLOOM_CHECK(starts_with(url, "sqlite:") && url.size() > 7,
                  ErrorCode::kInvalidArgument,
                  "database: must be sqlite:FILE or postgresql://USER@HOST/NAME, got '{}'",
                  shown_url(url));
    database = open_sqlite(url.substr(7));
  }
  database->create_schema();
  return database;
}

}  // namespace voxloom::jobs
