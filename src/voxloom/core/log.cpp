#include "voxloom/core/log.h"

#include <atomic>
#include <mutex>
#include <shared_mutex>

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

namespace voxloom {
namespace {

std::atomic<LogLevel> g_level{LogLevel::kInfo};

spdlog::logger& logger() {
  static const std::shared_ptr<spdlog::logger> instance = [] {
    auto created = std::make_shared<spdlog::logger>(
        "voxloom", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
    created->set_pattern("%Y-%m-%dT%H:%M:%S.%e %^%l%$ %v");
    created->set_level(spdlog::level::trace);
    created->flush_on(spdlog::level::warn);
    return created;
  }();
  return *instance;
}

void write_to_standard_error(LogLevel level, std::string_view message) {
  constexpr spdlog::level::level_enum kLevels[] = {spdlog::level::debug,
                                                   spdlog::level::info,
                                                   spdlog::level::warn,
                                                   spdlog::level::err,
                                                   spdlog::level::off};
  logger().log(kLevels[static_cast<int>(level)], "{}", message);
}

struct Routing {
  std::shared_mutex mutex;
  LogRoute route;
};

Routing& routing() {
  static Routing& instance = *new Routing;  // never destroyed: threads may log until the end
  return instance;
}

thread_local bool t_routing = false;  // this thread is inside a filter or sink

void write_routed(LogLevel level, std::string_view message) {
  Routing& shared = routing();
  const std::shared_lock lock(shared.mutex);
  const LogRoute& route = shared.route;
  std::string changed;
  if (route.filter) {
    changed = route.filter(message);
    message = changed;
  }
  if (route.standard_error) write_to_standard_error(level, message);
  if (route.sink) route.sink(level, message);
}

}  // namespace

void set_log_level(LogLevel level) {
  g_level.store(level);
}

LogLevel log_level() {
  return g_level.load();
}

void log_write(LogLevel level, std::string_view message) {
  if (t_routing) {
    write_to_standard_error(level, message);
    return;
  }
  t_routing = true;
  try {
    write_routed(level, message);
  } catch (...) {
    // A sink that fails (no memory) must not fail who logs.
    write_to_standard_error(LogLevel::kError, "a log line could not be passed on");
  }
  t_routing = false;
}

void set_log_route(LogRoute route) {
  Routing& shared = routing();
  {
    const std::unique_lock lock(shared.mutex);
    std::swap(shared.route, route);
  }
  // The former route is destroyed here, outside the lock.
}

}  // namespace voxloom
