#include <array>
#include <charconv>

#include <libpq-fe.h>

#include "voxloom/jobs/database_backends.h"

namespace voxloom::jobs {
namespace {

// Type numbers of PostgreSQL's catalogue (fixed there).
constexpr Oid kBool = 16, kInt8 = 20, kInt2 = 21, kInt4 = 23, kTextType = 25, kFloat4 = 700,
              kFloat8 = 701;
constexpr int64_t kSchemaLock = 0x766f786c6f6f6d;  // "voxloom"

struct ResultClearer {
  void operator()(PGresult* result) const { PQclear(result); }
};
using Result = std::unique_ptr<PGresult, ResultClearer>;

struct ConnectionInfo {
  std::string user, host, port, database;
};

std::string without_line_end(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  for (char& c : text) {
    if (c == '\n' || c == '\t') c = ' ';
  }
  return text;
}

/// "a = ? AND b = ?" -> "a = $1 AND b = $2", leaving quoted text alone.
std::string numbered(std::string_view sql) {
  std::string out;
  int number = 0;
  bool quoted = false;
  for (const char c : sql) {
    if (c == '\'') quoted = !quoted;
    if (c == '?' && !quoted) {
      out += '$' + std::to_string(++number);
    } else {
      out += c;
    }
  }
  return out;
}

template <class T>
T parse(std::string_view text) {
  T value{};
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  VOXLOOM_CHECK(result.ec == std::errc{},
                ErrorCode::kInternal,
                "database row: must hold a number, got '{}'",
                text);
  return value;
}

/// Values in the text form that libpq takes; the types are given, so the server guesses nothing.
struct Parameters {
  explicit Parameters(const std::vector<SqlValue>& list) {
    texts.reserve(list.size());
    for (const auto& value : list) {
      if (const auto* whole = std::get_if<int64_t>(&value)) {
        add(kInt8, std::to_string(*whole));
      } else if (const auto* number = std::get_if<double>(&value)) {
        std::array<char, 40> buffer{};
        const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), *number);
        add(kFloat8, std::string(buffer.data(), end.ptr));
      } else if (const auto* text = std::get_if<std::string>(&value)) {
        add(kTextType, *text);
      } else {
        types.push_back(0);
        texts.emplace_back();
        values.push_back(nullptr);
      }
    }
  }
  void add(Oid type, std::string text) {
    types.push_back(type);
    texts.push_back(std::move(text));
    values.push_back(texts.back().c_str());  // stays: texts never grows beyond its reserve
  }
  std::vector<Oid> types;
  std::vector<std::string> texts;
  std::vector<const char*> values;
};

SqlValue read_value(const PGresult* result, int row, int column) {
  if (PQgetisnull(result, row, column) == 1) return std::monostate{};
  const std::string_view text(PQgetvalue(result, row, column),
                              static_cast<size_t>(PQgetlength(result, row, column)));
  switch (PQftype(result, column)) {
    case kBool:
      return int64_t{text == "t"};
    case kInt2:
    case kInt4:
    case kInt8:
      return parse<int64_t>(text);
    case kFloat4:
    case kFloat8:
      return parse<double>(text);
    default:
      return std::string(text);
  }
}

class PostgresDatabase final : public Database {
 public:
  explicit PostgresDatabase(const std::string& url) : Database(shown_postgres_url(url)), url_(url) {
    reconnect();
  }
  ~PostgresDatabase() override { PQfinish(connection_); }

 protected:
  void begin(Access access) override {
    execute(access == Access::kWrite ? "BEGIN" : "BEGIN READ ONLY", {});
  }
  void commit() override { execute("COMMIT", {}); }
  void rollback() noexcept override {
    if (PQtransactionStatus(connection_) != PQTRANS_IDLE) {
      PQclear(PQexec(connection_, "ROLLBACK"));
    }
  }
  std::string_view take_rows() const override { return " FOR UPDATE SKIP LOCKED"; }
  void lock_schema() override {
    // Makers of the same table at the same moment fail even with IF NOT EXISTS.
    execute("SELECT pg_advisory_xact_lock(?)", {kSchemaLock});
  }

  int64_t now_ms() override {
    return execute("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)", {})
        .rows.at(0)
        .integer(0);
  }

