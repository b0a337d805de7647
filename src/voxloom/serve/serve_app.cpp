// The server's parts and how they hang together. Lowest first; the HTTP server is built last and
// taken down first, so that no request sees a part that is gone.
#include "voxloom/serve/serve_app.h"

#include <thread>

#include "voxloom/core/error.h"
#include "voxloom/core/log.h"
#include "voxloom/serve/auth/gate.h"
#include "voxloom/serve/datastore/session_store.h"
#include "voxloom/serve/datastore/volume_files.h"
#include "voxloom/serve/http/metrics.h"
#include "voxloom/serve/http/server.h"
#include "voxloom/serve/log/file.h"
#include "voxloom/serve/log/network.h"
#include "voxloom/serve/log/routes.h"
#include "voxloom/serve/monailabel/services.h"
#include "voxloom/serve/monailabel/upload_cache.h"
#include "voxloom/serve/progress_hub.h"
#include "voxloom/serve/sampling/sampler.h"
#include "voxloom/serve/sampling/score_with_model.h"
#include "voxloom/serve/sampling/scorer.h"
#include "voxloom/serve/serve_parts.h"
#include "voxloom/serve/tasks/tasks.h"
#include "voxloom/weights/package.h"

namespace voxloom::serve {

namespace fs = std::filesystem;

struct ServeApp::Impl {
  explicit Impl(const ServeOptions& given);
  ~Impl() { stop(); }

  void add_metrics();
  http::Router make_router();
  http::ServerOptions http_options() const;
  void observe(const http::Finished& finished);
  std::optional<ImageScores> score(const std::string& id,
                                   const infer::BoxPrompt& box,
                                   const CancelToken& stop);
  void stop();

  const ServeOptions options;
  const StateFolders state;
  LogHub log;
  std::unique_ptr<LogFile> log_file;
  std::unique_ptr<LogNetwork> log_network;
  uint16_t port = 0, log_port = 0;  ///< Bound ones; they outlive the sockets.
  std::unique_ptr<Gate> gate;
  ProgressHub progress;
  http::Metrics metrics;
  http::Observer count_request;

