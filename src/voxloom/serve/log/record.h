#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "voxloom/serve/http/message.h"

namespace voxloom {
enum class LogLevel;
}

namespace voxloom::serve {

/// A word of a log record that is part of the program's source: only a literal makes one, so that
/// nothing a client sent can.
class LogWord {
 public:
  template <size_t N>
  consteval LogWord(const char (&text)[N]) : text_(text, N - 1) {}  // NOLINT(*-explicit-*)
  [[nodiscard]] constexpr std::string_view text() const { return text_; }

 private:
  std::string_view text_;
};

/// A text that the program made at run time and that holds nothing of a client or an image: a
/// route's pattern, a method, a model or strategy name of the configuration. Anything but letters,
/// digits and "_-./{}*" becomes '?', and it is cut at 64 bytes.
class LogName {
 public:
  explicit LogName(std::string_view text);
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

/// What a field may hold: numbers, flags and the two kinds of text above.
class LogValue {
 public:
  LogValue(bool value) : value_(value) {}                       // NOLINT(*-explicit-*)
  LogValue(double value) : value_(value) {}                     // NOLINT(*-explicit-*)
  LogValue(LogWord word) : value_(std::string(word.text())) {}  // NOLINT(*-explicit-*)
  LogValue(const LogName& name) : value_(name.text()) {}        // NOLINT(*-explicit-*)
  LogValue(const char*) = delete;  // a literal is LogWord("text"); it must not become a flag
  template <class T>
  requires(std::is_integral_v<T> && !std::is_same_v<T, bool>) LogValue(T value)  // NOLINT
      : value_(static_cast<int64_t>(value)) {}
  [[nodiscard]] http::Json json() const;

 private:
  std::variant<bool, int64_t, double, std::string> value_;
};

/// A short name of a client for the log: the same for the same id while the process lives, and
/// nothing that leads back to the id ("c-" and 12 hex digits; a keyed hash with a key drawn at
/// start). Empty for an empty id. Thread-safe.
[[nodiscard]] std::string client_label(std::string_view client_id);

/// "debug", "info", "warn", "error".
[[nodiscard]] std::string_view level_name(LogLevel level);
/// Throws kInvalidArgument naming the levels.
[[nodiscard]] LogLevel parse_level(std::string_view text);

/// One record of the server's log. The interface takes no free text but what from_text() scrubs:
///
///     hub.publish(LogRecord(LogLevel::kInfo, "request", "answered")
///                     .request(12).client(client_id).field("status", 200)
///                     .field("route", LogName(route.pattern)));
class LogRecord {
 public:
  LogRecord(LogLevel level, LogWord event, LogWord message = "");
  /// A line of the layers below (core/log.h), scrubbed; event "log".
  static LogRecord from_text(LogLevel level, std::string_view text);

  LogRecord& request(uint64_t id);
  /// Keeps client_label(client_id), never the id.
  LogRecord& client(std::string_view client_id);
  LogRecord& field(LogWord name, LogValue value);

  [[nodiscard]] LogLevel level() const { return level_; }
  [[nodiscard]] uint64_t request_id() const { return request_; }
  [[nodiscard]] const std::string& client_label_text() const { return client_; }

  /// One line without its end: {"time": "2026-01-31T12:00:00.123Z", "seq": 7, "level": "info",
  /// "event": "request", "message": ..., "request": 12, "client": "c-...", "fields": {...}}.
  /// Absent parts are left out.
  [[nodiscard]] std::string json_line(int64_t unix_ms, uint64_t sequence) const;

 private:
  LogLevel level_;
  std::string event_, message_, client_;
  uint64_t request_ = 0;
  std::vector<std::pair<std::string, LogValue>> fields_;
};

/// "2026-01-31T12:00:00.123Z"
[[nodiscard]] std::string iso_time(int64_t unix_ms);
[[nodiscard]] int64_t unix_now_ms();

}  // namespace voxloom::serve
