#include "voxloom/serve/log/hub.h"

#include <algorithm>
#include <atomic>

#include "voxloom/core/error.h"
#include "voxloom/core/log.h"
#include "voxloom/serve/auth/password.h"
#include "voxloom/serve/log/scrub.h"

namespace voxloom::serve {
namespace {

struct Entry {
  LogSubscription::Line line;
  LogLevel level = LogLevel::kDebug;
  uint64_t request = 0;
  std::string client;
};

/// A filter with its client's label worked out.
struct Matcher {
  explicit Matcher(const LogFilter& asked) : filter(asked), label(client_label(asked.client)) {}
  [[nodiscard]] bool matches(const Entry& entry) const {
    if (entry.level < filter.level) return false;
    if (filter.request != 0 && entry.request != filter.request) return false;
    return filter.client.empty() || entry.client == filter.client || entry.client == label;
  }
  LogFilter filter;
  std::string label;
};

}  // namespace

/// Everything below is guarded by the hub's mutex, so that one publish() is one lock; the fields
/// of a closed subscription stay valid while anyone holds it.
struct LogHub::Shared {
  mutable std::mutex mutex;
  Limits limits;
  std::atomic<LogLevel> level{LogLevel::kInfo};
  uint64_t sequence = 0;
  std::deque<Entry> ring;
  size_t ring_bytes = 0;
  std::vector<std::shared_ptr<LogSubscription::State>> subscribers;
};

struct LogSubscription::State {
  State(std::shared_ptr<LogHub::Shared> hub_state,
        const LogFilter& filter,
        std::function<void()> ready)
      : hub(std::move(hub_state)), matcher(filter), on_ready(std::move(ready)) {}

  /// Returns whether the queue was empty. The hub's mutex is held.
  bool push(Line line) {
    const bool was_empty = queue.empty();
    bytes += line->size();
    queue.push_back(std::move(line));
    while (queue.size() > 1 &&
           (queue.size() > hub->limits.queue_records || bytes > hub->limits.queue_bytes)) {
      bytes -= queue.front()->size();
      queue.pop_front();
      ++dropped;
    }
    return was_empty;
  }

