#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "voxloom/serve/datastore/datastore.h"
#include "voxloom/serve/http/router.h"
#include "voxloom/serve/interactive/infer_service.h"

namespace voxloom::serve {

class SessionStore;
class Sampler;
class Tasks;
class VolumeFiles;
class UploadCache;

/// What the MONAI Label routes work with. All of it outlives the HTTP server and is thread-safe.
struct Services {
  std::string name = "Voxloom", version;
  Datastore* store = nullptr;
  InferService* infer = nullptr;
  SessionStore* sessions = nullptr;
  UploadCache* uploads = nullptr;
  Sampler* sampler = nullptr;
  Tasks* tasks = nullptr;
  VolumeFiles* volume_files = nullptr;
  infer::RuntimeOptions runtime;
  std::filesystem::path program;  ///< This executable, for child processes.
  std::filesystem::path scratch;  ///< Folder for masks on their way to a client.
  std::filesystem::path ohif;     ///< A built OHIF viewer; empty: none.
  int64_t prefetch_images = 1;    ///< Likely next images that are made ready.
  /// "SHA256:<hex>" of an image file where it is known or cheap to have, else "".
  std::function<std::string(const std::string& id)> checksum;
  /// After an authorised next sample: that address may fetch that image for a while.
  std::function<void(const std::string& address, const std::string& id)> allow_image;
};

// One function a group of routes; serve_app.cpp adds them all to the router.
[[nodiscard]] std::vector<http::Route> info_routes(Services& services);
[[nodiscard]] std::vector<http::Route> infer_routes(Services& services);
[[nodiscard]] std::vector<http::Route> datastore_routes(Services& services);
[[nodiscard]] std::vector<http::Route> sample_routes(Services& services);
[[nodiscard]] std::vector<http::Route> session_routes(Services& services);
[[nodiscard]] std::vector<http::Route> task_routes(Services& services);
[[nodiscard]] std::vector<http::Route> model_routes(Services& services);
[[nodiscard]] std::vector<http::Route> page_routes(Services& services);

/// Whose sessions a request uses: its client_id, else the account, else the address.
[[nodiscard]] std::string client_of(const http::Request& request, const Json& params);

/// A task on an image of the datastore: key, extension and how to open it. Throws kNotFound.
[[nodiscard]] InferTask datastore_task(Services& services,
                                       const std::string& id,
                                       const CancelToken& stop = {});

/// The image as one file that a viewer loads: its own, or a NIfTI file made of a DICOM series.
[[nodiscard]] std::filesystem::path image_file(Services& services,
                                               const std::string& id,
                                               const CancelToken& stop);

/// A whole number of the query. Throws HttpError 422 naming it.
[[nodiscard]] int64_t query_number(const http::Request& request,
                                   std::string_view name,
                                   int64_t fallback);

/// ".nii.gz", ".nrrd", ...: the format that a file name ends with, else `fallback`.
[[nodiscard]] std::string image_suffix(const std::string& name, std::string_view fallback);

/// A form field that holds a JSON object; absent or empty: {}. Throws kInvalidArgument naming it.
[[nodiscard]] Json json_field(const http::Request& request, std::string_view name);

}  // namespace voxloom::serve
