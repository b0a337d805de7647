#include "voxloom/core/log.h"

#include <atomic>

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

}  // namespace

void set_log_level(LogLevel level) {
  g_level.store(level);
}

LogLevel log_level() {
  return g_level.load();
}

void log_write(LogLevel level, std::string_view message) {
  constexpr spdlog::level::level_enum kLevels[] = {spdlog::level::debug,
                                                   spdlog::level::info,
                                                   spdlog::level::warn,
                                                   spdlog::level::err,
                                                   spdlog::level::off};
  logger().log(kLevels[static_cast<int>(level)], "{}", message);
}

}  // namespace voxloom
