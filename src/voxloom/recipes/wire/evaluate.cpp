// A package on labelled images: every number by case, their means with intervals by sequence, the
// worst cases as pictures, and paired differences to another package.
#include <algorithm>
#include <filesystem>

#include <nlohmann/json.hpp>

#include "voxloom/build_id.h"
#include "voxloom/core/atomic_file.h"
#include "voxloom/core/error.h"
#include "voxloom/core/html.h"
#include "voxloom/core/sha256.h"
#include "voxloom/core/svg_plot.h"
#include "voxloom/dataset/curve_truth.h"
#include "voxloom/dataset/guard.h"
#include "voxloom/dataset/manifest.h"
#include "voxloom/dataset/prepare.h"
#include "voxloom/dataset/readers.h"
#include "voxloom/dataset/sealed.h"
#include "voxloom/dataset/unseal_log.h"
#include "voxloom/infer_ml/wire_network.h"
#include "voxloom/io/raster.h"
#include "voxloom/metrics/wire_table.h"
#include "voxloom/recipes/wire/commands.h"
#include "voxloom/recipes/wire/dose_table.h"
#include "voxloom/recipes/wire/finder.h"
#include "voxloom/recipes/wire/picture.h"
#include "voxloom/recipes/wire/samples.h"

namespace voxloom::recipes::wire {
namespace {

namespace fs = std::filesystem;
using dataset::Sample;
using nlohmann::ordered_json;

/// What is measured. Where it is sealed, every opening leaves two lines beside it: one before the
/// first image is read, so that a run that fails is on record too, and one with what came out.
struct EvalSet {
  std::vector<Sample> samples;
  bool sealed = false;
  fs::path log;             ///< Of the openings.
  std::string fingerprint;  ///< Of the manifest; of all files where there is none.

  [[nodiscard]] dataset::SealedAccess access() const {
    return sealed ? dataset::SealedAccess::kUnsealed : dataset::SealedAccess::kRefuse;
  }
};

/// Of a package's weights; the name of what has none.
std::string weights_of(const std::string& model) {
  if (model == infer::WireEvalOptions::kRidgeModel) return model;
  return weights::find_package(model).info.weights_sha256;
}

/// Whether a threshold is looked for on the very images that are measured.
bool looks_for_threshold(const infer::WireEvalOptions& options) {
  const char* ridge = infer::WireEvalOptions::kRidgeModel;
  return options.compare == ridge || (options.model == ridge && options.threshold <= 0.0);
}

void note_opening(const infer::WireEvalOptions& options,
                  const EvalSet& set,
                  const char* event,
                  const ordered_json& more) {
  ordered_json line{
      {"event", event}, {"version", VOXLOOM_BUILD_ID}, {"model_sha256", weights_of(options.model)}};
  if (!options.compare.empty()) line["compared_sha256"] = weights_of(options.compare);
  line["data"] = fs::path(options.data).filename().string();
  line["fingerprint"] = set.fingerprint;
  line["samples"] = set.samples.size();
  line.update(more);
  dataset::append_unsealing(set.log, line);
}

/// Whether a role, a marker or the user's register seals any of them.
bool any_sealed(const std::vector<Sample>& samples) {
  return std::any_of(samples.begin(),
                     samples.end(),
                     [](const Sample& sample) { return sample.role == dataset::Role::kSealed; }) ||
         !dataset::SealedRegister().check(samples).empty();
}

void open_seal(const infer::WireEvalOptions& options, EvalSet& set) {
  set.sealed = any_sealed(set.samples);
  VOXLOOM_CHECK(!set.sealed || options.unseal,
                ErrorCode::kInvalidArgument,
                "R9: data '{}' holds sealed samples; --unseal opens them and notes it",
                options.data);
  if (!set.sealed) return;
  VOXLOOM_CHECK(!looks_for_threshold(options),
                ErrorCode::kInvalidArgument,
                "R8: no threshold may be chosen on sealed samples: give '{}' one with --threshold, "
                "and compare to packages only",
                infer::WireEvalOptions::kRidgeModel);
  note_opening(options, set, "opened", ordered_json::object());
}

/// The samples of one role of a manifest, or all of a folder.
EvalSet open_set(const infer::WireEvalOptions& options,
                 Progress& progress,
                 const CancelToken& stop) {
  EvalSet set;
  const fs::path data = options.data;
  if (fs::is_directory(data)) {
    auto listing = dataset::find_reader("auto", data).list(data);
    set.samples = listing.samples;
    set.log = data / dataset::kUnsealLog;
    open_seal(options, set);
    set.samples = dataset::prepare(std::move(listing), progress, stop).samples;
    std::string digests;
    for (const auto& sample : set.samples) digests += sample.sha256_image + sample.sha256_mask;
    set.fingerprint = sha256_hex(digests);
    if (!set.sealed) open_seal(options, set);  // Copies of sealed images show by their hashes.
    return set;
  }
  const auto role = dataset::role_from_name(options.role);
  const auto manifest = dataset::read_manifest(data);
  set.samples = dataset::with_role(manifest.samples, role);
  set.fingerprint = manifest.fingerprint;
  set.log = data.parent_path() / dataset::kUnsealLog;
  VOXLOOM_CHECK(!set.samples.empty(),
                ErrorCode::kInvalidArgument,
                "data '{}': holds no sample of the role {}",
                options.data,
                options.role);
  open_seal(options, set);
  return set;
}

struct Measured {
  metrics::WireTable table;
  std::vector<std::vector<uint8_t>> predicted;  ///< By case; kept for the pictures.
};

/// Curve files, read once a sequence.
class Curves {
 public:
  /// The tip of a frame; absent: there is none, or nobody knows.
  metrics::Tip tip(const Sample& sample) {
    if (sample.curves.empty()) return std::nullopt;
    if (file_ != sample.curves) {
      frames_ = dataset::read_curves(sample.curves);
      file_ = sample.curves;
    }
    VOXLOOM_CHECK(sample.frame >= 0 && sample.frame < std::ssize(frames_),
                  ErrorCode::kDataCorrupt,
                  "curves '{}': must hold frame {}, got {} frames",
                  file_.string(),
                  sample.frame,
                  frames_.size());
    return frames_[static_cast<size_t>(sample.frame)].tip;
  }

