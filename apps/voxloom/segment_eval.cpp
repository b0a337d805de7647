#include "segment_eval.h"

#include <algorithm>
#include <chrono>
#include <set>

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/error.h"
#include "voxloom/core/html.h"
#include "voxloom/core/svg_plot.h"
#include "voxloom/infer/click_simulator.h"
#include "voxloom/infer/preview.h"
#include "voxloom/io/volume_io.h"
#include "voxloom/metrics/bootstrap.h"
#include "voxloom/metrics/overlap.h"
#include "voxloom/metrics/surface.h"

namespace voxloom::app {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

std::vector<uint8_t> mask_of(const image::LabelVolume& labels, uint16_t value) {
  std::vector<uint8_t> mask(labels.voxels().size());
  std::transform(labels.voxels().begin(), labels.voxels().end(), mask.begin(), [value](uint16_t v) {
    return static_cast<uint8_t>(v == value);
  });
  return mask;
}

std::vector<uint8_t> slice_of(const std::vector<uint8_t>& mask,
                              const image::Geometry& g,
                              int64_t z) {
  const auto pixels = static_cast<std::ptrdiff_t>(g.size[0] * g.size[1]);
  return {mask.begin() + z * pixels, mask.begin() + (z + 1) * pixels};
}

class Evaluator {
 public:
  Evaluator(const EvalSettings& settings, const image::LabelVolume& truth, const CancelToken& stop)
      : settings_(settings), truth_(truth), stop_(stop) {}

  EvalObject evaluate(infer::SegmentSession& session,
                      image::VolumeSource& volume,
                      const std::string& id,
                      uint16_t value) {
    EvalObject object;
    object.id = id;
    object.value = value;
    const auto mask = mask_of(truth_, value);
    object.truth_voxels = std::count(mask.begin(), mask.end(), 1);
    object.key_slice = infer::largest_slice(truth_, value).value();

    infer::ObjectPrompt prompt{.name = "object", .value = 1};
    prompt.boxes = {infer::tight_box(truth_, value, object.key_slice)};
    image::LabelVolume result;
    object.box = score(session, prompt, mask, &result);
    object.picture = infer::comparison_picture(volume,
                                               slice_of(mask, truth_.geometry(), object.key_slice),
                                               result,
                                               object.key_slice,
                                               settings_.options);

    prompt.boxes.clear();
    const auto truth_slice = slice_of(mask, truth_.geometry(), object.key_slice);
    std::vector<uint8_t> prediction(truth_slice.size(), 0);
    const int64_t most =
        *std::max_element(settings_.click_counts.begin(), settings_.click_counts.end());
    EvalScore last;
    bool perfect = false;
    for (int64_t clicks = 1; clicks <= most; ++clicks) {
      const auto& size = truth_.geometry().size;
      const auto click =
          perfect ? std::nullopt
                  : infer::next_click(truth_slice, prediction, size[0], size[1], object.key_slice);
      // Where the key slice is perfect a person would stop: the score stays.
      perfect = perfect || !click;
      if (click) {
        prompt.points.push_back(*click);
        last = score(session, prompt, mask, nullptr);
        session.set_prompts({prompt});
        prediction = session.preview_slice(0, object.key_slice, stop_);
      }
      if (!object.clicks_to_target && last.dice >= settings_.target_dice) {
        object.clicks_to_target = static_cast<int64_t>(prompt.points.size());
      }
      if (std::find(settings_.click_counts.begin(), settings_.click_counts.end(), clicks) !=
          settings_.click_counts.end()) {
        object.clicks.push_back(last);
      }
    }
    return object;
  }

 private:
  EvalScore score(infer::SegmentSession& session,
                  const infer::ObjectPrompt& prompt,
                  const std::vector<uint8_t>& truth,
                  image::LabelVolume* keep) {
    Progress silent;
    const auto start = std::chrono::steady_clock::now();
    session.set_prompts({prompt});
    const auto result = session.run(settings_.options, silent, stop_);
    EvalScore score;
    score.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    const auto predicted = mask_of(result.labels, 1);
    score.dice = metrics::count_overlap(truth, predicted).dice();
    const auto surfaces = metrics::surface_distances(
        truth, predicted, truth_.geometry().size, truth_.geometry().spacing_mm);
    score.surface_dice = surfaces.surface_dice(settings_.tolerance_mm);
    score.hausdorff95_mm = surfaces.hausdorff_mm(95.0);
    if (keep != nullptr) *keep = result.labels;
    return score;
  }

