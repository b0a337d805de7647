#include "voxloom/serve/sampling/image_keys.h"

#include <algorithm>
#include <charconv>

namespace voxloom::serve {
namespace {

constexpr std::string_view kPrefix = "img_";

std::string key_of(size_t number) {
  auto digits = std::to_string(number);
  if (digits.size() < 4) digits.insert(0, 4 - digits.size(), '0');
  return std::string(kPrefix) + digits;
}

}  // namespace

bool ImageKeys::is_key(std::string_view name) {
  return name.size() >= kPrefix.size() + 4 && name.starts_with(kPrefix) &&
         name.find_first_not_of("0123456789", kPrefix.size()) == std::string_view::npos;
}

std::vector<ImageKeys::Entry> ImageKeys::unlabelled(const Datastore& store) {
  std::vector<std::pair<size_t, ImageRecord>> found;
  const auto ids = store.image_ids();
  const std::lock_guard lock(mutex_);
  for (const auto& id : ids) {
    auto record = store.find(id);
    if (!record || record->completed()) continue;
    const auto [at, added] = numbers_.emplace(id, ids_.size());
    if (added) ids_.push_back(id);
    found.emplace_back(at->second, std::move(*record));
  }
  std::sort(
      found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<Entry> entries;
  entries.reserve(found.size());
  for (auto& [number, record] : found) entries.push_back({key_of(number), std::move(record)});
  return entries;
}

std::optional<std::string> ImageKeys::id_of(std::string_view key) const {
  if (!is_key(key)) return std::nullopt;
  size_t number = 0;
  const auto digits = key.substr(kPrefix.size());
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  const std::lock_guard lock(mutex_);
  // "img_00001" is no other name of "img_0001".
  if (parsed.ec != std::errc{} || number >= ids_.size() || key_of(number) != key) {
    return std::nullopt;
  }
  return ids_[number];
}

std::string display_name(const ImageRecord& image) {
  if (image.info.is_object()) {
    const auto name = image.info.find("name");
    if (name != image.info.end() && name->is_string()) return name->get<std::string>();
  }
  return image.id + image.ext;
}

}  // namespace voxloom::serve
