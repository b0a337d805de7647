#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "voxloom/serve/http/message.h"
#include "voxloom/serve/log/record.h"

namespace voxloom::serve {

/// Which records a monitor wants.
struct LogFilter {
  LogLevel level{};      ///< This one and above; default debug.
  uint64_t request = 0;  ///< 0: of every request.
  std::string client;    ///< A client's id or its label ("c-..."); empty: of all.
};

/// What a monitor asks for: `filter` and how many records of the past come first.
struct LogRequest {
  LogFilter filter;
  size_t backlog = 0;
};

/// {"level": "warn", "request": 12, "client": "...", "backlog": 100}, each optional. Throws
/// kInvalidArgument saying what is wrong.
[[nodiscard]] LogRequest parse_log_request(const http::Json& json);

class LogHub;

/// A reader of the hub: a bounded queue of lines. When it is full the oldest line goes, and the
/// next take() starts with a record {"event": "dropped", "fields": {"lines": n}}. Thread-safe.
class LogSubscription {
 public:
  ~LogSubscription();
  LogSubscription(const LogSubscription&) = delete;
  LogSubscription& operator=(const LogSubscription&) = delete;

  using Line = std::shared_ptr<const std::string>;
  /// Takes what waits, oldest first, at most about `max_bytes` (one line at least).
  [[nodiscard]] std::vector<Line> take(size_t max_bytes = size_t{1} << 20);
  /// For the lines from now on.
  void set_filter(const LogFilter& filter);
  /// How many lines were dropped in all.
  [[nodiscard]] uint64_t dropped() const;
  /// Lines of the backlog that were queued at the start.
  [[nodiscard]] size_t backlog() const;
  /// Gets no more lines, and forgets those that wait. Also done by the destructor.
  void close();

 private:
  friend class LogHub;
  struct State;
  explicit LogSubscription(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

/// Where every record of the server goes: a ring of the last ones, and the subscribers.
/// Thread-safe; publish() does no input or output and never waits for a reader.
class LogHub {
 public:
  struct Limits {
    size_t records = 10000, bytes = size_t{8} << 20;              ///< Of the ring.
    size_t queue_records = 10000, queue_bytes = size_t{4} << 20;  ///< Of each subscriber.
  };
  LogHub();
  explicit LogHub(Limits limits);
  ~LogHub();
  LogHub(const LogHub&) = delete;
  LogHub& operator=(const LogHub&) = delete;

  /// Records below the level are not made into lines. Default info.
  void set_level(LogLevel level);
  void publish(const LogRecord& record);

  /// The last `request.backlog` matching records, then every later one, without gap or double.
  /// `on_ready` is called when the queue stops being empty, on a publishing thread and perhaps
  /// once after close(): it must be quick, must not publish, and must own what it uses.
  [[nodiscard]] std::unique_ptr<LogSubscription> subscribe(const LogRequest& request,
                                                           std::function<void()> on_ready);

  /// The last `count` lines of the ring that match (0: all), oldest first.
  [[nodiscard]] std::vector<LogSubscription::Line> tail(size_t count,
                                                        const LogFilter& filter = {}) const;

  /// Sends what the layers below log here, scrubbed, until the hub ends; standard error gets it
  /// scrubbed too where `standard_error`. One hub of a process may do so.
  void attach_core_log(bool standard_error);

  /// 16 hex digits, others for each hub.
  [[nodiscard]] const std::string& run_id() const { return run_id_; }
  /// Records published since start, those below the level not counted.
  [[nodiscard]] uint64_t published() const;

 private:
  friend class LogSubscription;
  struct Shared;
  std::shared_ptr<Shared> shared_;
  std::string run_id_;
  bool attached_ = false;
};

}  // namespace voxloom::serve