  void reconnect() override {
    PQfinish(connection_);
    // The later words win, so that the URL can set each of the first ones. The limits notice a
    // machine that vanished without a word.
    const std::array<const char*, 8> words = {"connect_timeout",
                                              "keepalives_idle",
                                              "tcp_user_timeout",
                                              "application_name",
                                              "dbname",
                                              "client_encoding",
                                              nullptr,
                                              nullptr};
    const std::array<const char*, 8> values = {
        "10", "30", "30000", "voxloom", url_.c_str(), "UTF8", nullptr, nullptr};
    connection_ = PQconnectdbParams(words.data(), values.data(), 1);
    if (PQstatus(connection_) != CONNECTION_OK) {
      const std::string reason = without_line_end(PQerrorMessage(connection_));
      PQfinish(connection_);
      connection_ = nullptr;  // libpq's functions take it as a connection that failed
      throw TransientError(TransientError::Kind::kLostConnection,
                           format("database '{}': cannot be reached: {}", name(), reason));
    }
    PQsetNoticeProcessor(
        connection_, [](void*, const char*) {}, nullptr);
  }

  SqlResult execute(std::string_view sql, const std::vector<SqlValue>& values) override {
    const Parameters parameters(values);
    const Result raw(PQexecParams(connection_,
                                  numbered(sql).c_str(),
                                  static_cast<int>(values.size()),
                                  parameters.types.data(),
                                  parameters.values.data(),
                                  nullptr,
                                  nullptr,
                                  0));
    const auto status = PQresultStatus(raw.get());
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) fail(raw.get());
    SqlResult result;
    const int rows = PQntuples(raw.get()), columns = PQnfields(raw.get());
    for (int row = 0; row < rows; ++row) {
      std::vector<SqlValue> cells;
      for (int column = 0; column < columns; ++column) {
        cells.push_back(read_value(raw.get(), row, column));
      }
      result.rows.emplace_back(std::move(cells));
    }
    const std::string_view changed = PQcmdTuples(raw.get());
    if (!changed.empty()) result.changed = parse<int64_t>(changed);
    return result;
  }

 private:
  [[noreturn]] void fail(const PGresult* result) const {
    const std::string message =
        format("database '{}': {}", name(), without_line_end(PQerrorMessage(connection_)));
    const char* field = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const std::string state = field != nullptr ? field : "";
    const std::string kind = state.substr(0, 2);
    // 08: connection, 57P: the server was stopped or is starting. An error without a state is
    // libpq's own; one about a connection that was closed leaves PQstatus at OK for one call more.
    const bool lost = PQstatus(connection_) != CONNECTION_OK || state.empty() || kind == "08" ||
                      state.substr(0, 3) == "57P";
    if (lost) {
      throw TransientError(TransientError::Kind::kLostConnection, message);
    }
    // 40: serialization failure or deadlock, 55P03: a lock was not to be had.
    if (kind == "40" || state == "55P03") {
      throw TransientError(TransientError::Kind::kBusy, message);
    }
    // 53: no disk, memory or connections left; 28, 42501: not allowed; 25006: read only.
    const bool outside = kind == "53" || kind == "28" || state == "42501" || state == "25006";
    throw Error(outside ? ErrorCode::kUnavailable : ErrorCode::kInternal, message);
  }

  std::string url_;
  PGconn* connection_ = nullptr;
};

ConnectionInfo parse_url(const std::string& url) {
  char* problem = nullptr;
  PQconninfoOption* options = PQconninfoParse(url.c_str(), &problem);
  if (options == nullptr) {
    PQfreemem(problem);  // it may repeat the URL, password and all
    throw Error(ErrorCode::kInvalidArgument,
                "database: must be postgresql://USER:PASSWORD@HOST:PORT/NAME, got a PostgreSQL "
                "URL that cannot be read");
  }
  ConnectionInfo info;
  for (const PQconninfoOption* option = options; option->keyword != nullptr; ++option) {
    if (option->val == nullptr) continue;
    const std::string_view keyword = option->keyword;
    if (keyword == "user") info.user = option->val;
    if (keyword == "host") info.host = option->val;
    if (keyword == "port") info.port = option->val;
    if (keyword == "dbname") info.database = option->val;
  }
  PQconninfoFree(options);
  return info;
}

}  // namespace

std::string shown_postgres_url(const std::string& url) {
  const ConnectionInfo info = parse_url(url);
  return "postgresql://" + (info.user.empty() ? "" : info.user + "@") + info.host +
         (info.port.empty() ? "" : ":" + info.port) + "/" + info.database;
}

std::unique_ptr<Database> open_postgres(const std::string& url) {
  try {
    return std::make_unique<PostgresDatabase>(url);
  } catch (const TransientError& e) {
    throw Error(ErrorCode::kUnavailable, e.what());
  }
}

}  // namespace voxloom::jobs