  const std::shared_ptr<LogHub::Shared> hub;
  Matcher matcher;
  const std::function<void()> on_ready;
  std::deque<Line> queue;
  size_t bytes = 0, backlog = 0;
  uint64_t dropped = 0, told = 0;
};

LogRequest parse_log_request(const http::Json& json) {
  VOXLOOM_CHECK(json.is_object(), ErrorCode::kInvalidArgument, "log filters: must be an object");
  LogRequest request;
  for (const auto& [key, value] : json.items()) {
    if (key == "level" && value.is_string()) {
      request.filter.level = parse_level(value.get<std::string>());
    } else if (key == "request" && value.is_number_unsigned()) {
      request.filter.request = value.get<uint64_t>();
    } else if (key == "client" && value.is_string() && value.get<std::string>().size() <= 256) {
      request.filter.client = value.get<std::string>();
    } else if (key == "backlog" && value.is_number_unsigned()) {
      request.backlog = static_cast<size_t>(std::min<uint64_t>(value.get<uint64_t>(), 1'000'000));
    } else {
      throw Error(ErrorCode::kInvalidArgument,
                  "log filters: must be level (text), request (number), client (text of at most "
                  "256 bytes) and backlog (number)");
    }
  }
  return request;
}

LogSubscription::LogSubscription(std::shared_ptr<State> state) : state_(std::move(state)) {}

LogSubscription::~LogSubscription() {
  close();
}

void LogSubscription::close() {
  const std::lock_guard lock(state_->hub->mutex);
  std::erase(state_->hub->subscribers, state_);
  state_->queue.clear();
  state_->bytes = 0;
}

std::vector<LogSubscription::Line> LogSubscription::take(size_t max_bytes) {
  std::vector<Line> lines;
  uint64_t missing = 0, sequence = 0;
  {
    const std::lock_guard lock(state_->hub->mutex);
    missing = state_->dropped - state_->told;
    state_->told = state_->dropped;
    sequence = state_->hub->sequence;
    size_t bytes = 0;
    while (!state_->queue.empty() && (lines.empty() || bytes < max_bytes)) {
      bytes += state_->queue.front()->size();
      lines.push_back(std::move(state_->queue.front()));
      state_->queue.pop_front();
    }
    state_->bytes -= bytes;
  }
  if (missing > 0) {
    LogRecord record(LogLevel::kWarn, "dropped", "lines were dropped: the reader is too slow");
    record.field("lines", missing);
    lines.insert(lines.begin(),
                 std::make_shared<const std::string>(record.json_line(unix_now_ms(), sequence)));
  }
  return lines;
}

void LogSubscription::set_filter(const LogFilter& filter) {
  Matcher matcher(filter);
  const std::lock_guard lock(state_->hub->mutex);
  state_->matcher = std::move(matcher);
}

uint64_t LogSubscription::dropped() const {
  const std::lock_guard lock(state_->hub->mutex);
  return state_->dropped;
}

size_t LogSubscription::backlog() const {
  const std::lock_guard lock(state_->hub->mutex);
  return state_->backlog;
}

LogHub::LogHub() : LogHub(Limits{}) {}

LogHub::LogHub(Limits limits) : shared_(std::make_shared<Shared>()), run_id_(random_hex(8)) {
  shared_->limits = limits;
}

LogHub::~LogHub() {
  if (attached_) set_log_route({});
}

void LogHub::set_level(LogLevel level) {
  shared_->level.store(level);
}

void LogHub::publish(const LogRecord& record) {
  if (record.level() < shared_->level.load()) return;
  std::vector<std::shared_ptr<LogSubscription::State>> ready;
  {
    const std::lock_guard lock(shared_->mutex);
    // Made under the lock, so that times and numbers grow along the ring.
    Entry entry{
        std::make_shared<const std::string>(record.json_line(unix_now_ms(), ++shared_->sequence)),
        record.level(),
        record.request_id(),
        record.client_label_text()};
    for (const auto& subscriber : shared_->subscribers) {
      if (subscriber->matcher.matches(entry) && subscriber->push(entry.line)) {
        ready.push_back(subscriber);
      }
    }
    shared_->ring_bytes += entry.line->size();
    shared_->ring.push_back(std::move(entry));
    while (shared_->ring.size() > shared_->limits.records ||
           shared_->ring_bytes > shared_->limits.bytes) {
      shared_->ring_bytes -= shared_->ring.front().line->size();
      shared_->ring.pop_front();
    }
  }
  for (const auto& subscriber : ready) {
    if (subscriber->on_ready) subscriber->on_ready();
  }
}

std::unique_ptr<LogSubscription> LogHub::subscribe(const LogRequest& request,
                                                   std::function<void()> on_ready) {
  auto state =
      std::make_shared<LogSubscription::State>(shared_, request.filter, std::move(on_ready));
  {
    const std::lock_guard lock(shared_->mutex);
    std::vector<LogSubscription::Line> past;
    for (auto entry = shared_->ring.rbegin();
         entry != shared_->ring.rend() && past.size() < request.backlog;
         ++entry) {
      if (state->matcher.matches(*entry)) past.push_back(entry->line);
    }
    for (auto line = past.rbegin(); line != past.rend(); ++line) state->push(std::move(*line));
    state->backlog = state->queue.size();
    // What did not fit of the past was not promised.
    state->told = state->dropped;
    shared_->subscribers.push_back(state);
  }
  return std::unique_ptr<LogSubscription>(new LogSubscription(std::move(state)));
}

std::vector<LogSubscription::Line> LogHub::tail(size_t count, const LogFilter& filter) const {
  const Matcher matcher(filter);
  std::vector<LogSubscription::Line> lines;
  {
    const std::lock_guard lock(shared_->mutex);
    for (auto entry = shared_->ring.rbegin();
         entry != shared_->ring.rend() && (count == 0 || lines.size() < count);
         ++entry) {
      if (matcher.matches(*entry)) lines.push_back(entry->line);
    }
  }
  std::reverse(lines.begin(), lines.end());
  return lines;
}

void LogHub::attach_core_log(bool standard_error) {
  attached_ = true;
  set_log_route(
      {.sink = [this](LogLevel level,
                      std::string_view text) { publish(LogRecord::from_text(level, text)); },
       .filter = [](std::string_view text) { return scrubbed(text); },
       .standard_error = standard_error});
}

uint64_t LogHub::published() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->sequence;
}

}  // namespace voxloom::serve
