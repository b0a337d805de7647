#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "voxloom/dataset/labelled_volumes.h"
#include "voxloom/infer/segmenter.h"

#include "command.h"

namespace voxloom::app {

/// What is measured.
struct EvalSettings {
  std::string model = "auto";
  infer::SegmentOptions options;
  infer::RuntimeOptions runtime;
  std::vector<int64_t> click_counts{1, 3, 5, 10};
  double tolerance_mm = 2.0;      ///< Of surface Dice.
  double target_dice = 0.9;       ///< Of "clicks to".
  std::optional<uint16_t> value;  ///< Only this label value; else every one.
};

/// The result for one object of one case and one way of prompting.
struct EvalScore {
  double dice = 0, surface_dice = 0, hausdorff95_mm = 0, seconds = 0;
};

/// One object of one case.
struct EvalObject {
  std::string id;  ///< "case07" or "case07:3"
  uint16_t value = 1;
  int64_t key_slice = 0;
  int64_t truth_voxels = 0;
  EvalScore box;
  std::vector<EvalScore> clicks;            ///< One for each of click_counts.
  std::optional<int64_t> clicks_to_target;  ///< Nothing: not within the largest click count.
  std::vector<std::byte> picture;           ///< PNG: truth and box result on the key slice.
};

/// Runs box and clicks on one case; every label value is an object of its own. Clicks lie on the
/// object's largest slice, each in the middle of the worst error of that slice's mask; after each
/// the object is followed through the volume.
std::vector<EvalObject> evaluate_case(const dataset::LabelledVolume& item,
                                      infer::Segmenter& segmenter,
                                      const EvalSettings& settings,
                                      const CancelToken& stop);

/// metrics.json: {"cases", "metrics": {name: {"mean", "median", "ci95"}}, "per_case"}.
nlohmann::ordered_json eval_json(const std::vector<EvalObject>& objects,
                                 const EvalSettings& settings,
                                 int64_t seed);

/// report.html: what was measured, plots, tables, worst cases with pictures.
std::string eval_report(const std::vector<EvalObject>& objects,
                        const EvalSettings& settings,
                        const nlohmann::ordered_json& metrics,
                        const std::string& model);

}  // namespace voxloom::app
