#include "voxloom/train/training_state.h"

#include <cmath>
#include <limits>

#include "voxloom/core/error.h"

namespace voxloom::train {
namespace {

using nlohmann::ordered_json;

constexpr int64_t kFormatVersion = 1;

/// Calls `visit(name, field)` for each field: one list for writing and reading.
template <class State, class Visitor>
void each_field(State& state, Visitor&& visit) {
  visit("step", state.step);
  visit("validated_step", state.validated_step);
  visit("skipped_steps", state.skipped_steps);
  visit("best_step", state.best_step);
  visit("best_value", state.best_value);
  visit("best_metrics", state.best_metrics);
  visit("last_metrics", state.last_metrics);
  visit("stale_validations", state.stale_validations);
  visit("plateau_stale", state.plateau_stale);
  visit("plateau_drops", state.plateau_drops);
  visit("window_steps", state.window_steps);
  visit("window_batches", state.window_batches);
  visit("window_loss", state.window_loss);
  visit("window_gradient_norm", state.window_gradient_norm);
  visit("window_terms", state.window_terms);
  visit("loss_scale", state.loss_scale);
  visit("loss_scale_good_steps", state.loss_scale_good_steps);
  visit("averaged_updates", state.averaged_updates);
  visit("metrics_bytes", state.metrics_bytes);
  visit("elapsed_s", state.elapsed_s);
  visit("loader_wait_s", state.loader_wait_s);
  visit("step_s", state.step_s);
  visit("items", state.items);
}

ordered_json number_to_json(double value) {
  return std::isfinite(value) ? ordered_json(value) : ordered_json();
}

void write(ordered_json& out, int64_t value) {
  out = value;
}
void write(ordered_json& out, double value) {
  out = number_to_json(value);
}
void write(ordered_json& out, const Metrics& value) {
  out = metrics_to_json(value);
}

double number_from_json(const ordered_json& in) {
  return in.is_null() ? std::numeric_limits<double>::quiet_NaN() : in.get<double>();
}

void read(const ordered_json& in, int64_t& value) {
  value = in.get<int64_t>();
}
void read(const ordered_json& in, double& value) {
  value = number_from_json(in);
}
void read(const ordered_json& in, Metrics& value) {
  for (const auto& [name, number] : in.items()) value[name] = number_from_json(number);
}

}  // namespace

ordered_json metrics_to_json(const Metrics& metrics) {
  ordered_json json = ordered_json::object();
  for (const auto& [name, value] : metrics) json[name] = number_to_json(value);
  return json;
}

ordered_json TrainingState::to_json() const {
  ordered_json json = {{"format_version", kFormatVersion}};
  each_field(*this, [&](const char* name, const auto& field) { write(json[name], field); });
  return json;
}

TrainingState TrainingState::from_json(const ordered_json& json, const std::string& where) {
  TrainingState state;
  try {
    VOXLOOM_CHECK(json.at("format_version") == kFormatVersion,
                  ErrorCode::kUnsupported,
                  "{}: must be of format version {}, got {}",
                  where,
                  kFormatVersion,
                  json.at("format_version").dump());
    each_field(state, [&](const char* name, auto& field) { read(json.at(name), field); });
  } catch (const nlohmann::json::exception& e) {
    throw Error(ErrorCode::kDataCorrupt,
                format("{}: must hold the whole state of a run, got: {}", where, e.what()));
  }
  return state;
}

}  // namespace voxloom::train
