#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "voxloom/core/options.h"
#include "voxloom/infer/augment_options.h"
#include "voxloom/infer/segmenter.h"
#include "voxloom/infer/trainer_options.h"
#include "voxloom/infer/wire_segmenter.h"
#include "voxloom/infer/wire_tracker.h"

namespace voxloom::infer {

/// Which loss trains a wire network (guidewire.md section 4.6): BCE and Dice, alone or with a term
/// that looks at the course of thin objects and comes in late.
enum class WireLoss { kHybrid, kHybridCbDice, kSkeletonRecall, kDiceBce };

/// What of an image a training example shows.
enum class CropKind {
  kRandom,  ///< A square of `crop` px, its pixels as they are.
  kBoxes,   ///< A square round an object's box, resized to `crop` px: for a cascade.
};

/// What `voxloom wire train` is told.
struct WireTrainOptions {
  std::vector<std::string> data;  ///< Manifests; roles decide what trains and what validates.
  std::string run;                ///< Run folder.
  std::string init;               ///< Package whose weights start the network; empty: none.
  bool resume = false;
  std::string architecture = "light-unet";
  std::string network = "{}";        ///< Options of the architecture, as JSON.
  std::vector<std::string> classes;  ///< What counts as the object; empty: guidewire, catheter.
  WireLoss loss = WireLoss::kHybrid;
  std::string loss_options = "{}";  ///< Of the loss (nn/hybrid_loss.h), as JSON.
  int64_t batch = 4;
  CropKind crops = CropKind::kRandom;
  int64_t crop = 256;  ///< px; 0: whole images.
  double foreground_share = 0.33;
  int64_t workers = 1;
  int64_t cache_mb = 512;
  int64_t validate_images = 0;  ///< Of the validation set, spread evenly; 0: all.
  std::string licence;          ///< Recorded in the package.
  bool incomplete = false;      ///< Published sets may lack frames (hold-out rules R2, R3).
  AugmentOptions augment;
  TrainerOptions trainer;

  void visit(OptionList& list);
  void validate() const;
};

/// What `voxloom wire eval` is told.
struct WireEvalOptions {
  /// In place of a package: the ridge filter alone, a baseline.
  static constexpr const char* kRidgeModel = "frangi";

  std::string data, model, output;
  std::string role = "val";  ///< Samples of this role; all in a folder without manifest.
  bool unseal = false;
  double threshold = 0.0;  ///< 0: the package's.
  TestAugmentation augmentation = TestAugmentation::kNone;
  std::vector<std::string> classes;
  int64_t worst = 8;  ///< Cases shown in the report.
  int64_t resamples = 10000;
  std::string compare;  ///< Another package: paired differences.
  bool track = false;   ///< Measure the tracker's masks and tips.
  WireTrackOptions tracking;
  bool force = false;
  RuntimeOptions runtime;

  void visit(OptionList& list);
  void validate() const;
};

/// What `voxloom wire predict` is told.
struct WirePredictOptions {
  std::vector<std::string> inputs;  ///< Images, folders or manifests.
  std::string model, output;
  double threshold = 0.0;  ///< 0: the package's.
  TestAugmentation augmentation = TestAugmentation::kNone;
  bool probabilities = false;  ///< Write 16-bit probability maps too.
  bool overlays = true;
  bool force = false;
  RuntimeOptions runtime;

  void visit(OptionList& list);
  void validate() const;
};

/// What `voxloom wire track` is told.
struct WireTrackCommand {
  std::string source;   ///< Video file, DICOM XA, folder, camera, rtsp address, or - (raw).
  std::string model;    ///< Package.
  std::string overlay;  ///< MP4 to write; empty: none.
  std::string results;  ///< JSON lines; empty or "-": standard output.
  std::string raw;      ///< WIDTHxHEIGHT of raw frames.
  int64_t raw_bits = 8;
  double frames_per_s = 0.0;  ///< Of raw frames and of the overlay; 0: as the source says.
  double pixel_mm = 0.0;
  int64_t frames = 0;            ///< Stop after so many; 0: at the end.
  bool polarity_bright = false;  ///< Objects are brighter than their surroundings.
  bool force = false;
  WireTrackOptions tracking;
  RuntimeOptions runtime;

  void visit(OptionList& list);
  /// The part that is not about the source and the outputs: what an embedded tracker takes, too.
  void visit_tracking(OptionList& list);
  void validate() const;
};

}  // namespace voxloom::infer
