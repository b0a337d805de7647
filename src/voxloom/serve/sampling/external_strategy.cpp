#include "voxloom/serve/sampling/external_strategy.h"

#include <algorithm>

#include "voxloom/core/error.h"
#include "voxloom/core/json_text.h"

namespace voxloom::serve {
namespace {

constexpr size_t kLongestName = 64;
constexpr size_t kMostExtras = 32;

class ExternalStrategy final : public Strategy {
 public:
  explicit ExternalStrategy(ExternalCommand command) : command_(std::move(command)) {}

  Json info(const Datastore& /*store*/) const override {
    return {{"description", "External strategy '" + command_.name + "' (a command)"}};
  }
  bool slow() const override { return true; }

  std::optional<Choice> next(const Datastore& store, const SampleRequest& request) override {
    const auto input =
        document(store, request).dump(-1, ' ', false, Json::error_handler_t::replace);
    try {
      auto choice =
          parse_external_answer(run_command(command_.words, input, command_.limits, request.stop));
      VOXLOOM_CHECK(!choice || store.find(choice->id),
                    ErrorCode::kUnavailable,
                    "command: the id in its answer must be one of the datastore, got another");
      return choice;
    } catch (const Error& e) {
      throw e.with_context("strategy '" + command_.name + "'");
    }
  }

 private:
  static Json document(const Datastore& store, const SampleRequest& request) {
    Json out{{"strategy", request.strategy}, {"request", request.body}, {"images", Json::array()}};
    if (!request.client.empty()) out["request"]["client_id"] = request.client;
    auto& images = out["images"];
    for (const auto& id : store.image_ids()) {
      const auto record = store.find(id);
      if (!record) continue;
      Json labels = Json::object();
      for (const auto& label : record->labels) labels[label.tag] = label.info;
      images.push_back({{"id", id}, {"info", record->info}, {"labels", std::move(labels)}});
    }
    return out;
  }

  ExternalCommand command_;
};

}  // namespace

ExternalCommand parse_external_command(std::string_view text) {
  const size_t equals = text.find('=');
  const auto name = text.substr(0, equals);
  const bool good = equals != std::string_view::npos && !name.empty() &&
                    name.size() <= kLongestName &&
                    std::all_of(name.begin(), name.end(), [](char c) {
                      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                             (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
                    });
  VOXLOOM_CHECK(good,
                ErrorCode::kInvalidArgument,
                "--strategy: must be NAME=COMMAND with a name of at most {} letters, digits, '_', "
                "'-' and '.', got '{}'",
                kLongestName,
                text);
  try {
    return {std::string(name), split_command(text.substr(equals + 1)), {}};
  } catch (const Error& e) {
    throw e.with_context(format("--strategy {}", name));
  }
}

std::optional<Choice> parse_external_answer(std::string_view text) {
  const JsonReading read = read_json(text);
  VOXLOOM_CHECK(read.error.empty(),
                ErrorCode::kDataCorrupt,
                "command: its output must be one JSON object, got {} bytes that are not JSON",
                text.size());
  const Json& answer = read.value;
  VOXLOOM_CHECK(answer.is_object(),
                ErrorCode::kDataCorrupt,
                "command: its output must be one JSON object, got {}",
                answer.type_name());
  const auto id = answer.find("id");
  if (id == answer.end() || id->is_null()) return std::nullopt;
  VOXLOOM_CHECK(id->is_string(),
                ErrorCode::kDataCorrupt,
                "command: 'id' in its output must be a text or null, got {}",
                id->type_name());
  Choice choice{id->get<std::string>(), Json::object()};
  for (const auto& [key, value] : answer.items()) {
    if (key == "id" || choice.extra.size() >= kMostExtras) continue;
    if (value.is_string() || value.is_number() || value.is_boolean()) choice.extra[key] = value;
  }
  return choice;
}

std::unique_ptr<Strategy> make_external_strategy(ExternalCommand command) {
  return std::make_unique<ExternalStrategy>(std::move(command));
}

}  // namespace voxloom::serve
