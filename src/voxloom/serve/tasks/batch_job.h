#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "voxloom/core/cancel.h"

namespace voxloom::serve {

/// One image of a batch: what the child needs to know of the datastore.
struct BatchCase {
  std::string id;
  std::filesystem::path path;  ///< File or folder.
  std::string series_uid, extension;
  nlohmann::ordered_json params;  ///< Prompts and options, as /infer takes them.
};

/// What the server hands to its child process in a file.
struct BatchRequest {
  std::string model;                ///< A served name.
  std::vector<std::string> models;  ///< NAME=PACKAGE, as the server has them.
  nlohmann::ordered_json runtime;   ///< infer::RuntimeOptions.
  std::filesystem::path folder;     ///< Masks are written there.
  std::vector<BatchCase> cases;

  [[nodiscard]] nlohmann::ordered_json to_json() const;
  /// Throws kDataCorrupt naming the key.
  static BatchRequest from_json(const nlohmann::ordered_json& json);
};

/// Runs the cases one after another. `report` gets one object a case, in order:
/// {"case": id, "file": path or null, "params": {...}, "progress": 0..1, "message": ...} or
/// {"case": id, "error": text, "progress": ..., "message": ...}: one bad image does not end the
/// batch.
void run_batch(const BatchRequest& request,
               const CancelToken& stop,
               const std::function<void(const nlohmann::ordered_json&)>& report);

}  // namespace voxloom::serve