  StorePart store;
  std::unique_ptr<SessionStore> sessions;
  std::unique_ptr<UploadCache> uploads;
  std::unique_ptr<VolumeFiles> volume_files;
  std::unique_ptr<InferService> infer;
  std::string scoring_name;  ///< The model that scores images.
  std::shared_ptr<Scorer> scorer;
  std::unique_ptr<Sampler> sampler;
  Services services;
  std::unique_ptr<Tasks> tasks;
  std::unique_ptr<http::Server> server;
};

ServeApp::Impl::Impl(const ServeOptions& given) : options(given), state(options) {
  log.attach_core_log(/*standard_error=*/true);
  if (!options.log_dir.empty()) {
    log_file = std::make_unique<LogFile>(log, LogFile::Options{.folder = options.log_dir});
  }
  GateOptions doors;
  doors.users = options.users;
  doors.requests.per_second = static_cast<double>(options.rate);
  doors.requests.burst = 4.0 * static_cast<double>(options.rate);
  gate = std::make_unique<Gate>(doors);

  store = open_store(options, state);
  sessions = std::make_unique<SessionStore>(SessionOptions{.folder = state.sessions});
  uploads = std::make_unique<UploadCache>(state.scratch, uint64_t{4} << 30);
  volume_files = std::make_unique<VolumeFiles>(state.volumes, uint64_t{20} << 30);
  infer = std::make_unique<InferService>(
      served_models(options.models),
      InferServiceOptions{.runtime = options.runtime,
                          .memory_mb = options.memory_mb,
                          .on_progress = [this](const InferProgress& p) { progress.publish(p); }});

  const ServedModel scoring_model = infer->models().front();
  scoring_name = scoring_model.name;
  ScorerOptions scores;
  scores.cache_file = store.own_folder / "scores.jsonl";
  // Scores of other weights are stale.
  scores.model = scoring_model.name;
  if (scoring_model.package != "geodesic") {
    scores.model +=
        " " + weights::find_package(scoring_model.package).info.weights_sha256.substr(0, 12);
  }
  scores.busy = [this] { return infer->find(scoring_name) == nullptr; };  // weights put aside
  scorer = std::make_shared<Scorer>(
      store.datastore,
      scores,
      [this](const std::string& id, const infer::BoxPrompt& box, const CancelToken& stop) {
        return score(id, box, stop);
      });
  SamplerOptions sampling;
  sampling.taken_timeout_s = options.taken_min * 60;
  for (const std::string& text : options.strategies) {
    sampling.commands.push_back(parse_external_command(text));
  }
  // Scoring reads every unlabelled image: fine in a folder, not through a network archive.
  if (!options.dicomweb()) sampling.scorer = scorer;
  sampler = std::make_unique<Sampler>(std::move(sampling));

  services.version = VOXLOOM_VERSION;
  services.store = store.datastore.get();
  services.infer = infer.get();
  services.sessions = sessions.get();
  services.uploads = uploads.get();
  services.volume_files = volume_files.get();
  services.sampler = sampler.get();
  services.runtime = options.runtime;
  services.program = fs::read_symlink("/proc/self/exe");
  services.scratch = state.scratch;
  services.ohif = options.ohif;
  services.prefetch_images = options.prefetch;
  services.checksum = store.checksum;
  services.allow_image = [this](const std::string& address, const std::string& id) {
    gate->allow_image(address, id);
  };
  tasks = std::make_unique<Tasks>(services,
                                  jobs::open_database(state.database),
                                  "serve:" + options.studies,
                                  state.jobs,
                                  services.program);
  services.tasks = tasks.get();
  add_metrics();
  server = std::make_unique<http::Server>(
      http_options(), make_router(), gate->authoriser(), [this](const http::Finished& finished) {
        observe(finished);
      });
}

http::ServerOptions ServeApp::Impl::http_options() const {
  http::ServerOptions http;
  http.host = options.host;
  http.port = static_cast<uint16_t>(options.port);
  http.spool = state.spool;
  http.max_upload_bytes = static_cast<uint64_t>(options.max_upload_mb) << 20;
  http.cors_origins = options.cors_origins;
  // Without accounts a page in somebody's browser could do whatever that person may.
  http.cors_local = !gate->enabled();
  http.loopback_names = !gate->enabled() && options.on_loopback();
  const TlsFiles tls = tls_files(options, state);
  http.certificate = tls.certificate;
  http.private_key = tls.private_key;
  return http;
}

http::Router ServeApp::Impl::make_router() {
  http::Router router;
  const auto add = [&](std::vector<http::Route> routes) {
    for (http::Route& route : routes) router.add(std::move(route));
  };
  add(gate->routes());
  add(info_routes(services));
  add(sample_routes(services));
  add(infer_routes(services));
  add(datastore_routes(services));
  add(session_routes(services));
  add(task_routes(services));
  add(model_routes(services));
  add(log_routes(log));
  add(store.proxy_routes);
  add(page_routes(services));
  router.add(progress.route());
  router.add(metrics_route(metrics));
  router.add(reload_route(store));
  router.add(openapi_route(router, services.version));
  return router;
}

void ServeApp::Impl::add_metrics() {
  count_request = http::metrics_observer(metrics);
  const auto number = [this](int64_t DatastoreStats::*field) {
    return [this, field] { return static_cast<double>(store.datastore->stats().*field); };
  };
  metrics.gauge("voxloom_images", "Images in the datastore.", number(&DatastoreStats::total));
  metrics.gauge(
      "voxloom_images_completed", "Images with a final label.", number(&DatastoreStats::completed));
  const auto runs = [&](const char* name, const char* help, auto field) {
    metrics.gauge(name, help, [this, field] { return static_cast<double>(infer->stats().*field); });
  };
  runs("voxloom_inferences", "Inferences that gave a mask.", &InferStats::runs);
  runs("voxloom_inferences_cancelled", "Inferences stopped.", &InferStats::cancelled);
  runs("voxloom_inferences_failed", "Inferences that failed.", &InferStats::failed);
  runs("voxloom_inferences_waiting", "Inferences in the queue.", &InferStats::waiting);
  runs("voxloom_sessions", "Sessions kept for further clicks.", &InferStats::sessions);
  runs("voxloom_session_hits", "Clicks that found their session.", &InferStats::session_hits);
  runs("voxloom_session_misses", "Clicks that began a session.", &InferStats::session_misses);
  runs("voxloom_prefetched", "Images made ready ahead.", &InferStats::prefetched);
  runs("voxloom_prefetch_hits", "First clicks on a prepared image.", &InferStats::prefetch_hits);
  runs("voxloom_prefetch_misses", "First clicks on another image.", &InferStats::prefetch_misses);
  runs("voxloom_session_bytes", "Memory of volumes and sessions.", &InferStats::memory_bytes);
}

void ServeApp::Impl::observe(const http::Finished& finished) {
  count_request(finished);
  const LogLevel level = finished.status >= 500 ? LogLevel::kError : LogLevel::kInfo;
  log.publish(LogRecord(level, "request", "answered")
                  .request(finished.request_id)
                  .client(finished.principal)
                  .field("method", LogName(finished.method))
                  .field("route", LogName(finished.pattern))
                  .field("status", finished.status)
                  .field("ms", finished.seconds * 1e3)
                  .field("bytes_in", finished.bytes_in)
                  .field("bytes_out", finished.bytes_out));
}

std::optional<ImageScores> ServeApp::Impl::score(const std::string& id,
                                                 const infer::BoxPrompt& box,
                                                 const CancelToken& stop) {
  InferTask task = datastore_task(services, id, stop);
  task.client = "scorer";
  task.model = scoring_name;  // scores are of one model, whatever is served
  std::optional<ImageScores> scores;
  infer->run_in_background(task,
                           [&](infer::Segmenter& model,
                               const std::shared_ptr<image::VolumeSource>& image,
                               const CancelToken& give_way) {
                             scores = score_with_model(
                                 model, image, box, score_run_for(model), give_way);
                           });
  return scores;
}

void ServeApp::Impl::stop() {
  if (!server) return;
  server->drain();
  server.reset();
  sampler.reset();
  scorer.reset();
  services.tasks = nullptr;
  tasks.reset();
  infer.reset();
}

ServeApp::ServeApp(const ServeOptions& options) : impl_(std::make_unique<Impl>(options)) {}
ServeApp::~ServeApp() = default;

void ServeApp::start() {
  impl_->server->start();
  impl_->port = impl_->server->port();
  if (!impl_->options.log_listen.empty() || !impl_->options.log_push.empty()) {
    impl_->log_network =
        std::make_unique<LogNetwork>(impl_->log, log_network_options(impl_->options, impl_->state));
    if (!impl_->options.log_listen.empty()) {
      impl_->log_port = impl_->log_network->listen(parse_log_endpoint(impl_->options.log_listen));
    }
    for (const std::string& peer : impl_->options.log_push) {
      impl_->log_network->push(parse_log_endpoint(peer));
    }
  }
  if (!impl_->options.dicomweb()) impl_->scorer->start();
  impl_->log.publish(LogRecord(LogLevel::kInfo, "start", "the server answers"));
}

std::string ServeApp::address() const {
  const bool tls = impl_->options.tls != "off";
  return format("{}://{}:{}", tls ? "https" : "http", impl_->options.host, impl_->port);
}

std::vector<std::string> ServeApp::notes() const {
  std::vector<std::string> lines;
  const DatastoreStats stats = impl_->store.datastore->stats();
  lines.push_back(format("{} images, {} with a final label", stats.total, stats.completed));
  std::string models;
  for (const ServedModel& model : impl_->infer->models()) {
    models += (models.empty() ? "" : ", ") + model.name;
  }
  lines.push_back("models: " + models);
  if (impl_->gate->enabled()) {
    lines.push_back("accounts: " + impl_->options.users);
  } else if (impl_->options.on_loopback()) {
    lines.push_back("no accounts: every program of this machine may do everything (--users)");
  } else {
    lines.push_back(
        "WARNING: no accounts: everyone who reaches this port over the network may read, change "
        "and delete everything; give --users FILE (voxloom serve user add) and --tls auto");
  }
  if (impl_->log_port != 0) {
    lines.push_back(format("log monitors: port {}, token in {}",
                           impl_->log_port,
                           log_token_file(impl_->options, impl_->state).string()));
  }
  lines.push_back("state: " + impl_->state.own.string());
  return lines;
}

void ServeApp::wait(const CancelToken& stop) {
  while (!stop.cancelled()) std::this_thread::sleep_for(std::chrono::milliseconds(50));
}

void ServeApp::stop() {
  impl_->log.publish(LogRecord(LogLevel::kInfo, "stop", "the server ends"));
  impl_->stop();
}

}  // namespace voxloom::serve
