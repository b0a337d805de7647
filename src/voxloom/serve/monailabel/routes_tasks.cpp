// /train, /batch/infer and /scoring: background jobs under MONAI Label's names.
#include "voxloom/serve/monailabel/services.h"
#include "voxloom/serve/tasks/tasks.h"
#include "voxloom/serve/tasks/train_job.h"

namespace voxloom::serve {
namespace {

using http::Param;
using http::Request;
using http::Response;
using http::Route;
using http::Work;

/// One kind of job: its name in the queue, in sentences and in the "already running" answer.
struct Kind {
  const char* name;
  const char* word;
};
constexpr Kind kTrainKind{kTrain, "Train"};
constexpr Kind kBatchKind{kBatchInfer, "Batch_infer"};
constexpr Kind kScoringKind{kScoring, "Scoring"};

Response status(Services& services, const Kind& kind, const Request& request) {
  const jobs::JobRunner& runner = services.tasks->runner();
  const bool running_only = request.query_flag("check_if_running", false);
  if (request.query_flag("all", false)) {
    Json list = Json::array();
    for (const jobs::JobRecord& job : runner.list(kind.name)) list.push_back(task_json(job));
    return Response::json(list);
  }
  const auto job = running_only ? runner.running(kind.name) : runner.latest(kind.name);
  if (job) return Response::json(task_json(*job));
  return Response::error(404,
                         running_only ? format("No {} Tasks are currently Running", kind.word)
                                      : format("No {} Tasks Found", kind.word));
}

Response stop(Services& services, const Kind& kind) {
  const auto job = services.tasks->runner().stop_running(kind.name);
  return Response::json(job ? task_json(*job) : Json(nullptr));
}

/// Queues the job; with run_sync waits for it and answers what it gave.
Response submit(Services& services, const Kind& kind, const Json& body, Request& request) {
  jobs::JobRunner& runner = services.tasks->runner();
  if (!request.query_flag("enqueue", false) && runner.running(kind.name)) {
    throw http::HttpError(429, format("++++++++++ {} Task is Already Running", kind.word));
  }
  jobs::JobRecord job = runner.submit(kind.name, body);
  if (!request.query_flag("run_sync", false)) return Response::json(task_json(job));
  try {
    job = runner.wait(job.id, request.disconnected);
  } catch (const Error& e) {
    if (e.code() == ErrorCode::kCancelled) static_cast<void>(runner.stop(job.id));
    throw;
  }
  VOXLOOM_CHECK(job.status == jobs::JobStatus::kDone,
                ErrorCode::kUnavailable,
                "{}: the job ended with {}: {}",
                kind.word,
                jobs::job_status_name(job.status),
                job.details.empty() ? std::string("no reason given") : job.details.back());
  return Response::json(services.tasks->result_of(job.id));
}

Response batch(Services& services, Request& request) {
  Json body = request.json_object();
  const std::string model = request.path_values.at("model");
  VOXLOOM_CHECK(services.infer->find(model) != nullptr,
                ErrorCode::kNotFound,
                "model '{}': is not served; /info/ lists the models",
                model);
  body["model"] = model;
  body["images"] = request.query_value("images", "all");
  return submit(services, kBatchKind, body, request);
}

Response score(Services& services, Request& request, const std::string& method) {
  VOXLOOM_CHECK(
      method == "dice", ErrorCode::kNotFound, "scoring: the method must be dice, got '{}'", method);
  Json body = request.json_object();
  body["method"] = method;
  return submit(services, kScoringKind, body, request);
}

/// All methods: {method: {"result": task or scores, "detail": null}}.
Response score_all(Services& services, Request& request) {
  const Response one = score(services, request, "dice");
  return Response::json({{"dice", {{"result", Json::parse(one.body)}, {"detail", nullptr}}}});
}

Response train(Services& services, Request& request, const std::string& name, Json body) {
  const ServedModel* model = services.infer->find(name);
  VOXLOOM_CHECK(model != nullptr && is_trainable(*model),
                ErrorCode::kNotFound,
                "trainer '{}': there is none; /info/ lists the trainers",
                name);
  static_cast<void>(train_options(body));  // what does not fit is said now
  body["model"] = name;
  return submit(services, kTrainKind, body, request);
}

/// Every trainer, with {trainer: {options}} or options for all of them.
Response train_all(Services& services, Request& request) {
  const Json body = request.json_object();
  Json shared = Json::object(), answer = Json::object();
  for (const auto& [key, value] : body.items()) {
    if (!value.is_object()) shared[key] = value;
  }
  for (const ServedModel& model : services.infer->models()) {
    if (!is_trainable(model)) continue;
    Json options = shared;
    if (const auto own = body.find(model.name); own != body.end()) options.update(*own);
    const Response one = train(services, request, model.name, std::move(options));
    answer[model.name] = {{"result", Json::parse(one.body)}, {"detail", nullptr}};
  }
  return Response::json(answer);
}

}  // namespace

std::vector<Route> task_routes(Services& services) {
  http::RouteList routes;
  const Param all{Param::In::kQuery, "all", "Every task, oldest first.", false, {}};
  const Param running{
      Param::In::kQuery, "check_if_running", "The running one only; 404 without.", false, {}};
  const Param sync{Param::In::kQuery, "run_sync", "Answer when it is done.", false, {}};
  const Param enqueue{Param::In::kQuery, "enqueue", "Queue behind a running one.", false, {}};
  const Param images{Param::In::kQuery, "images", "Which.", false, {"all", "labeled", "unlabeled"}};

  struct Group {
    const char* pattern;
    Kind kind;
    const char* stop_role;
  };
  for (const Group& group : {Group{"/train/", kTrainKind, "admin"},
                             Group{"/batch/infer", kBatchKind, "admin"},
                             Group{"/scoring/", kScoringKind, "annotator"}}) {
    const Kind kind = group.kind;
    routes.add(
        "GET",
        group.pattern,
        "user",
        format("The latest {} task.", kind.word),
        {all, running},
        [&services, kind](Request& request) { return status(services, kind, request); },
        Work::kPool);
    routes.add(
        "DELETE",
        group.pattern,
        group.stop_role,
        format("Stop the running {} task.", kind.word),
        {},
        [&services, kind](Request&) { return stop(services, kind); },
        Work::kLong);
  }
  routes.add(
      "POST",
      "/train/",
      "admin",
      "Start every trainer.",
      {sync, enqueue},
      [&services](Request& request) { return train_all(services, request); },
      Work::kLong);
  routes.add(
      "POST",
      "/train/{model}",
      "admin",
      "Start a trainer.",
      {sync, enqueue},
      [&services](Request& request) {
        return train(services, request, request.path_values.at("model"), request.json_object());
      },
      Work::kLong);
  routes.add(
      "POST",
      "/batch/infer/{model}",
      "admin",
      "Segment many images in the background.",
      {images, sync, enqueue},
      [&services](Request& request) { return batch(services, request); },
      Work::kLong);
  routes.add(
      "POST",
      "/scoring/{method}",
      "annotator",
      "Score the datastore's labels.",
      {sync, enqueue},
      [&services](Request& request) {
        return score(services, request, request.path_values.at("method"));
      },
      Work::kLong);
  routes.add(
      "POST",
      "/scoring/",
      "annotator",
      "Score by every method.",
      {sync, enqueue},
      [&services](Request& request) { return score_all(services, request); },
      Work::kLong);
  return routes.take();
}

}  // namespace voxloom::serve
