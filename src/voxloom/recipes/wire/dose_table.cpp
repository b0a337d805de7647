#include "voxloom/recipes/wire/dose_table.h"

#include <array>

#include <nlohmann/json.hpp>

#include "voxloom/core/format.h"
#include "voxloom/dataset/dose_class.h"

namespace voxloom::recipes::wire {
namespace {

using nlohmann::ordered_json;

constexpr std::array kShown{"dice", "iou", "cldice", "surface_f1_2px", "line_f1_2px"};

ordered_json means(const metrics::WireTable& table, const metrics::BootstrapOptions& options) {
  auto out = ordered_json::object();
  for (const char* name : kShown) {
    const auto interval = table.mean_of(name, options);
    out[name] = {{"mean", interval.value}, {"ci95", {interval.low, interval.high}}};
  }
  return out;
}

ordered_json or_null(const std::optional<double>& value) {
  return value ? ordered_json(*value) : ordered_json();
}

ordered_json tips(const metrics::WireTable& table) {
  std::vector<metrics::Tip> truth, predicted;
  bool any = false;
  for (const auto& row : table.rows()) {
    truth.push_back(row.metrics.truth_tip);
    predicted.push_back(row.metrics.predicted_tip);
    any = any || row.metrics.predicted_tip.has_value();
  }
  if (!any) return nullptr;
  const auto summary = metrics::summarize_tips(truth, predicted);
  return {{"frames", summary.frames},
          {"missing", summary.missing},
          {"median_px", or_null(summary.median_px)},
          {"mean_px", or_null(summary.mean_px)},
          {"p95_px", or_null(summary.p95_px)}};
}

std::string number(const ordered_json& value, int digits) {
  return value.is_number() ? format("{:.{}f}", value.get<double>(), digits) : "-";
}

}  // namespace

ordered_json dose_table(const std::vector<dataset::Sample>& samples,
                        const metrics::WireTable& table,
                        int64_t resamples) {
  auto options = metrics::kGroupBootstrap;
  options.resamples = resamples;
  struct Dose {
    metrics::WireTable with_object;
    int64_t frames = 0, false_alarms = 0;
  };
  std::array<Dose, dataset::kDoseClasses> doses;
  for (size_t i = 0; i < samples.size(); ++i) {
    if (samples[i].dose_ngy <= 0.0) continue;
    auto& dose = doses[dataset::dose_class(samples[i].dose_ngy)];
    const auto& row = table.rows()[i];
    ++dose.frames;
    if (row.metrics.truth_empty) {
      dose.false_alarms += row.metrics.predicted_empty ? 0 : 1;
    } else {
      dose.with_object.add(row.id, row.sequence, row.metrics);
    }
  }
  auto out = ordered_json::array();
  for (size_t d = 0; d < doses.size(); ++d) {
    const auto& dose = doses[d];
    if (dose.frames == 0) continue;
    const auto with_object = static_cast<int64_t>(dose.with_object.rows().size());
    ordered_json json{{"dose", dataset::dose_class_name(d)},
                      {"frames", dose.frames},
                      {"frames_with_object", with_object},
                      {"found_without_object", dose.false_alarms}};
    if (with_object > 0) {
      json["means"] = means(dose.with_object, options);
      json["tip"] = tips(dose.with_object);
    }
    out.push_back(std::move(json));
  }
  return out;
}

std::string dose_table_html(const ordered_json& doses) {
  if (doses.empty()) return {};
  std::string body =
      "<h2>By detector dose</h2>\n<p>Means over the frames that show an object; intervals by "
      "sequence.</p>\n<table><tr><th>dose per frame</th><th>frames with object</th><th>Dice</th>"
      "<th>tolerance F1, 2 px</th><th>clDice</th><th>tip error, median px</th><th>tips not found"
      "</th><th>found in frames without</th></tr>\n";
  for (const auto& dose : doses) {
    body += format("<tr><td>{}</td><td>{}</td>",
                   dose["dose"].get<std::string>(),
                   dose["frames_with_object"].get<int64_t>());
    for (const char* name : {"dice", "surface_f1_2px", "cldice"}) {
      if (!dose.contains("means")) {
        body += "<td>-</td>";
        continue;
      }
      const auto& m = dose["means"][name];
      body += format("<td>{} ({} to {})</td>",
                     number(m["mean"], 3),
                     number(m["ci95"][0], 3),
                     number(m["ci95"][1], 3));
    }
    const bool tip = dose.contains("tip") && dose["tip"].is_object();
    body += format("<td>{}</td><td>{}</td><td>{} of {}</td></tr>\n",
                   tip ? number(dose["tip"]["median_px"], 1) : "-",
                   tip ? format("{} of {}",
                                dose["tip"]["missing"].get<int64_t>(),
                                dose["tip"]["frames"].get<int64_t>())
                       : "-",
                   dose["found_without_object"].get<int64_t>(),
                   dose["frames"].get<int64_t>() - dose["frames_with_object"].get<int64_t>());
  }
  return body + "</table>\n";
}

}  // namespace voxloom::recipes::wire