 private:
  fs::path file_;
  std::vector<dataset::FrameCurves> frames_;
};

Measured measure(const EvalSet& set,
                 const ObjectClasses& classes,
                 Finder& finder,
                 Progress& progress,
                 const CancelToken& stop) {
  Measured out;
  Curves curves;
  std::string sequence;
  progress.begin(format("evaluate {}", finder.info().name),
                 static_cast<int64_t>(set.samples.size()));
  for (const auto& sample : set.samples) {
    stop.check();
    if (sample.sequence != sequence) finder.reset();
    sequence = sample.sequence;
    auto labelled = dataset::load_sample(sample, set.access());
    VOXLOOM_CHECK(!labelled.mask.empty(),
                  ErrorCode::kInvalidArgument,
                  "sample '{}': must have a mask to be measured",
                  sample.id);
    auto found = finder.find(sample_frame(sample,
                                          std::move(labelled.image),
                                          labelled.width,
                                          labelled.height,
                                          finder.info().bright_object));
    const auto truth = object_mask(labelled.mask, classes);
    auto measured = metrics::measure_wire({.width = labelled.width,
                                           .height = labelled.height,
                                           .truth = truth.object,
                                           .predicted = found.mask,
                                           .ignore = truth.ignore,
                                           .truth_tip = curves.tip(sample),
                                           .predicted_tip = found.tip,
                                           .pixel_mm = sample.pixel_mm});
    out.table.add(sample.id, sample.sequence.empty() ? sample.id : sample.sequence, measured);
    out.predicted.push_back(std::move(found.mask));
    progress.advance(1);
  }
  progress.end();
  return out;
}

struct Model {
  std::unique_ptr<infer::WireSegmenter> segmenter;
  bool ridge = false;
};

Model open_model(const std::string& name, const infer::WireEvalOptions& options) {
  if (name == infer::WireEvalOptions::kRidgeModel) return {ridge_segmenter(), true};
  return {infer_ml::make_wire_segmenter(name, options.runtime, options.augmentation), false};
}

std::unique_ptr<Finder> make_finder(Model model,
                                    double threshold,
                                    const infer::WireEvalOptions& options) {
  VOXLOOM_CHECK(!options.track || !model.ridge,
                ErrorCode::kInvalidArgument,
                "--track: needs probabilities of a network, and '{}' is a filter",
                infer::WireEvalOptions::kRidgeModel);
  return options.track ? track_finder(std::move(model.segmenter), options.tracking)
                       : threshold_finder(std::move(model.segmenter), threshold);
}

std::string how_found(const infer::WireEvalOptions& options, double threshold) {
  if (options.track) return "as the tracker shows them";
  const bool looked_for =
      options.model == infer::WireEvalOptions::kRidgeModel && options.threshold <= 0.0;
  return format(
      "threshold {:.3g}{}", threshold, looked_for ? " (the best one for these very images)" : "");
}

std::string number(const ordered_json& json) {
  return json.is_number() ? format("{:.4f}", json.get<double>()) : std::string("-");
}

std::string metrics_rows(const ordered_json& metrics) {
  std::string body;
  for (const auto& [name, values] : metrics.items()) {
    if (!values["mean"].is_number()) continue;  // Defined in no case: a tip where none is known.
    body += format("<tr><td>{}</td><td>{}</td><td>{} to {}</td></tr>\n",
                   html_escape(name),
                   number(values["mean"]),
                   number(values["ci95"][0]),
                   number(values["ci95"][1]));
  }
  return body;
}

/// Pictures of the cases with the lowest Dice.
std::string worst_cases(const EvalSet& set,
                        const Measured& measured,
                        const ObjectClasses& classes,
                        int64_t count) {
  const auto& rows = measured.table.rows();
  std::vector<size_t> order(rows.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return rows[a].metrics.pixels.dice() < rows[b].metrics.pixels.dice();
  });
  order.resize(std::min(order.size(), static_cast<size_t>(count)));
  std::string body;
  for (const size_t i : order) {
    const auto labelled = dataset::load_sample(set.samples[i], set.access());
    const auto canvas =
        compare_masks(labelled, object_mask(labelled.mask, classes), measured.predicted[i]);
    const auto png =
        io::encode_png(io::rgb_raster(canvas.width(), canvas.height(), canvas.pixels()));
    body += format(
        "<figure>{}<figcaption>{}: Dice {:.3f}, clDice {:.3f}, breaks {}</figcaption>"
        "</figure>\n",
        html_image(std::as_bytes(std::span(png)), rows[i].id),
        html_escape(rows[i].id),
        rows[i].metrics.pixels.dice(),
        rows[i].metrics.cldice.value,
        rows[i].metrics.breaks);
  }
  return body;
}

std::string distribution(const metrics::WireTable& table) {
  StripRow dice{.label = "Dice"}, cldice{.label = "clDice"};
  for (const auto& row : table.rows()) {
    dice.values.push_back(row.metrics.pixels.dice());
    cldice.values.push_back(row.metrics.cldice.value);
  }
  for (auto* row : {&dice, &cldice}) {
    row->median = metrics::quantile(row->values, 0.5);
    row->low = metrics::quantile(row->values, 0.25);
    row->high = metrics::quantile(row->values, 0.75);
  }
  const std::vector<StripRow> rows{dice, cldice};
  return svg_strip_plot("Dice and clDice of every case", rows);
}

ordered_json differences(const metrics::WireTable& table,
                         const metrics::WireTable& other,
                         int64_t resamples) {
  auto out = ordered_json::object();
  auto options = metrics::kGroupBootstrap;
  options.resamples = resamples;
  for (const char* name : {"dice", "iou", "cldice", "betti0_error", "breaks"}) {
    const auto names = table.names();
    if (std::find(names.begin(), names.end(), name) == names.end()) continue;
    const auto found = metrics::compare_tables(table, other, name, options);
    out[name] = {{"difference", found.difference.value},
                 {"ci95", {found.difference.low, found.difference.high}},
                 {"p", found.p},
                 {"groups", found.groups}};
  }
  return out;
}

}  // namespace

