#include "voxloom/serve/sampling/sampler.h"

#include <chrono>
#include <random>

#include "voxloom/core/error.h"
#include "voxloom/serve/sampling/basic_strategies.h"
#include "voxloom/serve/sampling/score_strategies.h"

namespace voxloom::serve {
namespace {

int64_t system_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

uint64_t fresh_seed() {
  std::random_device device;
  return (uint64_t{device()} << 32) | device();
}

}  // namespace

Sampler::Sampler(SamplerOptions options) : options_(std::move(options)) {
  if (!options_.now_s) options_.now_s = system_seconds;
  const auto add = [this](const std::string& name, std::unique_ptr<Strategy> strategy) {
    VOXLOOM_CHECK(find(name) == nullptr && !ImageKeys::is_key(name),
                  ErrorCode::kInvalidArgument,
                  "--strategy: the name must not be taken, got '{}'",
                  name);
    strategies_.push_back({name, std::move(strategy)});
  };
  add("random", make_random_strategy(options_.seed ? *options_.seed : fresh_seed()));
  add("first", make_first_strategy());
  add("last", make_last_strategy());
  if (options_.scorer) {
    for (const auto score : {ScoreKind::kUncertain, ScoreKind::kDisagree, ScoreKind::kHard}) {
      add(score_name(score), make_score_strategy(score, options_.scorer));
    }
  }
  for (auto& command : options_.commands) add(command.name, make_external_strategy(command));
}

Sampler::~Sampler() = default;

Strategy* Sampler::find(std::string_view name) const {
  for (const auto& named : strategies_) {
    if (named.name == name) return named.strategy.get();
  }
  return nullptr;
}

std::pair<uint64_t, uint64_t> Sampler::revision(const Datastore& store) const {
  std::pair<uint64_t, uint64_t> revision{store.revision(), 0};
  for (const auto& named : strategies_) revision.second += named.strategy->revision();
  return revision;
}

std::shared_ptr<const Json> Sampler::info(const Datastore& store) {
  const std::lock_guard lock(info_mutex_);
  // Before the content: what changes meanwhile is seen by the next call.
  const auto now = revision(store);
  if (info_ && info_revision_ == now) return info_;
  auto made = std::make_shared<Json>(Json::object());
  for (const auto& named : strategies_) (*made)[named.name] = named.strategy->info(store);
  // Straight into the list of pairs: a look-up for each of many thousand keys would take time
  // that grows with the square of their number.
  auto& list = made->get_ref<Json::object_t&>();
  for (const auto& [key, image] : keys_.unlabelled(store)) {
    list.emplace_back(key, Json{{"description", "Image: " + display_name(image)}});
  }
  info_ = std::move(made);
  info_revision_ = now;
  return info_;
}

SampleRequest Sampler::read_request(std::string_view strategy,
                                    const Json& body,
                                    const std::string& user,
                                    const CancelToken& stop) const {
  VOXLOOM_CHECK(body.is_null() || body.is_object(),
                ErrorCode::kInvalidArgument,
                "activelearning: the body must be a JSON object or nothing, got {}",
                body.type_name());
  SampleRequest request{.strategy = std::string(strategy),
                        .body = body.is_null() ? Json::object() : body,
                        .client = user,
                        .now_s = options_.now_s(),
                        .taken_timeout_s = options_.taken_timeout_s,
                        .stop = stop};
  const auto client = request.body.find("client_id");
  if (client != request.body.end() && !client->is_null()) {
    VOXLOOM_CHECK(client->is_string(),
                  ErrorCode::kInvalidArgument,
                  "activelearning: 'client_id' must be a text, got {}",
                  client->type_name());
    if (!client->get_ref<const std::string&>().empty()) {
      request.client = client->get<std::string>();
    }
  }
  return request;
}

std::optional<Choice> Sampler::choose(const Datastore& store, const SampleRequest& request) {
  if (Strategy* strategy = find(request.strategy)) return strategy->next(store, request);
  // An image by its key: given out whoever has it, also when it is completed. A person chose it.
  auto id = keys_.id_of(request.strategy);
  if (!id && ImageKeys::is_key(request.strategy)) {
    static_cast<void>(keys_.unlabelled(store));  // A client that did not ask for the list first.
    id = keys_.id_of(request.strategy);
  }
  if (!id) {
    std::string known;
    for (const auto& named : strategies_) known += named.name + ", ";
    throw Error(ErrorCode::kNotFound,
                format("activelearning: the strategy must be one of {}or the key of an image "
                       "(img_0000, ...), got '{}'",
                       known,
                       request.strategy));
  }
  const auto image = store.find(*id);
  VOXLOOM_CHECK(image,
                ErrorCode::kNotFound,
                "activelearning: the image of strategy '{}' must be in the datastore, got one that "
                "was removed",
                request.strategy);
  Choice choice{*id, Json::object()};
  if (const auto other = taken_by_other(image->info, request)) {
    choice.extra["taken_by"] = {{"ts", other->ts}, {"client_id", other->client}};
  }
  return choice;
}

void Sampler::mark(Datastore& store, const std::string& id, const SampleRequest& request) {
  const auto image = store.find(id);
  if (!image) return;
  // The datastore merges keys of info, not of what is below them: marks of others go along.
  Json marks = Json::object();
  if (image->info.is_object()) {
    const auto found = image->info.find("strategy");
    if (found != image->info.end() && found->is_object()) marks = *found;
  }
  marks[request.strategy] = {{"ts", request.now_s}, {"client_id", request.client}};
  store.update_image_info(id, {{"strategy", std::move(marks)}});
}

Json Sampler::next_sample(Datastore& store,
                          std::string_view strategy,
                          const Json& body,
                          const std::string& user,
                          const Checksum& checksum,
                          const CancelToken& stop) {
  const auto request = read_request(strategy, body, user, stop);
  std::optional<Choice> choice;
  {
    std::unique_lock lock(choosing_, std::defer_lock);
    const Strategy* known = find(strategy);
    const bool slow = known != nullptr && known->slow();
    if (!slow) lock.lock();
    choice = choose(store, request);
    if (!choice) return Json::object();
    if (slow) lock.lock();
    mark(store, choice->id, request);
  }
  const auto path = store.image_path(choice->id, stop);
  const auto image = store.find(choice->id);
  VOXLOOM_CHECK(image,
                ErrorCode::kNotFound,
                "activelearning: the chosen image must be in the datastore, got one that was "
                "removed meanwhile");
  Json answer{{"id", choice->id}};
  answer.update(choice->extra);
  answer["path"] = std::filesystem::absolute(path).string();
  answer["name"] = display_name(*image);
  if (checksum) {
    if (const auto sum = checksum(choice->id, path)) answer["checksum"] = *sum;
  }
  if (image->info.is_object()) {
    for (const auto& [key, value] : image->info.items()) {
      if (!answer.contains(key)) answer[key] = value;
    }
  }
  return answer;
}

}  // namespace voxloom::serve
