#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "voxloom/core/cancel.h"
#include "voxloom/core/options.h"
#include "voxloom/core/progress.h"
#include "voxloom/image/volume.h"
#include "voxloom/infer/prompt.h"
#include "voxloom/infer/scores.h"

namespace voxloom::infer {

enum class Direction { kBoth, kForward, kBackward };
enum class Merge { kIntersection, kUnion };
enum class Components { kLargest, kAll };

/// What `segment` and the server's models can be told; the rules are DESIGN section 5's.
struct SegmentOptions {
  // Changes the result.
  std::string window = "auto";  ///< "auto", "LO,HI" or a preset name (image/window.h).
  Direction direction = Direction::kBoth;
  Merge merge = Merge::kIntersection;
  Components components = Components::kLargest;
  int64_t max_slices = 0;         ///< Slices visited per direction beyond the key; 0: no limit.
  int64_t stop_after_absent = 0;  ///< Stop a direction after this many absent slices; 0: never.
  std::optional<std::array<int64_t, 2>> slice_range;  ///< Propagation stays inside; both ends in.
  bool clip_box = false;   ///< Nothing outside a pair's box on its slices.
  bool extend = false;     ///< Several key slices: the whole volume, not their range.
  bool fill_holes = true;  ///< Holes of at most 8 px on the low-resolution mask.
  // Only `geodesic`.
  double smoothness = 1.0;       ///< Weight of the regularising step, 0 ... 10.
  double leak_control = 0.5;     ///< 0 none ... 1 strong: how much edges stop the growth.
  double max_distance_mm = 0.0;  ///< Stop growing this far from a positive click; 0: no limit.
  // Adds to the report; no flag: for programs that choose the next image to annotate.
  bool scores = false;  ///< Fill SegmentReport::scores. The label map is the same.

  void visit(OptionList& list);
  void validate() const;
};

/// Where and how fast a network runs.
struct RuntimeOptions {
  std::string device = "cpu";
  std::string engine = "auto";     ///< auto, torch or openvino.
  std::string precision = "auto";  ///< auto, f32 or bf16.
  int64_t feature_cache_mb = 64;   ///< Slice features a model keeps in memory; the rest spills.

  void visit(OptionList& list);
  void validate() const;
};

/// What is known about a finished run; written to the JSON sidecar.
struct SegmentReport {
  std::string model, engine, precision, device;
  int64_t slices_encoded = 0;  ///< Encoder calls of this run (0 where features are there).
  int64_t slices_tracked = 0;
  std::vector<std::pair<std::string, double>> times_s;  ///< Stage name, seconds.
  std::vector<std::string> notes;                       ///< Warnings a person should read.
  /// With SegmentOptions::scores one for each object, absent where nothing was found; else empty.
  std::vector<std::optional<ObjectScores>> scores;
};

/// The result of one run: the label map and the report.
struct SegmentResult {
  image::LabelVolume labels;
  SegmentReport report;
};

/// One volume being annotated. Keeps features and memory between runs, so that a further click
/// costs only what changed. Not thread-safe.
class SegmentSession {
 public:
  virtual ~SegmentSession() = default;

  /// Replaces all prompts of all objects; the list is the full truth (a missing point is gone).
  /// Throws kInvalidArgument naming the prompt when it lies outside the volume.
  virtual void set_prompts(const std::vector<ObjectPrompt>& objects) = 0;

  /// The mask of `object` on its key slice `z` for the present prompts, [H, W], 0 or 1: what an
  /// annotator sees at once after a click.
  [[nodiscard]] virtual std::vector<uint8_t> preview_slice(size_t object,
                                                           int64_t z,
                                                           const CancelToken& stop) = 0;

  /// Makes ahead of time what a first click on slice z needs under `options` and does not depend
  /// on prompts; by default nothing. Throws kCancelled (the session stays usable).
  virtual void warm(const SegmentOptions& options, int64_t z, const CancelToken& stop) {
    static_cast<void>(options);
    static_cast<void>(z);
    static_cast<void>(stop);
  }

  /// Runs what changed since the last run. Throws kInvalidArgument when no prompt selects a
  /// slice, kCancelled when `stop` was set (the session stays usable).
  [[nodiscard]] virtual SegmentResult run(const SegmentOptions& options,
                                          Progress& progress,
                                          const CancelToken& stop) = 0;
};

/// A model that turns prompts into a label map.
class Segmenter {
 public:
  virtual ~Segmenter() = default;
  [[nodiscard]] virtual std::string name() const = 0;
  [[nodiscard]] virtual std::string description() const = 0;
  /// Starts a session; the source is read on demand and must stay unchanged. Sessions of the same
  /// source share what a network made of its slices, as long as one of them has it.
  [[nodiscard]] virtual std::unique_ptr<SegmentSession> open(
      std::shared_ptr<image::VolumeSource> volume) = 0;
};

/// `model`: "geodesic" (no network) or the folder of a model package. A package opens the ML
/// library. Throws kNotFound, kDataCorrupt, kUnsupported.
[[nodiscard]] std::unique_ptr<Segmenter> make_segmenter(const std::string& model,
                                                        const RuntimeOptions& runtime);

}  // namespace voxloom::infer
