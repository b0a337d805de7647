#include "voxloom/recipes/wire/filter_report.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>

#include <nlohmann/json.hpp>

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/error.h"
#include "voxloom/core/html.h"
#include "voxloom/filters/opencv_filters.h"
#include "voxloom/io/raster.h"
#include "voxloom/recipes/wire/filter_measures.h"

namespace voxloom::recipes::wire {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

/// Longest side of a picture in the report.
constexpr int64_t kPictureSide = 560;

struct Values {
  std::vector<double> list;
  [[nodiscard]] double mean() const {
    double sum = 0.0;
    for (const double v : list) sum += v;
    return sum / static_cast<double>(list.size());
  }
  [[nodiscard]] double median() const {
    auto sorted = list;
    const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
    std::nth_element(sorted.begin(), middle, sorted.end());
    return *middle;
  }
};

/// What was measured of one output of a chain.
struct OutputScores {
  std::string name;
  std::map<std::string, Values> measures;
  int64_t invalid = 0;  ///< Frames for which the chain had no such output.
};

struct ChainRun {
  std::string text;
  filters::FilterChain chain;
  bool changes_image = false;
  std::vector<OutputScores> outputs;
  std::vector<std::pair<std::string, Values>> times;
};

struct ShownFrame {
  int64_t number = 0;
  std::string sequence;
  std::vector<std::pair<std::string, std::string>> pictures;  ///< Caption, <img>.
};

std::vector<std::string> default_chains() {
  std::vector<std::string> chains = {
      "clahe", "gamma+clahe", "recursive", "nvca", "frangi", "subtract", "subtract:phase", "live"};
  if (filters::has_opencv()) {
    chains.insert(chains.begin() + 2, "nlm+gamma+clahe");
    chains.insert(chains.end() - 4, {"bottomhat", "linehat"});
  }
  return chains;
}

/// What lies in the field's box but not in the field was blanked: it is no background.
void leave_out_blanks(const std::vector<uint8_t>& inside,
                      std::vector<uint8_t>& object,
                      std::vector<uint8_t>& exclude) {
  if (inside.empty() || object.empty()) return;
  for (size_t i = 0; i < inside.size(); ++i) {
    if (inside[i] != 0) continue;
    object[i] = 0;
    exclude[i] = 1;
  }
}

bool changes_image(const std::vector<infer::FilterStep>& steps) {
  return std::any_of(steps.begin(), steps.end(), [](const infer::FilterStep& step) {
    const std::string name = infer::filter_name(step);
    return name != "frangi" && name != "subtract" && !name.ends_with("hat");
  });
}

/// A PNG, made smaller by whole numbers (means) where it is too large.
std::string image_html(const GreyPicture& picture, const std::string& alt) {
  const int64_t k = std::max<int64_t>(
      1, (std::max(picture.width, picture.height) + kPictureSide - 1) / kPictureSide);
  io::Raster raster{.width = picture.width / k, .height = picture.height / k};
  raster.pixels.reserve(static_cast<size_t>(raster.width * raster.height));
  for (int64_t y = 0; y < raster.height; ++y) {
    for (int64_t x = 0; x < raster.width; ++x) {
      float sum = 0.0F;
      for (int64_t v = 0; v < k; ++v) {
        for (int64_t u = 0; u < k; ++u) {
          sum += picture.pixels[static_cast<size_t>((y * k + v) * picture.width + x * k + u)];
        }
      }
      const float mean = std::clamp(sum / static_cast<float>(k * k), 0.0F, 1.0F);
      raster.pixels.push_back(static_cast<std::byte>(std::lround(mean * 255.0F)));
    }
  }
  const std::string png = io::encode_png(raster);
  return html_image(std::as_bytes(std::span(png)), alt);
}

/// Runs all chains over the frames.
class Comparison {
 public:
  explicit Comparison(const infer::FilterReportOptions& options) : options_(options) {
    const auto chains = options.chains.empty() ? default_chains() : options.chains;
    add("none");
    for (const std::string& text : chains) add(text);
  }

