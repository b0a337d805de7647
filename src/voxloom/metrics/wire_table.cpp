#include "voxloom/metrics/wire_table.h"

#include <algorithm>
#include <array>
#include <optional>
#include <unordered_map>
#include <utility>

#include <nlohmann/json.hpp>

#include "voxloom/core/error.h"
#include "voxloom/metrics/davis.h"
#include "voxloom/metrics/temporal.h"

namespace voxloom::metrics {
namespace {

using Json = nlohmann::ordered_json;
using Row = WireTable::Row;

/// Sequences numbered by first appearance, with their rows.
struct Sequences {
  std::vector<std::string> names;
  std::vector<std::vector<const Row*>> rows;
  std::vector<int64_t> of_row;

  explicit Sequences(const std::vector<Row>& all) {
    std::unordered_map<std::string, int64_t> number;
    for (const Row& row : all) {
      const auto [it, is_new] =
          number.try_emplace(row.sequence, static_cast<int64_t>(names.size()));
      if (is_new) {
        names.push_back(row.sequence);
        rows.emplace_back();
      }
      rows[static_cast<size_t>(it->second)].push_back(&row);
      of_row.push_back(it->second);
    }
  }
};

/// One number of all cases that define it, and their sequences.
struct Column {
  std::vector<double> values;
  std::vector<int64_t> sequences;
};

/// All columns at once: values() of a row is made once.
struct Columns {
  std::vector<std::string> names;
  std::unordered_map<std::string, Column> by_name;

  Columns(const std::vector<Row>& rows, const Sequences& sequences) {
    for (size_t i = 0; i < rows.size(); ++i) {
      for (const auto& v : rows[i].metrics.values()) {
        const auto [it, is_new] = by_name.try_emplace(v.name);
        if (is_new) names.push_back(v.name);
        if (!v.value) continue;
        it->second.values.push_back(*v.value);
        it->second.sequences.push_back(sequences.of_row[i]);
      }
    }
  }
};

Json or_null(const std::optional<double>& value) {
  return value ? Json(*value) : Json();
}

Json interval_json(const char* what, const Interval& i) {
  return {{what, i.value}, {"ci95", {i.low, i.high}}};
}

Json column_json(const Column& column, const BootstrapOptions& options) {
  if (column.values.empty()) {
    return {{"mean", nullptr}, {"ci95", nullptr}, {"cases", 0}};
  }
  Json json = interval_json("mean", group_bootstrap_mean(column.values, column.sequences, options));
  json["cases"] = column.values.size();
  json["median"] = quantile(column.values, 0.5);
  json["p95"] = quantile(column.values, 0.95);
  return json;
}

Json pooled_json(const std::vector<Row>& rows,
                 const Sequences& sequences,
                 const BootstrapOptions& options) {
  struct Ratio {
    const char* name;
    double both, part_truth_only, part_predicted_only;  // Factors in the denominator.
  };
  // Dice = 2 TP / (2 TP + FN + FP) = TP / (TP + FN/2 + FP/2), and so on.
  constexpr std::array<Ratio, 4> kRatios{
      {{"dice", 1, 0.5, 0.5}, {"iou", 1, 1, 1}, {"precision", 1, 0, 1}, {"recall", 1, 1, 0}}};
  Json json;
  for (const Ratio& ratio : kRatios) {
    std::vector<double> part, whole;
    for (const Row& row : rows) {
      const Overlap& o = row.metrics.pixels.overlap;
      part.push_back(static_cast<double>(o.both));
      whole.push_back(static_cast<double>(o.both) +
                      ratio.part_truth_only * static_cast<double>(o.truth_only) +
                      ratio.part_predicted_only * static_cast<double>(o.predicted_only));
    }
    json[ratio.name] =
        interval_json("value", group_bootstrap_ratio(part, whole, sequences.of_row, 1.0, options));
  }
  return json;
}

Json tips_json(const std::vector<Row>& rows) {
  std::vector<Tip> truth, predicted;
  for (const Row& row : rows) {
    truth.push_back(row.metrics.truth_tip);
    predicted.push_back(row.metrics.predicted_tip);
  }
  const TipSummary summary = summarize_tips(truth, predicted);
  Json json{{"frames", summary.frames},
            {"missing", summary.missing},
            {"spurious", summary.spurious},
            {"mean_px", or_null(summary.mean_px)},
            {"median_px", or_null(summary.median_px)},
            {"p95_px", or_null(summary.p95_px)}};
  for (size_t i = 0; i < summary.radius_px.size(); ++i) {
    const auto name = format("pck_{:g}px", summary.radius_px[i]);
    json[name] = summary.pck.empty() ? Json() : Json(summary.pck[i]);
  }
  return json;
}

TemporalStability temporal_of(const std::vector<const Row*>& rows) {
  std::vector<double> dice;
  std::vector<int64_t> components;
  std::vector<Tip> truth, predicted;
  for (const Row* row : rows) {
    dice.push_back(row->metrics.pixels.dice());
    components.push_back(row->metrics.predicted_betti.components);
    truth.push_back(row->metrics.truth_tip);
    predicted.push_back(row->metrics.predicted_tip);
  }
  return temporal_stability(dice, components, truth, predicted);
}

std::optional<DavisSummary> davis_of(const std::vector<const Row*>& rows) {
  std::vector<DavisFrame> frames;
  for (const Row* row : rows) {
    frames.push_back({row->metrics.pixels.iou(), row->metrics.davis_f, row->metrics.truth_empty});
  }
  return davis_summary(frames);
}

Json davis_json(const std::optional<DavisSummary>& davis) {
  if (!davis) return nullptr;
  return {{"frames", davis->frames},
          {"j_mean", davis->j_mean},
          {"j_recall", davis->j_recall},
          {"f_mean", davis->f_mean},
          {"f_recall", davis->f_recall}};
}

/// Adds up what some sequences have.
class MeanOf {
 public:
  void add(const std::optional<double>& value) {
    if (value) values_.push_back(*value);
  }
  [[nodiscard]] Json json() const { return values_.empty() ? Json() : Json(mean(values_)); }

