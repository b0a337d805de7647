#include "voxloom/infer/filter_options.h"

#include <charconv>
#include <cmath>
#include <iterator>
#include <optional>

#include "voxloom/core/error.h"

namespace voxloom::infer {
namespace {

std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  while (true) {
    const size_t end = text.find(at);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

/// The parameters of one step: what stands behind the colon, read from left to right.
class Parameters {
 public:
  Parameters(std::string_view step, std::string_view text) : step_(step) {
    if (!text.empty()) parts_ = split(text, ',');
  }
  [[nodiscard]] bool more() const { return next_ < parts_.size(); }

  double number(const char* what, double lo, double hi) {
    const std::string_view text = parts_[next_++];
    const auto value = read(text);
    VOXLOOM_CHECK(value && *value >= lo && *value <= hi,
                  ErrorCode::kInvalidArgument,
                  "filter '{}': {} must lie within [{}, {}], got '{}'",
                  step_,
                  what,
                  lo,
                  hi,
                  text);
    return *value;
  }

  int64_t whole(const char* what, int64_t lo, int64_t hi) {
    const std::string_view text = parts_[next_];
    const double value = number(what, static_cast<double>(lo), static_cast<double>(hi));
    VOXLOOM_CHECK(value == std::floor(value),
                  ErrorCode::kInvalidArgument,
                  "filter '{}': {} must be a whole number, got '{}'",
                  step_,
                  what,
                  text);
    return static_cast<int64_t>(value);
  }

  int64_t odd(const char* what, int64_t lo, int64_t hi) {
    const int64_t value = whole(what, lo, hi);
    VOXLOOM_CHECK(value % 2 == 1,
                  ErrorCode::kInvalidArgument,
                  "filter '{}': {} must be odd, got {}",
                  step_,
                  what,
                  value);
    return value;
  }

  std::string_view word() { return parts_[next_++]; }

  void end() const {
    VOXLOOM_CHECK(!more(),
                  ErrorCode::kInvalidArgument,
                  "filter '{}': must have at most {} parameters, got {}",
                  step_,
                  next_,
                  parts_.size());
  }

 private:
  static std::optional<double> read(std::string_view text) {
    double value = 0.0;
    const auto done = std::from_chars(text.data(), text.data() + text.size(), value);
    if (done.ec != std::errc{} || done.ptr != text.data() + text.size()) return std::nullopt;
    return value;
  }

  std::string_view step_;
  std::vector<std::string_view> parts_;
  size_t next_ = 0;
};

FilterStep parse_clahe(Parameters& p) {
  ClaheOptions o;
  if (p.more()) o.clip_limit = p.number("the clip limit", 0, 100);
  if (p.more()) {
    const std::string_view tiles = p.word();
    const auto sides = split(tiles, 'x');
    VOXLOOM_CHECK(sides.size() == 2,
                  ErrorCode::kInvalidArgument,
                  "filter 'clahe': the tiles must be COLUMNSxROWS, got '{}'",
                  tiles);
    Parameters x("clahe", sides[0]), y("clahe", sides[1]);
    VOXLOOM_CHECK(x.more() && y.more(),
                  ErrorCode::kInvalidArgument,
                  "filter 'clahe': the tiles must be COLUMNSxROWS, got '{}'",
                  tiles);
    o.tiles_x = x.whole("the tile count", 1, 64);
    o.tiles_y = y.whole("the tile count", 1, 64);
  }
  return o;
}

FilterStep parse_nlm(Parameters& p) {
  NonLocalMeansOptions o;
  if (p.more()) o.strength = p.number("the strength", 0.05, 20);
  if (p.more()) o.patch = p.odd("the patch", 3, 21);
  if (p.more()) o.search = p.odd("the search window", 3, 61);
  return o;
}

FilterStep parse_gamma(Parameters& p) {
  GammaOptions o;
  if (p.more()) o.low = p.number("the lowest gamma", 0.1, 1);
  if (p.more()) o.high = p.number("the highest gamma", 1, 10);
  return o;
}

FilterStep parse_bottom_hat(Parameters& p) {
  BottomHatOptions o;
  if (p.more()) o.diameter = p.whole("the diameter", 3, 101);
  return o;
}

FilterStep parse_line_hat(Parameters& p) {
  LineHatOptions o;
  if (p.more()) o.length = p.odd("the length", 3, 101);
  if (p.more()) o.orientations = p.whole("the orientations", 2, 36);
  return o;
}

FilterStep parse_frangi(Parameters& p) {
  FrangiOptions o;
  if (p.more()) o.sigmas.clear();
  while (p.more()) o.sigmas.push_back(p.number("a sigma", 0.8, 20));
  VOXLOOM_CHECK(o.sigmas.size() <= 8,
                ErrorCode::kInvalidArgument,
                "filter 'frangi': must have at most 8 sigmas, got {}",
                o.sigmas.size());
  return o;
}

FilterStep parse_subtract(Parameters& p) {
  SubtractOptions o;
  if (!p.more()) return o;
  const std::string_view mode = p.word();
  VOXLOOM_CHECK(mode == "running" || mode == "phase",
                ErrorCode::kInvalidArgument,
                "filter 'subtract': the background must be running or phase, got '{}'",
                mode);
  if (mode == "running") {
    if (p.more()) o.rate = p.number("the rate", 0.001, 1);
    return o;
  }
  o.background = Background::kPhase;
  if (p.more()) o.best = p.whole("the frame count", 1, 16);
  if (p.more()) o.window_s = p.number("the window in s", 0.2, 10);
  return o;
}

FilterStep parse_recursive(Parameters& p) {
  RecursiveOptions o;
  if (p.more()) o.past = p.number("the share of the past", 0, 0.95);
  if (p.more()) o.guard = p.number("the guard", 0, 100);
  return o;
}

FilterStep parse_nvca(Parameters& p) {
  NvcaOptions o;
  if (p.more()) o.reach = p.number("the reach", 0.1, 20);
  return o;
}

/// In the order of FilterStep's alternatives.
struct Entry {
  const char* name;
  FilterStep (*parse)(Parameters&);
};
constexpr Entry kEntries[] = {
    {"clahe", parse_clahe},
    {"nlm", parse_nlm},
    {"gamma", parse_gamma},
    {"bottomhat", parse_bottom_hat},
    {"linehat", parse_line_hat},
    {"frangi", parse_frangi},
    {"subtract", parse_subtract},
    {"recursive", parse_recursive},
    {"nvca", parse_nvca},
};
static_assert(std::size(kEntries) == std::variant_size_v<FilterStep>);

std::string names() {
  std::string list;
  for (const Entry& entry : kEntries) list += (list.empty() ? "" : ", ") + std::string(entry.name);
  return list;
}

struct ParameterText {
  std::string operator()(const ClaheOptions& o) const {
    return format("{},{}x{}", o.clip_limit, o.tiles_x, o.tiles_y);
  }
  std::string operator()(const NonLocalMeansOptions& o) const {
    return format("{},{},{}", o.strength, o.patch, o.search);
  }
  std::string operator()(const GammaOptions& o) const { return format("{},{}", o.low, o.high); }
  std::string operator()(const BottomHatOptions& o) const { return format("{}", o.diameter); }
  std::string operator()(const LineHatOptions& o) const {
    return format("{},{}", o.length, o.orientations);
  }
  std::string operator()(const FrangiOptions& o) const {
    std::string text;
    for (const double sigma : o.sigmas) text += (text.empty() ? "" : ",") + format("{}", sigma);
    return text;
  }
  std::string operator()(const SubtractOptions& o) const {
    if (o.background == Background::kRunning) return format("running,{}", o.rate);
    return format("phase,{},{}", o.best, o.window_s);
  }
  std::string operator()(const RecursiveOptions& o) const {
    return format("{},{}", o.past, o.guard);
  }
  std::string operator()(const NvcaOptions& o) const { return format("{}", o.reach); }
};

void visit_polarity(OptionList& list, ObjectPolarity& polarity) {
  list.choice("--polarity",
              polarity,
              {"dark", "bright", "auto"},
              "Objects are darker or brighter than their surroundings; auto: as the first frame "
              "shows.");
}

}  // namespace

std::string filter_name(const FilterStep& step) {
  return kEntries[step.index()].name;
}

std::string filter_text(const FilterStep& step) {
  return filter_name(step) + ":" + std::visit(ParameterText{}, step);
}

FilterStep parse_filter(std::string_view text) {
  const size_t colon = text.find(':');
  const std::string_view name = text.substr(0, colon);
  for (const Entry& entry : kEntries) {
    if (name != entry.name) continue;
    Parameters parameters(
        name, colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1));
    const FilterStep step = entry.parse(parameters);
    parameters.end();
    return step;
  }
  throw Error(ErrorCode::kInvalidArgument,
              format("filter: must be one of {}, got '{}'", names(), name));
}

std::vector<FilterStep> parse_filter_chain(std::string_view text) {
  if (text.empty() || text == "none") return {};
  if (text == "live") return live_filter_steps();
  std::vector<FilterStep> steps;
  for (const std::string_view part : split(text, '+')) steps.push_back(parse_filter(part));
  return steps;
}

std::string filter_chain_text(const std::vector<FilterStep>& steps) {
  if (steps.empty()) return "none";
  std::string text;
  for (const FilterStep& step : steps) text += (text.empty() ? "" : "+") + filter_text(step);
  return text;
}

std::vector<FilterStep> live_filter_steps() {
  // Log subtraction needs grey values that add up, so it comes before the equalisation.
  return {RecursiveOptions{}, SubtractOptions{}, ClaheOptions{}, FrangiOptions{}};
}

void FilterChainOptions::visit(OptionList& list) {
  list.custom(
          "--filters",
          [this](const std::string& text) { steps = parse_filter_chain(text); },
          [this] { return filter_chain_text(steps); },
          "Filters in order, joined by '+' (" + names() + "), or live, or none.")
      .with_value_name("NAME[:PARAMETERS]+...");
  visit_polarity(list, polarity);
  list.option("--find-field", find_field, "Look for collimator, round field of view and text.");
}

void FilterReportOptions::visit(OptionList& list) {
  list.option("--data", data, "Manifest, folder with image/ and label/, or a video.")
      .with_value_name("MANIFEST|FOLDER|VIDEO")
      .as_required();
  list.option("--output", output, "Folder for report.html and metrics.json (also -o).")
      .with_value_name("DIR")
      .as_required();
  list.option("--chain",
              chains,
              "Filters in order, joined by '+' (" + names() +
                  "), or live; repeat to compare. Default: a set that shows each filter.")
      .with_value_name("NAME[:PARAMETERS]+...");
  visit_polarity(list, polarity);
  list.option("--find-field", find_field, "Look for collimator, round field of view and text.");
  list.option("--frames", frames, "At most so many frames, 0: all.").with_range(0, 1e9);
  list.option("--pictures", pictures, "Frames shown in the report.").with_range(1, 50);
}

void FilterReportOptions::validate() const {
  for (const std::string& chain : chains) (void)parse_filter_chain(chain);
}

}  // namespace voxloom::infer
