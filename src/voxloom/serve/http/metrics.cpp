#include "voxloom/serve/http/metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "voxloom/core/error.h"

namespace voxloom::serve::http {
namespace {

bool is_name(std::string_view name, bool colon) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  return std::all_of(name.begin(), name.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (colon && c == ':');
  });
}

std::string escape(std::string_view text, bool quotes) {
  std::string escaped;
  for (const char c : text) {
    if (c == '\\') {
      escaped += "\\\\";
    } else if (c == '\n') {
      escaped += "\\n";
    } else if (c == '"' && quotes) {
      escaped += "\\\"";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

/// a="b",c="d"
std::string label_text(const Labels& labels) {
  std::string text;
  for (const auto& [name, value] : labels) {
    VOXLOOM_CHECK(is_name(name, false),
                  ErrorCode::kInternal,
                  "metrics: a label's name must be letters, digits and '_', got '{}'",
                  name);
    if (!text.empty()) text += ',';
    text += name + "=\"" + escape(value, true) + "\"";
  }
  return text;
}

std::string number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return voxloom::format("{}", value);
}

void line(std::string& out,
          const std::string& name,
          const std::string& labels,
          const std::string& value) {
  out += name;
  if (!labels.empty()) out += "{" + labels + "}";
  out += " " + value + "\n";
}

std::string with_bound(const std::string& labels, double bound) {
  return labels + (labels.empty() ? "" : ",") + "le=\"" + number(bound) + "\"";
}

}  // namespace

Histogram::Histogram(std::vector<double> bounds)
    : bounds_(std::move(bounds)), counts_(bounds_.size() + 1) {
  VOXLOOM_CHECK(std::is_sorted(bounds_.begin(), bounds_.end()),
                ErrorCode::kInternal,
                "metrics: a histogram's bounds must go up, got {}",
                bounds_);
}

void Histogram::observe(double value) {
  const auto place = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
  const std::lock_guard lock(mutex_);
  ++counts_[static_cast<size_t>(place)];
  sum_ += value;
}

Histogram::Snapshot Histogram::snapshot() const {
  const std::lock_guard lock(mutex_);
  Snapshot taken{counts_, sum_};
  for (size_t i = 1; i < taken.cumulative.size(); ++i) {
    taken.cumulative[i] += taken.cumulative[i - 1];
  }
  return taken;
}

Metrics::Series& Metrics::series(std::string_view name,
                                 std::string_view help,
                                 Kind kind,
                                 const Labels& labels) {
  auto found = families_.find(name);
  if (found == families_.end()) {
    VOXLOOM_CHECK(is_name(name, true),
                  ErrorCode::kInternal,
                  "metrics: a name must be letters, digits, '_' and ':', got '{}'",
                  name);
    found = families_.emplace(std::string(name), Family{kind, std::string(help), {}}).first;
  }
  VOXLOOM_CHECK(found->second.kind == kind,
                ErrorCode::kInternal,
                "metrics: '{}' must be of one kind, got another",
                name);
  return found->second.series[label_text(labels)];
}

Counter& Metrics::counter(std::string_view name, std::string_view help, const Labels& labels) {
  const std::lock_guard lock(mutex_);
  Series& own = series(name, help, Kind::kCounter, labels);
  if (!own.counter) own.counter = std::make_unique<Counter>();
  return *own.counter;
}

Histogram& Metrics::histogram(std::string_view name,
                              std::string_view help,
                              const std::vector<double>& bounds,
                              const Labels& labels) {
  const std::lock_guard lock(mutex_);
  Series& own = series(name, help, Kind::kHistogram, labels);
  if (!own.histogram) own.histogram = std::make_unique<Histogram>(bounds);
  return *own.histogram;
}

void Metrics::gauge(std::string_view name,
                    std::string_view help,
                    std::function<double()> value,
                    const Labels& labels) {
  const std::lock_guard lock(mutex_);
  series(name, help, Kind::kGauge, labels).gauge = std::move(value);
}

std::string Metrics::text() const {
  const std::lock_guard lock(mutex_);
  std::string out;
  for (const auto& [name, family] : families_) {
    constexpr std::string_view kKinds[] = {"counter", "gauge", "histogram"};
    out += "# HELP " + name + " " + escape(family.help, false) + "\n";
    out += "# TYPE " + name + " ";
    out += kKinds[static_cast<int>(family.kind)];
    out += '\n';
    for (const auto& [labels, own] : family.series) {
      if (own.counter) line(out, name, labels, std::to_string(own.counter->value()));
      if (own.gauge) line(out, name, labels, number(own.gauge()));
      if (!own.histogram) continue;
      const Histogram::Snapshot taken = own.histogram->snapshot();
      for (size_t i = 0; i < taken.cumulative.size(); ++i) {
        const double bound = i < own.histogram->bounds().size()
                                 ? own.histogram->bounds()[i]
                                 : std::numeric_limits<double>::infinity();
        line(out, name + "_bucket", with_bound(labels, bound), std::to_string(taken.cumulative[i]));
      }
      line(out, name + "_sum", labels, number(taken.sum));
      line(out, name + "_count", labels, std::to_string(taken.cumulative.back()));
    }
  }
  return out;
}

Observer metrics_observer(Metrics& metrics) {
  return [&metrics](const Finished& finished) {
    // Whatever a client calls its method must not become a label of its own.
    constexpr std::string_view kMethods[] = {
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
    const bool known =
        std::find(std::begin(kMethods), std::end(kMethods), finished.method) != std::end(kMethods);
    const std::string method = known ? finished.method : "other";
    const std::string route = finished.pattern.empty() ? "none" : finished.pattern;
    metrics
        .counter(
            "voxloom_http_requests_total",
            "Requests answered.",
            {{"method", method}, {"route", route}, {"status", std::to_string(finished.status)}})
        .add();
    static const std::vector<double> kSeconds{
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60};
    metrics
        .histogram("voxloom_http_request_seconds",
                   "Time from the header's last byte to the answer's.",
                   kSeconds,
                   {{"route", route}})
        .observe(finished.seconds);
    metrics.counter("voxloom_http_received_bytes_total", "Bytes of requests.")
        .add(finished.bytes_in);
    metrics.counter("voxloom_http_sent_bytes_total", "Bytes of answers.").add(finished.bytes_out);
  };
}

}  // namespace voxloom::serve::http
