#include <filesystem>

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/error.h"
#include "voxloom/core/html.h"
#include "voxloom/infer/biplane_calibration.h"
#include "voxloom/infer/biplane_lines.h"
#include "voxloom/infer/biplane_picture.h"

#include "commands.h"

namespace voxloom::app {
namespace {

using nlohmann::ordered_json;
namespace fs = std::filesystem;

constexpr size_t kMostBytes = size_t{1} << 30;

struct BiplaneArgs {
  std::vector<std::string> views;
  std::string calibration, output;
  double max_skew_ms = 34.0;
  int64_t pictures = 6;
  infer::BiplaneOptions options;

  void visit(OptionList& list) {
    list.option("--view", views, "JSON lines of 'wire track', twice: view A, view B.")
        .with_value_name("FILE")
        .as_required();
    list.option("--calibration", calibration, "JSON file that says how both views look.")
        .with_value_name("FILE")
        .as_required();
    list.option("--output", output, "Folder for biplane.jsonl and biplane.html (also -o).")
        .with_value_name("DIR")
        .as_required();
    list.option("--max-skew-ms",
                max_skew_ms,
                "Frames farther apart in time than this are no pair, in ms.")
        .with_range(0.0, 1e4);
    list.option("--pictures", pictures, "Pairs drawn in biplane.html.").with_range(0, 1000);
    options.visit(list);
  }

  void prepare(Context&) {
    options.validate();
    VOXLOOM_CHECK(views.size() == 2,
                  ErrorCode::kInvalidArgument,
                  "--view: must be given twice, got {}",
                  views.size());
  }
};

std::vector<infer::TrackedLine> read_view(const std::string& path, const infer::BiplaneView& view) {
  auto lines = infer::parse_tracked_lines(read_text_file(path, kMostBytes), format("'{}'", path));
  VOXLOOM_CHECK(!lines.empty(), ErrorCode::kDataCorrupt, "'{}': must have lines, got none", path);
  for (const auto& line : lines) {
    if (!view.size || !line.size) continue;
    VOXLOOM_CHECK(*line.size == *view.size,
                  ErrorCode::kInvalidArgument,
                  "'{}': frames must be {} x {} px as in the calibration of view {}, got {} x {}",
                  path,
                  (*view.size)[0],
                  (*view.size)[1],
                  view.name,
                  (*line.size)[0],
                  (*line.size)[1]);
  }
  return lines;
}

struct Summary {
  std::vector<double> rms_px, length_mm;
  size_t pairs = 0, found = 0, tips = 0;