  const EvalSettings& settings_;
  const image::LabelVolume& truth_;
  const CancelToken& stop_;
};

ordered_json score_json(const EvalScore& score) {
  ordered_json object{{"dice", score.dice},
                      {"surface_dice", score.surface_dice},
                      {"hausdorff95_mm", score.hausdorff95_mm},
                      {"seconds", score.seconds}};
  // JSON has no infinity: an empty prediction has no distance.
  if (!std::isfinite(score.hausdorff95_mm)) object["hausdorff95_mm"] = nullptr;
  return object;
}

ordered_json summary(const std::vector<double>& values, int64_t seed) {
  const metrics::BootstrapOptions options{.seed = static_cast<uint64_t>(seed)};
  const auto mean = metrics::bootstrap_mean(values, options);
  return {{"mean", mean.value},
          {"ci95", {mean.low, mean.high}},
          {"median", metrics::quantile(values, 0.5)}};
}

/// Name of a way of prompting and the score of an object for it.
struct Setting {
  std::string name;
  const EvalScore& (*pick)(const EvalObject&, size_t);
  size_t index;
};

std::vector<Setting> settings_list(const EvalSettings& settings) {
  std::vector<Setting> list;
  list.push_back({"box", [](const EvalObject& o, size_t) -> const EvalScore& { return o.box; }, 0});
  for (size_t i = 0; i < settings.click_counts.size(); ++i) {
    list.push_back({format("clicks_{}", settings.click_counts[i]),
                    [](const EvalObject& o, size_t k) -> const EvalScore& { return o.clicks[k]; },
                    i});
  }
  return list;
}

template <class Get>
std::vector<double> collect(const std::vector<EvalObject>& objects, Get get) {
  std::vector<double> values;
  for (const auto& object : objects) values.push_back(get(object));
  return values;
}

int64_t most_clicks(const EvalSettings& settings) {
  return *std::max_element(settings.click_counts.begin(), settings.click_counts.end());
}

}  // namespace

std::vector<EvalObject> evaluate_case(const dataset::LabelledVolume& item,
                                      infer::Segmenter& segmenter,
                                      const EvalSettings& settings,
                                      const CancelToken& stop) {
  const auto truth = io::read_labels(item.label);
  std::shared_ptr<image::VolumeSource> volume = io::open_volume(item.image);
  VOXLOOM_CHECK(image::same_grid(truth.geometry(), volume->geometry(), 1e-2),
                ErrorCode::kDataCorrupt,
                "case '{}': label ({}) must lie on the image's grid ({})",
                item.id,
                image::describe(truth.geometry()),
                image::describe(volume->geometry()));
  std::set<uint16_t> values(truth.voxels().begin(), truth.voxels().end());
  values.erase(0);
  if (settings.value) {
    const bool there = values.contains(*settings.value);
    values.clear();
    if (there) values.insert(*settings.value);
  }
  // One session a case: features are made once for all objects and prompts.
  const auto session = segmenter.open(volume);
  Evaluator evaluator(settings, truth, stop);
  std::vector<EvalObject> objects;
  for (const uint16_t value : values) {
    const std::string id = values.size() == 1 ? item.id : format("{}:{}", item.id, value);
    objects.push_back(evaluator.evaluate(*session, *volume, id, value));
  }
  return objects;
}

ordered_json eval_json(const std::vector<EvalObject>& objects,
                       const EvalSettings& settings,
                       int64_t seed) {
  ordered_json metrics_object, per_case = ordered_json::array();
  for (const auto& setting : settings_list(settings)) {
    const auto of = [&](double EvalScore::*field) {
      return collect(objects,
                     [&](const EvalObject& o) { return setting.pick(o, setting.index).*field; });
    };
    metrics_object["dice_" + setting.name] = summary(of(&EvalScore::dice), seed);
    metrics_object["surface_dice_" + setting.name] = summary(of(&EvalScore::surface_dice), seed);
    metrics_object["seconds_" + setting.name] = summary(of(&EvalScore::seconds), seed);
  }
  const int64_t most = most_clicks(settings);
  // As usual for "number of clicks": an object that never gets there counts the largest number.
  metrics_object["clicks_to_target"] =
      summary(collect(objects,
                      [most](const EvalObject& o) {
                        return static_cast<double>(o.clicks_to_target.value_or(most));
                      }),
              seed);
  metrics_object["reached_target"] = summary(
      collect(objects, [](const EvalObject& o) { return o.clicks_to_target ? 1.0 : 0.0; }), seed);
  for (const auto& object : objects) {
    ordered_json row{{"id", object.id},
                     {"value", object.value},
                     {"key_slice", object.key_slice},
                     {"truth_voxels", object.truth_voxels},
                     {"box", score_json(object.box)}};
    for (size_t i = 0; i < settings.click_counts.size(); ++i) {
      row[format("clicks_{}", settings.click_counts[i])] = score_json(object.clicks[i]);
    }
    row["clicks_to_target"] =
        object.clicks_to_target ? ordered_json(*object.clicks_to_target) : ordered_json(nullptr);
    per_case.push_back(std::move(row));
  }
  return {{"cases", objects.size()},
          {"surface_tolerance_mm", settings.tolerance_mm},
          {"target_dice", settings.target_dice},
          {"metrics", metrics_object},
          {"per_case", per_case}};
}

