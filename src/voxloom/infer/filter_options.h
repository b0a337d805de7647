#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "voxloom/core/options.h"

namespace voxloom::infer {

/// Contrast-limited adaptive histogram equalisation (Zuiderveld, Graphics Gems IV, 1994).
struct ClaheOptions {
  double clip_limit = 2.0;  ///< Times the mean count of a histogram's bin; 0: no limit.
  int64_t tiles_x = 8, tiles_y = 8;
  bool operator==(const ClaheOptions&) const = default;
};

/// Non-local means on the Anscombe-stabilised image (Buades et al., CVPR 2005). Not for live use.
struct NonLocalMeansOptions {
  double strength = 1.0;           ///< h in standard deviations of the noise.
  int64_t patch = 7, search = 21;  ///< px, odd.
  bool operator==(const NonLocalMeansOptions&) const = default;
};

/// Gamma that brings the median to 0.5, within [low, high].
struct GammaOptions {
  double low = 0.5, high = 2.0;
  bool operator==(const GammaOptions&) const = default;
};

/// Black top-hat: closing by a disc, minus the image. A channel.
struct BottomHatOptions {
  int64_t diameter = 11;  ///< px; more than the widest wire.
  bool operator==(const BottomHatOptions&) const = default;
};

/// Closing by a disc, minus the lowest closing by a line of the same length: keeps dark lines and
/// rejects dark spots. A channel.
struct LineHatOptions {
  int64_t length = 11;        ///< px, odd.
  int64_t orientations = 12;  ///< Over 180 degrees.
  bool operator==(const LineHatOptions&) const = default;
};

/// Multi-scale Frangi measure of dark lines (Frangi et al., MICCAI 1998). A channel.
struct FrangiOptions {
  std::vector<double> sigmas{1.0, 1.5, 2.0};  ///< px; not below 0.8, where sampled kernels fail.
  double beta = 0.5;
  double c = 0.0;       ///< 0: half of the scale's largest second-order structure.
  bool bright = false;  ///< Bright lines instead.
  bool operator==(const FrangiOptions&) const = default;
};

/// What the live frame is subtracted from.
enum class Background {
  kRunning,  ///< A running mean that a new device does not enter.
  kPhase,    ///< Earlier frames of the same breathing and heart phase.
};

/// Subtraction of a registered background in the log domain. A channel, never the only one: a wire
/// at rest vanishes from it once the background holds it.
struct SubtractOptions {
  Background background = Background::kRunning;
  double rate = 0.05;     ///< kRunning: share of a new frame.
  int64_t best = 3;       ///< kPhase: frames whose brightest pixels make the background.
  double window_s = 1.5;  ///< kPhase: how far back they may lie.
  bool operator==(const SubtractOptions&) const = default;
};

/// Recursive temporal filter: out = past * previous out + (1 - past) * frame.
struct RecursiveOptions {
  double past = 0.3;
  double guard =
      3.0;  ///< Standard deviations of change at which the past no longer counts; 0: off.
  bool operator==(const RecursiveOptions&) const = default;
};

/// Noise-variance conditioned average over 5x5 pixels of the last 5 frames (Sarno et al., 2019).
struct NvcaOptions {
  double reach = 2.0;  ///< Standard deviations of the noise.
  bool operator==(const NvcaOptions&) const = default;
};

using FilterStep = std::variant<ClaheOptions,
                                NonLocalMeansOptions,
                                GammaOptions,
                                BottomHatOptions,
                                LineHatOptions,
                                FrangiOptions,
                                SubtractOptions,
                                RecursiveOptions,
                                NvcaOptions>;

/// "clahe", "nlm", ...: the name without parameters.
[[nodiscard]] std::string filter_name(const FilterStep& step);
/// The shortest text that parse_filter() reads back as `step`: "clahe:2,8x8".
[[nodiscard]] std::string filter_text(const FilterStep& step);
/// Throws kInvalidArgument: an unknown name (listing the names), parameters out of range.
[[nodiscard]] FilterStep parse_filter(std::string_view text);

/// Steps in order, joined by '+', as in "recursive:0.3+clahe:2,8x8+frangi:1,1.5,2". "live" is the
/// chain for live video, "none" or empty the one without steps. Throws as parse_filter().
[[nodiscard]] std::vector<FilterStep> parse_filter_chain(std::string_view text);
[[nodiscard]] std::string filter_chain_text(const std::vector<FilterStep>& steps);

/// The chain for live video: recursive, subtract, clahe, frangi.
[[nodiscard]] std::vector<FilterStep> live_filter_steps();

/// Whether objects are darker than their surroundings, as in X-ray images.
enum class ObjectPolarity { kDark, kBright, kAuto };

/// What is done with every frame before a network sees it.
struct FilterChainOptions {
  std::vector<FilterStep> steps;
  ObjectPolarity polarity = ObjectPolarity::kDark;
  bool find_field = true;  ///< Look for collimator, round field of view and burned-in text.

  void visit(OptionList& list);
};

/// What `voxloom wire filters` is told.
struct FilterReportOptions {
  std::string data;                 ///< Manifest, folder or video.
  std::string output;               ///< Folder.
  std::vector<std::string> chains;  ///< Empty: a set that shows each filter.
  ObjectPolarity polarity = ObjectPolarity::kDark;
  bool find_field = true;
  int64_t frames = 0;    ///< At most so many; 0: all.
  int64_t pictures = 3;  ///< Frames shown.
  bool force = false;

  void visit(OptionList& list);
  void validate() const;
};

}  // namespace voxloom::infer
