#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "voxloom/core/options.h"
#include "voxloom/infer/segmenter.h"

namespace voxloom::serve {

/// What `voxloom serve` is told.
struct ServeOptions {
  std::string studies;  ///< Folder, or the base URL of a DICOMweb server.
  std::string host = "127.0.0.1";
  int64_t port = 8000;  ///< 0: any free port; it is printed.
  std::vector<std::string> models, strategies;
  std::string users, tls = "off", database, state_dir, log_dir, log_listen, log_token_file, ohif;
  std::vector<std::string> log_push, cors_origins;
  std::string dicomweb_filter = R"({"Modality": ["CT", "MR"]})", dicomweb_user;
  int64_t prefetch = 1, memory_mb = 2048, rate = 200, max_upload_mb = 8192, taken_min = 60;
  infer::RuntimeOptions runtime;

  void visit(OptionList& list);
  /// Fills studies from MONAI_LABEL_STUDIES or MONAI_LABEL_DATASTORE where it is empty (the
  /// parser has read VOXLOOM_STUDIES by then), the latter only where it is a folder or a URL, and
  /// cors_origins from MONAI_LABEL_CORS_ORIGINS. Throws kInvalidArgument.
  void prepare();

  [[nodiscard]] bool dicomweb() const;
  /// Whether `host` is reached from this machine alone.
  [[nodiscard]] bool on_loopback() const;
  /// state_dir, or $XDG_STATE_HOME/voxloom, or ~/.local/state/voxloom: certificate, token key,
  /// job database, sessions and uploads.
  [[nodiscard]] std::filesystem::path state_folder() const;
};

}  // namespace voxloom::serve
