#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "voxloom/serve/datastore/datastore.h"
#include "voxloom/serve/http/metrics.h"
#include "voxloom/serve/http/router.h"
#include "voxloom/serve/log/network.h"
#include "voxloom/serve/serve_options.h"

namespace voxloom::serve {

/// Where a server keeps what is not the studies': a folder below the state folder for each studies
/// folder, so that servers on different studies don't meet. Made on construction; a second server
/// on the same one is kUnavailable.
struct StateFolders {
  explicit StateFolders(const ServeOptions& options);
  ~StateFolders();
  StateFolders(const StateFolders&) = delete;
  StateFolders& operator=(const StateFolders&) = delete;

  std::filesystem::path shared;  ///< Certificate, log token.
  std::filesystem::path own;     ///< Of these studies.
  std::filesystem::path spool, scratch, sessions, volumes, jobs, cache;
  std::string database;  ///< URL.

 private:
  int lock_ = -1;
};

/// The datastore and what only its kind can do.
struct StorePart {
  std::shared_ptr<Datastore> datastore;
  std::filesystem::path own_folder;  ///< For files of ours beside the images.
  std::function<std::string(const std::string& id)> checksum;
  std::function<void()> refresh;
  std::vector<http::Route> proxy_routes;
};
[[nodiscard]] StorePart open_store(const ServeOptions& options, const StateFolders& state);

struct TlsFiles {
  std::filesystem::path certificate, private_key;  ///< Empty: no TLS.
};
/// Throws kInvalidArgument for a --tls that is none.
[[nodiscard]] TlsFiles tls_files(const ServeOptions& options, const StateFolders& state);

[[nodiscard]] std::filesystem::path log_token_file(const ServeOptions& options,
                                                   const StateFolders& state);
/// Makes the token where there is none.
[[nodiscard]] LogNetworkOptions log_network_options(const ServeOptions& options,
                                                    const StateFolders& state);

[[nodiscard]] http::Route metrics_route(http::Metrics& metrics);
[[nodiscard]] http::Route reload_route(const StorePart& store);
/// The document of all routes added before.
[[nodiscard]] http::Route openapi_route(const http::Router& router, const std::string& version);

}  // namespace voxloom::serve
