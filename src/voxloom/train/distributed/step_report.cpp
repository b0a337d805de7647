#include "voxloom/train/distributed/step_report.h"

#include <cmath>

#include <nlohmann/json.hpp>

#include "voxloom/core/error.h"
#include "voxloom/train/training_state.h"

namespace voxloom::train {
namespace {

using nlohmann::ordered_json;

double number(const ordered_json& value) {
  return value.is_number() ? value.get<double>() : NAN;  // JSON has no other numbers
}

/// File names may hold any bytes, JSON only UTF-8.
std::string dumped(const ordered_json& json) {
  return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

std::string to_text(const StepReport& report) {
  return dumped({{"numbers", metrics_to_json({{"loss", report.loss}})},
                 {"terms", metrics_to_json(report.terms)},
                 {"items", report.items},
                 {"used", report.used},
                 {"stop", report.stop}});
}

StepReport from_text(const std::string& text) {
  const auto json = ordered_json::parse(text);
  StepReport report{.loss = number(json.at("numbers").at("loss")),
                    .items = json.at("items"),
                    .used = json.at("used"),
                    .stop = json.at("stop")};
  for (const auto& [name, value] : json.at("terms").items()) report.terms[name] = number(value);
  return report;
}

}  // namespace

StepReport joint_report(const std::vector<StepReport>& reports) {
  StepReport all{.used = reports.front().used};
  const auto n = static_cast<double>(reports.size());
  for (size_t r = 0; r < reports.size(); ++r) {
    const StepReport& report = reports[r];
    all.loss += report.loss / n;
    all.items += report.items;
    all.stop = all.stop || report.stop;
    for (const auto& [name, value] : report.terms) all.terms[name] += value / n;
    VOXLOOM_CHECK(
        report.used.size() == all.used.size(),
        ErrorCode::kInternal,
        "distributed: all ranks must have the same parameters, got {} at rank 0 and {} at "
        "rank {}",
        all.used.size(),
        report.used.size(),
        r);
    for (size_t i = 0; i < all.used.size(); ++i) {
      if (report.used[i] == '1') all.used[i] = '1';
    }
  }
  return all;
}

std::string joint_batches(const std::vector<StepReport>& reports) {
  bool finite = true;
  for (const StepReport& report : reports) finite = finite && std::isfinite(report.loss);
  std::string text;
  for (size_t r = 0; r < reports.size(); ++r) {
    if (!finite && std::isfinite(reports[r].loss)) continue;
    text += format("{}rank {}: {}", text.empty() ? "" : "; ", r, reports[r].batches);
  }
  return text;
}

StepReport exchange_reports(Communicator& ranks, const StepReport& own) {
  std::vector<StepReport> reports;
  for (const std::string& text : ranks.gather(to_text(own))) reports.push_back(from_text(text));
  return joint_report(reports);
}

std::string exchange_batches(Communicator& ranks, const StepReport& own) {
  std::vector<StepReport> reports;
  const ordered_json mine{{"numbers", metrics_to_json({{"loss", own.loss}})},
                          {"batches", own.batches}};
  for (const std::string& text : ranks.gather(dumped(mine))) {
    const auto json = ordered_json::parse(text);
    reports.push_back(
        {.loss = number(json.at("numbers").at("loss")), .batches = json.at("batches")});
  }
  return joint_batches(reports);
}

}  // namespace voxloom::train