  void run(FrameSource& source, Progress& progress, const CancelToken& stop) {
    int64_t total = source.count();
    if (options_.frames > 0) total = total > 0 ? std::min(total, options_.frames) : options_.frames;
    progress.begin("filter", total);
    std::string sequence;
    while (options_.frames == 0 || frames_ < options_.frames) {
      stop.check();
      const auto frame = source.next();
      if (!frame) break;
      if (frame->sequence != sequence) {
        for (ChainRun& run : runs_) run.chain.reset();
        sequence = frame->sequence;
      }
      step(*frame, is_shown(total));
      ++frames_;
      if (!frame->object.empty()) ++labelled_;
      progress.advance(1);
    }
    progress.end();
    VOXLOOM_CHECK(frames_ > 0,
                  ErrorCode::kDataCorrupt,
                  "data '{}': must hold at least one frame, got none",
                  options_.data);
  }

  [[nodiscard]] ordered_json to_json() const {
    ordered_json json = {
        {"data", options_.data}, {"frames", frames_}, {"labelled", labelled_}, {"chains", {}}};
    json["chains"] = ordered_json::array();
    for (const ChainRun& run : runs_) {
      ordered_json chain = {{"chain", run.text}, {"outputs", ordered_json::array()}};
      for (const OutputScores& output : run.outputs) {
        ordered_json measures = ordered_json::object();
        for (const char* name : kFilterMeasures) {
          const auto found = output.measures.find(name);
          if (found == output.measures.end()) continue;
          measures[name] = {{"mean", found->second.mean()},
                            {"median", found->second.median()},
                            {"frames", found->second.list.size()}};
        }
        chain["outputs"].push_back(
            {{"name", output.name}, {"invalid_frames", output.invalid}, {"metrics", measures}});
      }
      for (const auto& [name, values] : run.times) {
        chain["times_ms"][name] = {{"median", values.median()}};
      }
      json["chains"].push_back(std::move(chain));
    }
    return json;
  }

  [[nodiscard]] std::string to_html() const {
    std::string body =
        format("<h1>X-ray filters</h1>\n<p>{}: {} frames, {} of them labelled.</p>\n",
               html_escape(options_.data),
               frames_,
               labelled_);
    body +=
        "<p class=\"note\">CNR: |mean of the object - mean of the ring 3 to 10 px around it| over "
        "the ring's standard deviation. Contrast: Michelson. CII: contrast over that of the "
        "original. CIR: change of local contrast on the object. EME: 8x8 blocks, dB. Noise: robust "
        "standard deviation of second differences, grey values 0 to 1. Means over frames, within "
        "the field of view's box. Channels (frangi, subtract, bottomhat, linehat) are features: "
        "where they are flat, noise and EME say little. CNR can rise while a wire gets harder to "
        "find; choose filters by what a network then finds.</p>\n";
    body += "<table><tr><th>chain</th><th>output</th>";
    for (const char* name : kFilterMeasures) body += format("<th>{}</th>", name);
    body += "<th>without result</th><th>ms a frame</th></tr>\n";
    for (const ChainRun& run : runs_) {
      double ms = 0.0;
      for (const auto& [name, values] : run.times) ms += values.median();
      for (const OutputScores& output : run.outputs) {
        body += format("<tr><td>{}</td><td>{}</td>", html_escape(run.text), output.name);
        for (const char* name : kFilterMeasures) {
          const auto found = output.measures.find(name);
          body += found == output.measures.end() ? std::string("<td>-</td>")
                                                 : format("<td>{:.3f}</td>", found->second.mean());
        }
        body += format("<td>{}</td><td>{:.1f}</td></tr>\n", output.invalid, ms);
      }
    }
    body += "</table>\n";
    for (const ShownFrame& shown : shown_) {
      body += format(
          "<h2>Frame {} of {}</h2>\n<div style=\"display:grid;gap:.6rem;grid-template-columns:"
          "repeat(auto-fill,minmax(300px,1fr))\">\n",
          shown.number,
          html_escape(shown.sequence));
      for (const auto& [caption, picture] : shown.pictures) {
        body += "<figure style=\"margin:0\">" + picture + "<figcaption>" + html_escape(caption) +
                "</figcaption></figure>\n";
      }
      body += "</div>\n";
    }
    return html_page("X-ray filters", body);
  }

