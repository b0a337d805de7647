#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "voxloom/core/cancel.h"
#include "voxloom/infer/segment_train_options.h"
#include "voxloom/serve/interactive/infer_service.h"

namespace voxloom::serve {

/// Whether a served model can be trained: a MedSAM2 package, the recipe's own network.
[[nodiscard]] bool is_trainable(const ServedModel& model);

/// What `/info/` says of a trainer: description, and the settings that clients show and send back.
[[nodiscard]] nlohmann::ordered_json trainer_info(const ServedModel& model);

/// The settings of a run, from what a client sent: max_epochs, val_split, and the names of
/// `voxloom segment train` (lr, freeze_image_encoder, frames, ...). Keys that are neither are left
/// out: clients send those of other trainers too. Throws kInvalidArgument for a bad value.
[[nodiscard]] infer::SegmentTrainOptions train_options(const nlohmann::ordered_json& body);

/// One image with its final label.
struct TrainCase {
  std::string id;
  std::filesystem::path image, label;
};

/// What the server hands to its child process in a file.
struct TrainRequest {
  std::string model;              ///< A served name.
  std::filesystem::path package;  ///< Its package.
  std::filesystem::path folder;   ///< The run goes to folder/run.
  nlohmann::ordered_json options = nlohmann::ordered_json::object();  ///< As the client sent them.
  std::vector<TrainCase> cases;

  [[nodiscard]] nlohmann::ordered_json to_json() const;
  /// Throws kDataCorrupt naming the key.
  static TrainRequest from_json(const nlohmann::ordered_json& json);
};

/// Trains, or goes on where an earlier process of the job stopped. `report` gets objects with
/// "progress" and "message", and at the end {"case": model, "package": folder, "dice": of the new
/// weights, "baseline": of the old ones on the same objects, ...}.
void run_train(const TrainRequest& request,
               const CancelToken& stop,
               const std::function<void(const nlohmann::ordered_json&)>& report);

/// Copies the package `trained` to the place of `served`. The one that is not used stays beside it
/// as NAME.TIME.deleted: the old one when `use`, else the new one. Either way a complete package is
/// at `served` at every moment but between two renames. Throws kUnavailable (disk full, no right).
void install_trained(const std::filesystem::path& served,
                     const std::filesystem::path& trained,
                     bool use);

}  // namespace voxloom::serve
