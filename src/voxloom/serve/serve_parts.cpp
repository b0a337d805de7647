#include "voxloom/serve/serve_parts.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/error.h"
#include "voxloom/core/sha256.h"
#include "voxloom/serve/datastore/local_datastore.h"
#include "voxloom/serve/http/multipart_writer.h"
#include "voxloom/serve/http/server.h"
#ifdef VOXLOOM_HAVE_DICOM
#include "voxloom/serve/datastore/dicom_proxy.h"
#include "voxloom/serve/datastore/dicomweb_catalog.h"
#include "voxloom/serve/datastore/dicomweb_datastore.h"
#endif

namespace voxloom::serve {

namespace fs = std::filesystem;

StateFolders::StateFolders(const ServeOptions& options) : shared(options.state_folder()) {
  const std::string place =
      options.dicomweb() ? options.studies : fs::weakly_canonical(options.studies).string();
  own = shared / ("studies-" + sha256_hex(place).substr(0, 12));
  spool = own / "spool";
  scratch = own / "scratch";
  sessions = own / "sessions";
  volumes = own / "volumes";
  jobs = own / "jobs";
  cache = own / "dicomweb";
  std::error_code error;
  fs::create_directories(own, error);
  VOXLOOM_CHECK(!error,
                ErrorCode::kUnavailable,
                "state folder '{}': could not be made ({}); give --state-dir",
                own.string(),
                error.message());
  fs::permissions(own, fs::perms::owner_all, error);
  lock_ = ::open((own / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  VOXLOOM_CHECK(lock_ >= 0 && ::flock(lock_, LOCK_EX | LOCK_NB) == 0,
                ErrorCode::kUnavailable,
                "state folder '{}': another server works on these studies; give --state-dir",
                own.string());
  fs::remove_all(scratch, error);  // what a killed server left
  fs::create_directories(scratch);
  database =
      options.database.empty() ? "sqlite:" + (own / "jobs.sqlite").string() : options.database;
}

StateFolders::~StateFolders() {
  if (lock_ >= 0) ::close(lock_);
}

namespace {

StorePart open_folder(const ServeOptions& options) {
  const auto store =
      std::make_shared<LocalDatastore>(LocalDatastoreOptions{.folder = options.studies});
  StorePart part;
  part.datastore = store;
  part.own_folder = store->folder() / ".voxloom";
  part.checksum = [store](const std::string& id) { return store->image_checksum(id); };
  part.refresh = [store] { store->refresh(); };
  return part;
}

#ifdef VOXLOOM_HAVE_DICOM
StorePart open_dicomweb(const ServeOptions& options, const StateFolders& state) {
  DicomwebStoreOptions dicomweb;
  dicomweb.server.web.base_url = options.studies;
  dicomweb.server.web.user = options.dicomweb_user;
  if (const char* password = ::getenv("VOXLOOM_DICOMWEB_PASSWORD"); password != nullptr) {
    dicomweb.server.web.password = password;
  }
  dicomweb.filters = parse_search_filters(options.dicomweb_filter);
  dicomweb.cache = state.cache;
  const auto store = std::make_shared<DicomwebDatastore>(std::move(dicomweb));
  StorePart part;
  part.datastore = store;
  part.own_folder = state.cache;
  part.refresh = [store] { store->refresh(); };
  part.proxy_routes = dicom_proxy_routes(store->client(), {.spool = state.scratch});
  return part;
}
#endif

}  // namespace

StorePart open_store(const ServeOptions& options, const StateFolders& state) {
  if (!options.dicomweb()) return open_folder(options);
#ifdef VOXLOOM_HAVE_DICOM
  return open_dicomweb(options, state);
#else
  static_cast<void>(state);
  throw Error(ErrorCode::kUnsupported,
              "studies: this build has no DICOM, so it can't use a DICOMweb server");
#endif
}

TlsFiles tls_files(const ServeOptions& options, const StateFolders& state) {
  if (options.tls == "off" || options.tls.empty()) return {};
  if (options.tls == "auto") {
    const http::Certificate made =
        http::self_signed_certificate(state.shared, {options.host, "localhost"});
    return {made.certificate, made.private_key};
  }
  const auto comma = options.tls.find(',');
  VOXLOOM_CHECK(comma != std::string::npos,
                ErrorCode::kInvalidArgument,
                "tls: must be off, auto or CERT,KEY, got '{}'",
                options.tls);
  return {options.tls.substr(0, comma), options.tls.substr(comma + 1)};
}

fs::path log_token_file(const ServeOptions& options, const StateFolders& state) {
  return options.log_token_file.empty() ? state.shared / "log-token" : fs::path(options.log_token_file);
}

LogNetworkOptions log_network_options(const ServeOptions& options, const StateFolders& state) {
  const fs::path file = log_token_file(options, state);
  std::error_code ignored;
  if (options.log_token_file.empty() && !fs::exists(file, ignored)) {
    AtomicFile output(file, Overwrite::kRefuse);
    fs::permissions(output.temporary_path(), fs::perms::owner_read | fs::perms::owner_write);
    output.write(http::random_hex(48) + "\n");
    output.commit();
  }
  LogNetworkOptions network;
  network.token = read_log_token(file);
  const TlsFiles tls = tls_files(options, state);
  network.certificate = tls.certificate;
  network.private_key = tls.private_key;
  return network;
}

http::Route metrics_route(http::Metrics& metrics) {
  http::Route route;
  route.method = "GET";
  route.pattern = "/metrics";
  route.summary = "The server's numbers for Prometheus.";
  route.handler = [&metrics](http::Request&) {
    return http::Response::text(metrics.text(), 200, http::Metrics::kContentType);
  };
  return route;
}

http::Route reload_route(const StorePart& store) {
  http::Route route;
  route.method = "POST";
  route.pattern = "/reload";
  route.role = "admin";
  route.summary = "Look at the whole datastore now.";
  route.handler = [refresh = store.refresh](http::Request&) {
    refresh();
    return http::Response::json(Json::object());
  };
  return route;
}

http::Route openapi_route(const http::Router& router, const std::string& version) {
  http::Route route;
  route.method = "GET";
  route.pattern = "/openapi.json";
  route.summary = "This document.";
  route.work = http::Work::kInline;
  const auto text =
      std::make_shared<const std::string>(http::openapi(router, "MONAILabel", version).dump());
  route.handler = [text](http::Request&) {
    http::Response response;
    response.headers.set("Content-Type", "application/json");
    response.shared_body = text;
    return response;
  };
  return route;
}

}  // namespace voxloom::serve
