#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "voxloom/serve/http/server.h"

namespace voxloom::serve::http {

/// Names and values of a metric's labels, in the order in which they are shown.
using Labels = std::vector<std::pair<std::string, std::string>>;

/// Goes up only. Thread-safe.
class Counter {
 public:
  void add(uint64_t count = 1) { value_.fetch_add(count, std::memory_order_relaxed); }
  [[nodiscard]] uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

/// How often values fell below each of some bounds. Thread-safe.
class Histogram {
 public:
  explicit Histogram(std::vector<double> bounds);
  void observe(double value);

  struct Snapshot {
    std::vector<uint64_t> cumulative;  ///< One per bound, then all.
    double sum = 0.0;
  };
  [[nodiscard]] Snapshot snapshot() const;
  [[nodiscard]] const std::vector<double>& bounds() const { return bounds_; }

 private:
  const std::vector<double> bounds_;
  mutable std::mutex mutex_;
  std::vector<uint64_t> counts_;
  double sum_ = 0.0;
};

/// The server's numbers, in Prometheus' text format. Thread-safe; what counter() and histogram()
/// return lives as long as the registry and may be kept.
///
///     Metrics metrics;
///     metrics.counter("voxloom_saves_total", "Labels saved.", {{"tag", "final"}}).add();
class Metrics {
 public:
  /// The one of that name and labels, made on first use. Throws kInternal when the name is no
  /// metric name or stands for another kind of metric.
  Counter& counter(std::string_view name, std::string_view help, const Labels& labels = {});
  Histogram& histogram(std::string_view name,
                       std::string_view help,
                       const std::vector<double>& bounds,
                       const Labels& labels = {});
  /// A value that is asked for when the numbers are read, on the thread that reads them.
  void gauge(std::string_view name,
             std::string_view help,
             std::function<double()> value,
             const Labels& labels = {});

  [[nodiscard]] std::string text() const;
  static constexpr std::string_view kContentType = "text/plain; version=0.0.4; charset=utf-8";

 private:
  enum class Kind { kCounter, kGauge, kHistogram };
  struct Series {
    std::unique_ptr<Counter> counter;
    std::unique_ptr<Histogram> histogram;
    std::function<double()> gauge;
  };
  struct Family {
    Kind kind = Kind::kCounter;
    std::string help;
    std::map<std::string, Series> series;  ///< By the text of the labels.
  };
  Series& series(std::string_view name, std::string_view help, Kind kind, const Labels& labels);

  mutable std::mutex mutex_;
  std::map<std::string, Family, std::less<>> families_;
};

/// Counts requests by method, route and status, their time and their bytes. `metrics` must
/// outlive the server.
[[nodiscard]] Observer metrics_observer(Metrics& metrics);

}  // namespace voxloom::serve::http
