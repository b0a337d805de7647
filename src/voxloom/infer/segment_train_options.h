#pragma once

#include <cstdint>
#include <string>

#include "voxloom/core/options.h"
#include "voxloom/infer/trainer_options.h"

namespace voxloom::infer {

/// Which slices and objects one training example holds, and how its picture is changed.
struct ClipOptions {
  int64_t frames = 8;          ///< Slices in a row.
  int64_t max_objects = 5;     ///< Of those on the first slice.
  double reverse_share = 0.5;  ///< Of the clips go towards lower z.
  bool augment = true;         ///< Mirror, turn, shear, brightness and contrast.

  void visit(OptionList& list);
};

/// What the simulated annotator does (MedSAM2's recipe).
struct PromptSimulationOptions {
  double point_share = 0.5;         ///< Clips begun with a box or click; the others with the mask.
  double box_share = 1.0;           ///< Of those, begun with a box; the others with one click.
  double box_noise = 0.1;           ///< Largest shift of a side, as a share of the box.
  double box_noise_px = 20.0;       ///< The same in pixels of the network's input.
  int64_t conditioning_frames = 2;  ///< At most; always the first.
  int64_t corrected_frames = 2;     ///< At most, of clips begun with a box or click.
  int64_t clicks = 7;               ///< On each of those, one at a time.
  double click_from_truth_share = 0.1;  ///< Clicks anywhere on the object, not on an error.

  void visit(OptionList& list);
};

/// What `voxloom segment train` is told.
struct SegmentTrainOptions {
  std::string data;   ///< Folder or manifest of labelled volumes (dataset/labelled_volumes.h).
  std::string run;    ///< Run folder.
  std::string model;  ///< Package whose weights are trained on.
  bool resume = false;
  std::string window = "auto";
  double val_share = 0.2;       ///< Of the cases, where the data do not say themselves.
  int64_t clips_per_case = 10;  ///< An epoch.
  ClipOptions clip;
  PromptSimulationOptions prompts;
  bool freeze_image_encoder = false;
  double image_encoder_lr_factor = 0.6;
  double layer_decay = 0.9;       ///< Of the learning rate, per block towards the image.
  int64_t validate_objects = 16;  ///< Spread evenly over the validation cases; 0: all.
  bool baseline = true;           ///< Validate the package as it is, too.
  int64_t cache_mb = 2048;
  std::string licence;  ///< Recorded in the package; empty: the one of `model`.
  TrainerOptions trainer;

  SegmentTrainOptions();
  void visit(OptionList& list);
  void validate() const;
};

}  // namespace voxloom::infer
