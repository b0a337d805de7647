#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "voxloom/core/format.h"

namespace voxloom {

enum class LogLevel { kDebug, kInfo, kWarn, kError, kOff };

/// Messages below `level` are dropped. Default kInfo. Thread-safe.
void set_log_level(LogLevel level);
[[nodiscard]] LogLevel log_level();

/// One line to standard error, with time and level. Never pass a patient's name, id or tag,
/// nor a path of input data.
void log_write(LogLevel level, std::string_view message);

/// Where lines go, beside or instead of standard error.
struct LogRoute {
  /// Called for every line, on the thread that logs. It may be called by several threads at once.
  /// What it logs itself goes to standard error alone; what it throws is dropped.
  std::function<void(LogLevel, std::string_view)> sink;
  /// Changes every line before anyone sees it, standard error too.
  std::function<std::string(std::string_view)> filter;
  bool standard_error = true;
};

/// Sets the route of all later lines; {} is the one at start. When it returns, the former sink is
/// not running and is not called again, so its owner may go away. Thread-safe; not from a sink.
void set_log_route(LogRoute route);

}  // namespace voxloom

#define VOXLOOM_LOG_AT(level, ...)                                   \
  do {                                                               \
    if ((level) >= ::voxloom::log_level())                           \
      ::voxloom::log_write((level), ::voxloom::format(__VA_ARGS__)); \
  } while (false)
#define VOXLOOM_LOG_DEBUG(...) VOXLOOM_LOG_AT(::voxloom::LogLevel::kDebug, __VA_ARGS__)
#define VOXLOOM_LOG_INFO(...) VOXLOOM_LOG_AT(::voxloom::LogLevel::kInfo, __VA_ARGS__)
#define VOXLOOM_LOG_WARN(...) VOXLOOM_LOG_AT(::voxloom::LogLevel::kWarn, __VA_ARGS__)
#define VOXLOOM_LOG_ERROR(...) VOXLOOM_LOG_AT(::voxloom::LogLevel::kError, __VA_ARGS__)
