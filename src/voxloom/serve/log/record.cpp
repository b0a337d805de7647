#include "voxloom/serve/log/record.h"

#include <algorithm>
#include <array>
#include <chrono>

#include <sodium.h>
#include <time.h>

#include "voxloom/core/error.h"
#include "voxloom/core/log.h"
#include "voxloom/serve/auth/sodium_ready.h"
#include "voxloom/serve/log/scrub.h"

namespace voxloom::serve {
namespace {

constexpr size_t kMaxNameBytes = 64;
constexpr std::string_view kLevels[] = {"debug", "info", "warn", "error"};

bool is_alnum(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// Invalid UTF-8 (from cutting or from a strange byte) is replaced, not an error.
std::string dump(const http::Json& json) {
  return json.dump(-1, ' ', false, http::Json::error_handler_t::replace);
}

}  // namespace

LogName::LogName(std::string_view text) : text_(text.substr(0, kMaxNameBytes)) {
  constexpr std::string_view kAlso = "_-./{}*";
  for (char& c : text_) {
    if (!is_alnum(c) && kAlso.find(c) == std::string_view::npos) c = '?';
  }
}

http::Json LogValue::json() const {
  return std::visit([](const auto& value) { return http::Json(value); }, value_);
}

std::string client_label(std::string_view client_id) {
  if (client_id.empty()) return {};
  static const std::array<unsigned char, crypto_generichash_KEYBYTES> key = [] {
    sodium_ready();
    std::array<unsigned char, crypto_generichash_KEYBYTES> drawn{};
    ::randombytes_buf(drawn.data(), drawn.size());
    return drawn;
  }();
  std::array<unsigned char, crypto_generichash_BYTES_MIN> digest{};
  ::crypto_generichash(digest.data(),
                       digest.size(),
                       reinterpret_cast<const unsigned char*>(client_id.data()),
                       client_id.size(),
                       key.data(),
                       key.size());
  constexpr size_t kShown = 6;
  char hex[2 * kShown + 1];
  ::sodium_bin2hex(hex, sizeof hex, digest.data(), kShown);
  return std::string("c-") + hex;
}

std::string_view level_name(LogLevel level) {
  return kLevels[static_cast<size_t>(std::clamp(static_cast<int>(level), 0, 3))];
}

LogLevel parse_level(std::string_view text) {
  for (size_t i = 0; i < std::size(kLevels); ++i) {
    if (kLevels[i] == text) return static_cast<LogLevel>(i);
  }
  throw Error(ErrorCode::kInvalidArgument,
              format("level: must be debug, info, warn or error, got '{}'", text.substr(0, 40)));
}

LogRecord::LogRecord(LogLevel level, LogWord event, LogWord message)
    : level_(level), event_(event.text()), message_(message.text()) {}

LogRecord LogRecord::from_text(LogLevel level, std::string_view text) {
  LogRecord record(level, "log");
  record.message_ = scrubbed(text);
  return record;
}

LogRecord& LogRecord::request(uint64_t id) {
  request_ = id;
  return *this;
}

LogRecord& LogRecord::client(std::string_view client_id) {
  client_ = client_label(client_id);
  return *this;
}

LogRecord& LogRecord::field(LogWord name, LogValue value) {
  fields_.emplace_back(std::string(name.text()), std::move(value));
  return *this;
}

std::string LogRecord::json_line(int64_t unix_ms, uint64_t sequence) const {
  http::Json json = {{"time", iso_time(unix_ms)},
                     {"seq", sequence},
                     {"level", level_name(level_)},
                     {"event", event_}};
  if (!message_.empty()) json["message"] = message_;
  if (request_ != 0) json["request"] = request_;
  if (!client_.empty()) json["client"] = client_;
  if (!fields_.empty()) {
    auto fields = http::Json::object();
    for (const auto& [name, value] : fields_) fields[name] = value.json();
    json["fields"] = std::move(fields);
  }
  return dump(json);
}

std::string iso_time(int64_t unix_ms) {
  const time_t seconds = unix_ms / 1000;
  tm utc{};
  ::gmtime_r(&seconds, &utc);
  char text[32];
  const size_t size = ::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
  const std::string fraction = std::to_string(1000 + unix_ms % 1000).substr(1);
  return std::string(text, size) + "." + fraction + "Z";
}

int64_t unix_now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace voxloom::serve
