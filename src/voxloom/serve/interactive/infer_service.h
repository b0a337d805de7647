#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "voxloom/core/cancel.h"
#include "voxloom/image/volume.h"
#include "voxloom/infer/segmenter.h"

namespace voxloom::serve {

using Json = nlohmann::ordered_json;

/// A model as the clients see it in `/info`.
struct ServedModel {
  std::string name;     ///< "SAM", "geodesic"
  std::string package;  ///< Folder or name of a model package, or "geodesic".
  std::string variant;  ///< The network's, of a package; else empty.
  std::string description;
  std::string type = "deepedit";
  int dimension = 3;
  Json labels;       ///< {"background": 0, "intersection": 1, "uncertain": 2}
  Json label_names;  ///< {"intersection": 1, "uncertain": 2}
  Json config;       ///< window, direction, merge, components, max_slices: lists and values.
};

/// The models to serve: the `NAME=PACKAGE` of the command line, "SAM" where a MedSAM2 package was
/// given or found and no other model has that name, and "geodesic" always.
/// Throws kInvalidArgument for a bad or doubled name, kNotFound for a missing package.
[[nodiscard]] std::vector<ServedModel> served_models(const std::vector<std::string>& given);

/// One request for a label map.
struct InferTask {
  std::string client;     ///< Whose session: client_id, else the account, else the address.
  std::string model;      ///< A served name.
  std::string image_key;  ///< "image:ID", "session:ID", "upload:SHA256": equal keys, equal images.
  std::function<std::shared_ptr<image::VolumeSource>()> open;  ///< Called when not open already.
  std::string image_extension = ".nii.gz";          ///< Of the result, unless params name another.
  Json params = Json::object();                     ///< As the client sent them.
  std::filesystem::path result_folder;              ///< Where the mask is written.
  std::optional<std::filesystem::path> label_file;  ///< An uploaded label map (scribbles).
  CancelToken stop;                                 ///< The peer went away.
};

struct InferOutcome {
  std::optional<std::filesystem::path> mask;  ///< Under result_folder; the caller removes it.
  Json params;  ///< label_names, latencies, centroids, notes: the JSON part of the answer.
};

struct InferProgress {
  std::string client, model, stage;
  int64_t done = 0, total = 0;
};

struct InferServiceOptions {
  infer::RuntimeOptions runtime;
  int64_t memory_mb = 2048;  ///< Of open volumes and sessions; the longest unused go first.
  std::function<void(const InferProgress&)> on_progress;  ///< From the compute thread; cheap.
  /// Makes the model of a package, on the compute thread. Empty: infer::make_segmenter.
  std::function<std::unique_ptr<infer::Segmenter>(const std::string& package,
                                                  const infer::RuntimeOptions& runtime)>
      make_segmenter;
};

struct InferStats {
  uint64_t runs = 0, cancelled = 0, failed = 0, session_hits = 0, session_misses = 0;
  uint64_t prefetched = 0, prefetch_hits = 0, prefetch_misses = 0;
  int64_t waiting = 0, sessions = 0, memory_bytes = 0;
};

/// Runs models for many clients: one session per (client, image, model, label), one computation at
/// a time on a thread of low priority, clients served in turn. Thread-safe.
class InferService {
 public:
  InferService(std::vector<ServedModel> models, InferServiceOptions options);
  ~InferService();
  InferService(const InferService&) = delete;
  InferService& operator=(const InferService&) = delete;

  /// The models that can be used now: all but the withdrawn ones, in their order.
  [[nodiscard]] std::vector<ServedModel> models() const;
  /// Null when there is no model of that name, or it is withdrawn. Lives as long as the service.
  [[nodiscard]] const ServedModel* find(std::string_view name) const;
  /// A model of the start of the service, withdrawn or not.
  [[nodiscard]] const ServedModel* find_known(std::string_view name) const;
  /// Another number whenever models() may have changed.
  [[nodiscard]] uint64_t models_revision() const;

  /// Blocks until the mask is written. A newer task of the same client, model and image cancels
  /// the older one between slices (kCancelled there). A label or prompt key that the model does
  /// not have gives a blank mask, and params say why.
  /// Throws kNotFound (model), kInvalidArgument (params, prompts outside), kCancelled, and what
  /// opening the image throws.
  [[nodiscard]] InferOutcome run(const InferTask& task);

  /// Work with a model on an image that nobody waits for: runs when no client does, gives way to
  /// clients (its token is set, it throws kCancelled) and is then begun anew. Blocks until it is
  /// done; of `task`, client, model, image_key, open and stop count. Throws what run() does, and
  /// what `work` throws.
  using Work = std::function<void(infer::Segmenter& model,
                                  const std::shared_ptr<image::VolumeSource>& image,
                                  const CancelToken& stop)>;
  void run_in_background(const InferTask& task, const Work& work);

  /// Reads the image and makes what a first click needs, in the background, within the budget.
  /// Returns at once and keeps a copy of `task`, so `open` must own what it uses. Real tasks
  /// interrupt it; failures are silent. Throws kNotFound (model).
  void prefetch(const InferTask& task);

  /// Drops the open volume and the sessions of an image that was removed or replaced. Takes effect
  /// before the next task runs.
  void forget(const std::string& image_key);
  /// The weights of a model were put aside: it and every model of the same package is unknown from
  /// now on, also to what waits; what runs ends as it would. Throws kNotFound.
  void withdraw_model(const std::string& name);
  /// The weights of a model are there, perhaps others than before: the next task loads the package
  /// anew. Brings back a withdrawn one. Throws kNotFound.
  void renew_model(const std::string& name);

  [[nodiscard]] InferStats stats() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace voxloom::serve
