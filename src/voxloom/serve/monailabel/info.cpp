#include "voxloom/serve/monailabel/info.h"

#include <algorithm>

#include "voxloom/serve/sampling/sampler.h"
#include "voxloom/serve/sampling/scoring.h"
#include "voxloom/serve/tasks/train_job.h"

namespace voxloom::serve {
namespace {

/// Every label of every model, models in order, labels by value: Slicer makes segments of them.
Json all_labels(const std::vector<ServedModel>& models) {
  Json names = Json::array();
  for (const ServedModel& model : models) {
    for (const auto& [name, value] : model.labels.items()) {
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
  }
  return names;
}

/// Nothing yet where the images are on a server that has not answered.
template <class Ask>
auto if_available(Ask ask) -> decltype(ask()) {
  try {
    return ask();
  } catch (const Error& e) {
    if (e.code() != ErrorCode::kUnavailable) throw;
    return {};
  }
}

std::string member(const char* name, const std::string& json) {
  return ",\"" + std::string(name) + "\":" + json;
}

}  // namespace

InfoDocument::InfoDocument(Services& services) : services_(services) {}

std::string InfoDocument::head() const {
  Json models = Json::object(), trainers = Json::object();
  const std::vector<ServedModel> served = services_.infer->models();
  for (const ServedModel& model : served) {
    models[model.name] = {{"type", model.type},
                          {"labels", model.labels},
                          {"dimension", model.dimension},
                          {"description", model.description},
                          {"config", model.config}};
    if (is_trainable(model)) trainers[model.name] = trainer_info(model);
  }
  const Json head = {
      {"name", services_.name + " (" + services_.version + ")"},
      {"description", "Interactive 3-D segmentation with MedSAM2 and geodesic distances"},
      {"version", services_.version},
      {"labels", all_labels(served)},
      {"models", models},
      {"trainers", trainers}};
  std::string text = head.dump();
  text.pop_back();  // the object goes on
  return text;
}

std::shared_ptr<const std::string> InfoDocument::text() {
  const std::lock_guard lock(mutex_);
  const uint64_t store = services_.store->revision();
  const auto strategies = services_.sampler->revision(*services_.store);
  const uint64_t models = services_.infer->models_revision();
  if (text_ && store == store_revision_ && strategies == strategies_revision_ &&
      models == models_revision_) {
    return text_;
  }
  if (!text_ || models != models_revision_) head_ = head();
  const Datastore& store_now = *services_.store;
  const auto stats = if_available([&] { return store_now.stats(); });
  const auto strategy_list = if_available([&] { return services_.sampler->info(store_now); });
  Json tags = Json::object();
  for (const auto& [tag, count] : stats.label_tags) tags[tag] = count;
  const Json datastore = {
      {"total", stats.total}, {"completed", stats.completed}, {"label_tags", tags}};
  text_ = std::make_shared<const std::string>(
      head_ + member("strategies", (strategy_list ? strategy_list->dump() : std::string("{}"))) +
      member("scoring", scoring_methods().dump()) + member("train_stats", "{}") +
      member("datastore", datastore.dump()) + "}");
  store_revision_ = store;
  strategies_revision_ = strategies;
  models_revision_ = models;
  return text_;
}

std::vector<http::Route> info_routes(Services& services) {
  http::RouteList routes;
  routes.add(
      "GET",
      "/info/",
      "user",
      "Models, strategies, labels and counts.",
      {},
      [info = std::make_shared<InfoDocument>(services)](http::Request&) {
        http::Response response;
        response.headers.set("Content-Type", "application/json");
        response.shared_body = info->text();
        return response;
      },
      http::Work::kInline);
  return routes.take();
}

}  // namespace voxloom::serve