ordered_json evaluate(const infer::WireEvalOptions& options,
                      Progress& progress,
                      const CancelToken& stop) {
  const auto overwrite = options.force ? Overwrite::kReplace : Overwrite::kRefuse;
  const fs::path folder = options.output;
  make_output_folder(folder);
  check_output(folder / "report.html", overwrite);
  check_output(folder / "metrics.json", overwrite);

  const auto set = open_set(options, progress, stop);
  const auto& samples = set.samples;
  Model model = open_model(options.model, options);
  auto names = options.classes;
  if (names.empty()) names = model.segmenter->info().classes;
  const auto classes = object_classes(names, samples);
  double threshold =
      options.threshold > 0.0 ? options.threshold : model.segmenter->info().threshold;
  if (model.ridge && options.threshold <= 0.0) {
    threshold = best_threshold(samples, classes, *model.segmenter, progress, stop);
  }
  const auto finder = make_finder(std::move(model), threshold, options);
  const auto& info = finder->info();
  const auto measured = measure(set, classes, *finder, progress, stop);

  auto result = measured.table.to_json(options.resamples);
  result["model"] = info.name;
  result["engine"] = info.engine;
  result["precision"] = info.precision;
  result["tracked"] = options.track;
  result["threshold"] = threshold;
  result["classes"] = classes.names;
  auto doses = dose_table(samples, measured.table, options.resamples);
  if (!doses.empty()) result["doses"] = doses;
  if (!options.compare.empty()) {
    Model other = open_model(options.compare, options);
    const double its_threshold =
        other.ridge ? best_threshold(samples, classes, *other.segmenter, progress, stop)
                    : other.segmenter->info().threshold;
    const auto others = make_finder(std::move(other), its_threshold, options);
    const auto measured_others = measure(set, classes, *others, progress, stop);
    result["compared_to"] = others->info().name;
    result["differences"] = differences(measured.table, measured_others.table, options.resamples);
  }
  result["notes"] = dataset::report_notes(samples);
  if (set.sealed) {
    note_opening(
        options, set, "measured", {{"threshold", threshold}, {"scores", result["metrics"]}});
  }

  std::string body = format(
      "<h1>Wire segmentation: {}</h1>\n<p>{} cases, {}, {} {}. Means over images; 95 "
      "% intervals by bootstrap over sequences. Skeletons by Guo and Hall.</p>\n{}\n"
      "<table><tr><th>metric</th><th>mean</th><th>95 % interval</th></tr>\n{}</table>\n",
      html_escape(info.name),
      samples.size(),
      how_found(options, threshold),
      info.engine,
      info.precision,
      distribution(measured.table),
      metrics_rows(result["metrics"]));
  for (const auto& note : result["notes"]) {
    body += "<p class=\"note\">" + html_escape(note.get<std::string>()) + "</p>\n";
  }
  if (result.contains("differences")) {
    body += format(
        "<h2>Compared to {}</h2>\n<table><tr><th>metric</th><th>difference</th>"
        "<th>95 % interval</th><th>p</th></tr>\n",
        html_escape(result["compared_to"].get<std::string>()));
    for (const auto& [name, values] : result["differences"].items()) {
      body += format("<tr><td>{}</td><td>{}</td><td>{} to {}</td><td>{}</td></tr>\n",
                     html_escape(name),
                     number(values["difference"]),
                     number(values["ci95"][0]),
                     number(values["ci95"][1]),
                     number(values["p"]));
    }
    body += "</table>\n";
  }
  body += dose_table_html(doses);
  body += "<h2>Worst cases</h2>\n<p class=\"note\">Green found, blue missed, red wrong.</p>\n" +
          worst_cases(set, measured, classes, options.worst);
  AtomicFile report(folder / "report.html", overwrite);
  report.write(html_page("Wire segmentation", body));
  AtomicFile numbers(folder / "metrics.json", overwrite);
  numbers.write(result.dump(2) + "\n");
  report.commit();
  numbers.commit();
  result["report"] = (folder / "report.html").string();
  result.erase("per_case");
  return result;
}

}  // namespace voxloom::recipes::wire