  void add(const infer::BiplaneCurve& curve) {
    ++pairs;
    if (!curve.found) return;
    ++found;
    tips += curve.tip ? 1 : 0;
    for (const auto& r : curve.reprojection) rms_px.push_back(r.rms_px);
    length_mm.push_back(curve.length_mm);
  }
  static double median(std::vector<double> values) {
    if (values.empty()) return 0.0;
    const auto middle = values.begin() + static_cast<int64_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
  }
};

constexpr const char* kLegend =
    "<p>Images: grey, what the tracker saw (light: bridged, not used); over it the curve in space. "
    "Blue: shown by both views; orange: by A alone; yellow: by B alone; red: by neither. Dashed: "
    "where the other view's tip must lie. Rings: tips.</p>\n";

int run_biplane(BiplaneArgs& args, Context& context) {
  const auto overwrite = context.common.force ? Overwrite::kReplace : Overwrite::kRefuse;
  const fs::path folder = args.output;
  const auto lines_path = folder / "biplane.jsonl", page_path = folder / "biplane.html";
  const auto views = infer::parse_biplane_calibration(read_text_file(args.calibration),
                                                      format("'{}'", args.calibration));
  const infer::BiplaneRig rig(views[0].projection, views[1].projection);
  const auto a = read_view(args.views[0], views[0]), b = read_view(args.views[1], views[1]);
  const std::array<double, 2> offset{views[0].time_offset_s, views[1].time_offset_s};
  const auto pairs = infer::pair_lines(a, b, offset, args.max_skew_ms / 1e3);
  VOXLOOM_CHECK(!pairs.empty(),
                ErrorCode::kInvalidArgument,
                "views: must have frames at most {} ms apart, got none; A lasts from {} to {} s, B "
                "from {} to {} s (time_offset_s in the calibration moves them)",
                args.max_skew_ms,
                a.front().time_s + offset[0],
                a.back().time_s + offset[0],
                b.front().time_s + offset[1],
                b.back().time_s + offset[1]);

  make_output_folder(folder);
  for (const auto& path : {lines_path, page_path}) check_output(path, overwrite);
  AtomicFile lines(lines_path, overwrite);
  Summary summary;
  std::string pictures;
  const auto total = static_cast<int64_t>(pairs.size());
  int64_t drawn = 0;
  context.progress->begin("reconstruct", total);
  for (int64_t i = 0; i < total; ++i) {
    context.stop.check();
    const auto& pair = pairs[static_cast<size_t>(i)];
    const auto &line_a = a[pair.a], &line_b = b[pair.b];
    const auto curve = infer::reconstruct_pair(rig, line_a, line_b, args.options);
    const double time_s = line_a.time_s + offset[0];
    lines.write(infer::biplane_to_json(curve, line_a, line_b, time_s, pair.skew_s).dump() + "\n");
    summary.add(curve);
    // Spread evenly over those that there are.
    if (curve.found && drawn < args.pictures && i * args.pictures >= drawn * total) {
      pictures += format("<h2>{:.3f} s: {:.1f} mm</h2>\n", time_s, curve.length_mm) +
                  infer::draw_biplane(rig, views, line_a, line_b, curve);
      ++drawn;
    }
    context.progress->advance(1);
  }
  context.progress->end();
  const double rms = Summary::median(summary.rms_px), length = Summary::median(summary.length_mm);
  const auto text = format(
      "{} pairs, a curve in {}, its tip in {}; views {:.1f} degrees apart; median distance to the "
      "centre lines {:.2f} px, median length {:.1f} mm",
      summary.pairs,
      summary.found,
      summary.tips,
      rig.angle_deg(),
      rms,
      length);
  AtomicFile page(page_path, overwrite);
  page.write(html_page("Guidewire from two views", "<p>" + text + "</p>\n" + kLegend + pictures));
  lines.commit();
  page.commit();
  *context.out << text << "\n" << lines_path.string() << "\n" << page_path.string() << "\n";
  context.result = {{"pairs", summary.pairs},
                    {"found", summary.found},
                    {"tips", summary.tips},
                    {"angle_deg", rig.angle_deg()},
                    {"median_reprojection_px", rms},
                    {"median_length_mm", length},
                    {"lines", lines_path.string()},
                    {"page", page_path.string()}};
  return 0;
}

}  // namespace

Command wire_biplane_command() {
  return make_command<BiplaneArgs>(
      {.name = "wire biplane",
       .summary = "A guidewire in space from the tracked lines of two calibrated views.",
       .details =
           "Frames of both views are paired by time. For every pair the centre lines are matched "
           "along the epipolar lines, triangulated, and one spline in space is fitted to the "
           "points "
           "of both images. Gaps that the tracker bridged, predictions and lost frames are no "
           "evidence. biplane.jsonl has one line a pair: the curve in mm (LPS) a mm apart with its "
           "expected error (std_mm), parts that not both views show, the tip where both show it, "
           "length, and the distances of the seen points to the projected curve in px. "
           "biplane.html shows pairs in both images and in space.\n\n"
           "The calibration is a JSON file (docs/biplane.md): for each view a projection matrix, "
           "or the angles and distances of the C-arm as DICOM has them. Research software: not for "
           "use on patients.",
       .examples = {{"voxloom wire biplane --view frontal.jsonl --view lateral.jsonl --calibration "
                     "rig.json -o space",
                     "two runs followed by 'wire track --results'"}},
       .references =
           {"Hartley and Zisserman, Multiple View Geometry, 2nd edition, 2004 (chapters 9 "
            "and 12)",
            "Sampson, Computer Graphics and Image Processing 18, 1982 (mismatch)"}},
      run_biplane);
}

}  // namespace voxloom::app