std::string eval_report(const std::vector<EvalObject>& objects,
                        const EvalSettings& settings,
                        const ordered_json& metrics,
                        const std::string& model) {
  const auto list = settings_list(settings);
  std::string body = "<h1>Interactive segmentation: evaluation</h1>\n";
  body += format(
      "<p>Model <b>{}</b>, {} objects. Prompts are simulated on each object's largest slice: its "
      "tight box, or clicks that each go to the middle of the worst error; the object is then "
      "followed through the volume. Intervals are 95 % bootstrap intervals over objects.</p>\n",
      html_escape(model),
      objects.size());

  const auto number = [&](const std::string& name, std::string_view field) {
    return metrics.at("metrics").at(name).at(std::string(field)).get<double>();
  };
  body += format(
      "<table><tr><th>prompt</th><th>Dice, mean</th><th>95 %</th><th>median</th>"
      "<th>surface Dice, {} mm</th><th>seconds, median</th></tr>\n",
      settings.tolerance_mm);
  std::vector<StripRow> rows;
  for (const auto& setting : list) {
    const std::string dice = "dice_" + setting.name;
    const auto& interval = metrics.at("metrics").at(dice).at("ci95");
    body += format(
        "<tr><td>{}</td><td>{:.3f}</td><td>{:.3f} to {:.3f}</td><td>{:.3f}</td><td>{:.3f}</td>"
        "<td>{:.2f}</td></tr>\n",
        setting.name,
        number(dice, "mean"),
        interval[0].get<double>(),
        interval[1].get<double>(),
        number(dice, "median"),
        number("surface_" + dice, "mean"),
        number("seconds_" + setting.name, "median"));
    rows.push_back(
        {setting.name,
         collect(objects, [&](const EvalObject& o) { return setting.pick(o, setting.index).dice; }),
         number(dice, "mean"),
         interval[0].get<double>(),
         interval[1].get<double>()});
  }
  body += "</table>\n";
  body += format(
      "<p>Clicks to Dice {}: {:.1f} on average (objects that never reach it count {}); {:.0f} % of "
      "the objects reach it.</p>\n",
      settings.target_dice,
      number("clicks_to_target", "mean"),
      most_clicks(settings),
      100 * number("reached_target", "mean"));
  body += "<h2>Dice of every object</h2>\n" + svg_strip_plot("Dice of every object", rows) +
          "<p class=\"note\">Dots: objects. Orange: mean and its interval.</p>\n";

  std::vector<const EvalObject*> worst;
  for (const auto& object : objects) worst.push_back(&object);
  std::sort(worst.begin(), worst.end(), [](const auto* a, const auto* b) {
    return a->box.dice < b->box.dice;
  });
  body += "<h2>Worst objects with a box</h2>\n";
  for (size_t i = 0; i < std::min<size_t>(6, worst.size()); ++i) {
    body +=
        "<figure>" + html_image(worst[i]->picture, worst[i]->id) +
        format(
            "<figcaption>{}: Dice {:.3f}, slice {}. Reference and result.</figcaption></figure>\n",
            html_escape(worst[i]->id),
            worst[i]->box.dice,
            worst[i]->key_slice);
  }
  body += "<h2>All objects</h2>\n<table><tr><th>object</th><th>voxels</th>";
  for (const auto& setting : list) body += "<th>" + setting.name + "</th>";
  body += "<th>clicks to target</th></tr>\n";
  for (const auto& object : objects) {
    body += format("<tr><td>{}</td><td>{}</td>", html_escape(object.id), object.truth_voxels);
    for (const auto& setting : list) {
      body += format("<td>{:.3f}</td>", setting.pick(object, setting.index).dice);
    }
    body += "<td>" +
            (object.clicks_to_target ? format("{}", *object.clicks_to_target)
                                     : format("over {}", most_clicks(settings))) +
            "</td></tr>\n";
  }
  return html_page("Segmentation evaluation", body + "</table>\n");
}

}  // namespace voxloom::app