 private:
  std::vector<double> values_;
};

void add_sequences(Json& json, const Sequences& sequences) {
  Json list = Json::array();
  MeanOf dice_std, pieces, jitter, j, f;
  for (size_t s = 0; s < sequences.names.size(); ++s) {
    const auto temporal = temporal_of(sequences.rows[s]);
    const auto davis = davis_of(sequences.rows[s]);
    std::vector<double> dice;
    for (const Row* row : sequences.rows[s]) dice.push_back(row->metrics.pixels.dice());
    list.push_back({{"sequence", sequences.names[s]},
                    {"dice", mean(dice)},
                    {"temporal", temporal.to_json()},
                    {"davis", davis_json(davis)}});
    dice_std.add(temporal.dice_std);
    pieces.add(temporal.share_in_pieces);
    jitter.add(temporal.tip_jitter_px);
    j.add(davis ? std::optional(davis->j_mean) : std::nullopt);
    f.add(davis ? std::optional(davis->f_mean) : std::nullopt);
  }
  json["temporal"] = {{"dice_std", dice_std.json()},
                      {"share_in_pieces", pieces.json()},
                      {"tip_jitter_px", jitter.json()}};
  json["davis"] = {{"j_mean", j.json()}, {"f_mean", f.json()}};
  json["per_sequence"] = std::move(list);
}

}  // namespace

void WireTable::add(std::string id, std::string sequence, WireMetrics metrics) {
  VOXLOOM_CHECK(!ids_.contains(id),
                ErrorCode::kInvalidArgument,
                "wire table: case ids must differ, got '{}' again",
                id);
  VOXLOOM_CHECK(rows_.empty() || rows_.front().metrics.thinning == metrics.thinning,
                ErrorCode::kInvalidArgument,
                "wire table: all cases must have one thinning, got '{}' after '{}'",
                image::thinning_name(metrics.thinning),
                image::thinning_name(rows_.front().metrics.thinning));
  ids_.insert(id);
  rows_.push_back({std::move(id), std::move(sequence), std::move(metrics)});
}

std::vector<std::string> WireTable::names() const {
  return Columns(rows_, Sequences(rows_)).names;
}

Interval WireTable::mean_of(std::string_view name, const BootstrapOptions& options) const {
  const Columns columns(rows_, Sequences(rows_));
  const auto it = columns.by_name.find(std::string(name));
  VOXLOOM_CHECK(it != columns.by_name.end() && !it->second.values.empty(),
                ErrorCode::kInvalidArgument,
                "wire table: a case must define '{}', got none of {}",
                name,
                rows_.size());
  return group_bootstrap_mean(it->second.values, it->second.sequences, options);
}

nlohmann::ordered_json WireTable::to_json(int64_t resamples, uint64_t seed) const {
  VOXLOOM_CHECK(!rows_.empty(), ErrorCode::kInvalidArgument, "wire table: needs a case, got none");
  const BootstrapOptions options{.confidence = 0.95, .resamples = resamples, .seed = seed};
  const Sequences sequences(rows_);
  const Columns columns(rows_, sequences);
  const auto count = [&](auto rule) { return std::count_if(rows_.begin(), rows_.end(), rule); };
  Json json;
  json["cases"] = rows_.size();
  json["sequences"] = sequences.names.size();
  json["both_empty"] = count([](const Row& r) { return r.metrics.both_empty(); });
  json["one_empty"] = count([](const Row& r) { return r.metrics.one_empty(); });
  json["thinning"] = image::thinning_name(rows_.front().metrics.thinning);
  json["interval"] = {{"by", "sequence"}, {"resamples", resamples}, {"seed", seed}};
  Json& metrics = json["metrics"] = Json::object();
  for (const std::string& name : columns.names) {
    metrics[name] = column_json(columns.by_name.at(name), options);
  }
  json["pooled"] = pooled_json(rows_, sequences, options);
  json["tip"] = tips_json(rows_);
  add_sequences(json, sequences);
  Json& cases = json["per_case"] = Json::array();
  for (const Row& row : rows_) {
    Json entry{{"id", row.id}, {"sequence", row.sequence}};
    entry.update(row.metrics.to_json());
    cases.push_back(std::move(entry));
  }
  return json;
}

PairedDifference compare_tables(const WireTable& a,
                                const WireTable& b,
                                std::string_view name,
                                const BootstrapOptions& options) {
  const auto value_of = [&](const Row& row) {
    for (const auto& v : row.metrics.values()) {
      if (v.name == name) return v.value;
    }
    return std::optional<double>();
  };
  VOXLOOM_CHECK(a.rows().size() == b.rows().size(),
                ErrorCode::kInvalidArgument,
                "wire table: both tables must hold the same cases, got {} and {}",
                a.rows().size(),
                b.rows().size());
  std::unordered_map<std::string_view, const Row*> by_id;
  for (const Row& row : b.rows()) by_id[row.id] = &row;
  const Sequences sequences(a.rows());
  std::vector<double> left, right;
  std::vector<int64_t> groups;
  for (size_t i = 0; i < a.rows().size(); ++i) {
    const Row& row = a.rows()[i];
    const auto it = by_id.find(row.id);
    VOXLOOM_CHECK(it != by_id.end() && it->second->sequence == row.sequence,
                  ErrorCode::kInvalidArgument,
                  "wire table: both tables must hold the same cases, got '{}' of '{}' in one only",
                  row.id,
                  row.sequence);
    const auto x = value_of(row), y = value_of(*it->second);
    if (!x || !y) continue;
    left.push_back(*x);
    right.push_back(*y);
    groups.push_back(sequences.of_row[i]);
  }
  VOXLOOM_CHECK(!left.empty(),
                ErrorCode::kInvalidArgument,
                "wire table: a case must define '{}' in both tables, got none of {}",
                name,
                a.rows().size());
  return group_bootstrap_difference(left, right, groups, options);
}

}  // namespace voxloom::metrics
