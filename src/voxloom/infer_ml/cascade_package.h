#pragma once

#include <memory>
#include <string>

#include <nlohmann/json.hpp>

#include "voxloom/infer/cascade_options.h"
#include "voxloom/models/wire/detector.h"
#include "voxloom/models/wire/wire_network.h"
#include "voxloom/weights/package.h"

namespace voxloom::infer_ml {

/// The content of a cascade's package (cascade.h), networks ready to run.
struct CascadeParts {
  nlohmann::ordered_json detector_options, segmenter_options;
  std::string segmenter_name;
  infer::CascadeRules rules;
  std::shared_ptr<models::wire::Detector> detector;
  std::shared_ptr<models::wire::WireNetwork> segmenter;
  std::shared_ptr<const weights::StateDict> detector_state, segmenter_state;
};

/// Throws kDataCorrupt for a model.yaml or weights that don't fit, kInvalidArgument.
[[nodiscard]] CascadeParts read_cascade(const weights::Package& package);

}  // namespace voxloom::infer_ml
