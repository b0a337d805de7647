#include "voxloom/serve/sampling/strategy.h"

#include <algorithm>
#include <cmath>

namespace voxloom::serve {
namespace {

/// A time stamp of the index, which other programs write too; 0 when it is none.
int64_t stamp_of(const Json& mark) {
  if (!mark.is_object()) return 0;
  const auto ts = mark.find("ts");
  if (ts == mark.end() || !ts->is_number()) return 0;
  const double value = ts->get<double>();
  return std::isfinite(value) && value > 0 && value < 1e15 ? static_cast<int64_t>(value) : 0;
}

std::string client_of(const Json& mark) {
  const auto client = mark.find("client_id");
  return client != mark.end() && client->is_string() ? client->get<std::string>() : std::string();
}

const Json* marks_of(const Json& image_info) {
  if (!image_info.is_object()) return nullptr;
  const auto marks = image_info.find("strategy");
  return marks != image_info.end() && marks->is_object() ? &*marks : nullptr;
}

}  // namespace

std::optional<Mark> taken_by_other(const Json& image_info, const SampleRequest& request) {
  std::optional<Mark> latest;
  const Json* marks = marks_of(image_info);
  if (marks == nullptr) return latest;
  for (const auto& mark : *marks) {
    const int64_t ts = stamp_of(mark);
    if (ts == 0 || request.now_s - ts >= request.taken_timeout_s) continue;
    auto client = client_of(mark);
    if (latest && latest->ts >= ts) continue;
    latest = Mark{ts, std::move(client)};
  }
  // Whoever came last has it: an image that went on to this client is theirs.
  if (latest && latest->client == request.client) latest.reset();
  return latest;
}

int64_t last_served(const Json& image_info, const std::string& strategy) {
  const Json* marks = marks_of(image_info);
  if (marks == nullptr) return 0;
  const auto mark = marks->find(strategy);
  return mark == marks->end() ? 0 : stamp_of(*mark);
}

std::vector<ImageRecord> open_images(const Datastore& store, const SampleRequest& request) {
  std::vector<ImageRecord> all;
  for (const auto& id : store.image_ids()) {
    auto record = store.find(id);
    if (record && !record->completed()) all.push_back(std::move(*record));
  }
  const auto taken = [&](const ImageRecord& record) {
    return taken_by_other(record.info, request).has_value();
  };
  if (!std::all_of(all.begin(), all.end(), taken)) std::erase_if(all, taken);
  return all;
}

}  // namespace voxloom::serve