 private:
  void add(const std::string& text) {
    const auto steps = infer::parse_filter_chain(text);
    runs_.push_back(
        {text,
         filters::FilterChain(
             {.steps = steps, .polarity = options_.polarity, .find_field = options_.find_field}),
         steps.empty() || changes_image(steps),
         {},
         {}});
  }

  /// Frames spread evenly, the last one among them: there temporal filters have settled.
  [[nodiscard]] bool is_shown(int64_t total) const {
    if (static_cast<int64_t>(shown_.size()) >= options_.pictures) return false;
    // Of unknown length: every 16th.
    if (total <= 0) return frames_ % 16 == 15;
    const auto k = static_cast<int64_t>(shown_.size()) + 1;
    return frames_ >= std::max<int64_t>(0, k * total / options_.pictures - 1);
  }

  void step(const LabelledFrame& frame, bool show) {
    ShownFrame shown{frame.frame.number, frame.sequence, {}};
    GreyPicture original;
    std::vector<uint8_t> object, exclude;
    for (ChainRun& run : runs_) {
      const filters::FilteredFrame filtered = run.chain.step(frame.frame);
      // Found in the frame as it comes, so it is the same for all chains.
      const filters::FieldOfView& field = run.chain.field();
      for (size_t i = 0; i < filtered.times_ms.size(); ++i) {
        if (run.times.size() <= i) run.times.push_back({filtered.times_ms[i].first, {}});
        run.times[i].second.list.push_back(filtered.times_ms[i].second);
      }
      const auto outputs = chain_outputs(filtered, field, run.changes_image);
      if (&run == &runs_.front()) {
        original = outputs.front().picture;
        object = crop_to_field(frame.object, frame.frame.width, field);
        exclude = crop_to_field(frame.exclude, frame.frame.width, field);
        leave_out_blanks(crop_to_field(field.mask, frame.frame.width, field), object, exclude);
      }
      for (size_t i = 0; i < outputs.size(); ++i) {
        if (run.outputs.size() <= i) run.outputs.push_back({outputs[i].name, {}, 0});
        if (!outputs[i].valid) {
          ++run.outputs[i].invalid;
          continue;
        }
        for (const auto& [name, value] :
             measure_output(original, outputs[i].picture, object, exclude)) {
          run.outputs[i].measures[name].list.push_back(value);
        }
        if (show) {
          const std::string caption =
              &run == &runs_.front() ? "original" : run.text + ": " + outputs[i].name;
          shown.pictures.emplace_back(caption, image_html(outputs[i].picture, caption));
        }
      }
    }
    if (show) shown_.push_back(std::move(shown));
  }

  infer::FilterReportOptions options_;
  std::vector<ChainRun> runs_;
  std::vector<ShownFrame> shown_;
  int64_t frames_ = 0, labelled_ = 0;
};

}  // namespace

ordered_json filter_report(const infer::FilterReportOptions& options,
                           Progress& progress,
                           const CancelToken& stop) {
  const auto overwrite = options.force ? Overwrite::kReplace : Overwrite::kRefuse;
  const fs::path folder = options.output;
  make_output_folder(folder);
  check_output(folder / "report.html", overwrite);
  check_output(folder / "metrics.json", overwrite);

  Comparison comparison(options);
  const auto source = open_frames(options.data, progress, stop);
  comparison.run(*source, progress, stop);
  ordered_json json = comparison.to_json();
  AtomicFile report(folder / "report.html", overwrite);
  report.write(comparison.to_html());
  AtomicFile numbers(folder / "metrics.json", overwrite);
  numbers.write(json.dump(2) + "\n");
  report.commit();
  numbers.commit();
  json["report"] = (folder / "report.html").string();
  return json;
}

}  // namespace voxloom::recipes::wire
