#include "voxloom/serve/datastore/local_datastore.h"

#include <system_error>
#include <utility>

#include "voxloom/core/error.h"
#include "voxloom/core/log.h"
#include "voxloom/serve/datastore/file_name.h"
#include "voxloom/serve/datastore/info_json.h"

namespace voxloom::serve {

namespace fs = std::filesystem;

LocalDatastore::LocalDatastore(LocalDatastoreOptions options) : options_(std::move(options)) {
  load();
  thread_ = std::thread([this] { run(); });
}

LocalDatastore::~LocalDatastore() {
  stop_ = true;
  watch_.wake();
  thread_.join();
  try {
    static_cast<void>(flush());
  } catch (const std::exception&) {
    VOXLOOM_LOG_WARN(
        "datastore: its index was not written at the end; the journal has the changes");
  }
}

std::shared_ptr<const IndexView> LocalDatastore::view() const {
  const std::lock_guard lock(view_mutex_);
  return view_;
}

void LocalDatastore::publish(IndexView view) {
  auto shared = std::make_shared<const IndexView>(std::move(view));
  const std::lock_guard lock(view_mutex_);
  view_.swap(shared);
}

void LocalDatastore::publish_head() {
  auto shared = std::make_shared<const Json>(document_head(head_));
  const std::lock_guard lock(view_mutex_);
  document_head_.swap(shared);
}

DatastoreStats LocalDatastore::stats() const {
  return view()->stats();
}

std::vector<std::string> LocalDatastore::image_ids() const {
  const auto images = view();
  std::vector<std::string> out;
  out.reserve(images->size());
  images->for_each([&](const ImagePtr& image) { out.push_back(image->id); });
  return out;
}

std::optional<ImageRecord> LocalDatastore::find(std::string_view id) const {
  const auto image = view()->find(id);
  if (image == nullptr) return std::nullopt;
  return image->record();
}

Json LocalDatastore::document() const {
  std::shared_ptr<const IndexView> images;
  std::shared_ptr<const Json> head;
  {
    const std::lock_guard lock(view_mutex_);
    images = view_;
    head = document_head_;
  }
  Json out = *head;
  Json& objects = out["objects"];
  images->for_each(
      [&](const ImagePtr& image) { append_key(objects, image->id, document_object(*image)); });
  return out;
}

uint64_t LocalDatastore::revision() const {
  return view()->revision();
}

ImagePtr LocalDatastore::must_find(std::string_view id) const {
  auto image = view()->find(id);
  VOXLOOM_CHECK(image != nullptr, ErrorCode::kNotFound, "image '{}': must be in the datastore", id);
  return image;
}

fs::path LocalDatastore::image_path(std::string_view id, const CancelToken& stop) {
  stop.check();
  const auto image = must_find(id);
  fs::path path = studies_.images;
  if (image->location != ".") path /= image->location;
  // Asked again at each use: a link may have been put in its place since the folder was read.
  VOXLOOM_CHECK(lies_within(path, studies_.root),
                ErrorCode::kNotFound,
                "image '{}': its file must be in the studies folder",
                id);
  return path;
}

fs::path LocalDatastore::label_path(std::string_view id, std::string_view tag) {
  const auto image = must_find(id);
  const auto it = image->labels.find(tag);
  VOXLOOM_CHECK(it != image->labels.end(),
                ErrorCode::kNotFound,
                "label '{}' of image '{}': must be in the datastore",
                tag,
                id);
  fs::path path = studies_.labels / it->first / (image->id + it->second.ext);
  VOXLOOM_CHECK(lies_within(path, studies_.root),
                ErrorCode::kNotFound,
                "label '{}' of image '{}': its file must be in the studies folder",
                tag,
                id);
  return path;
}

std::string LocalDatastore::image_checksum(std::string_view id) {
  const auto image = must_find(id);
  if (image->is_series()) return {};
  return checksums_.of(image->location, image_path(id, {}));
}

std::optional<std::string> LocalDatastore::known_checksum(std::string_view id) const {
  const auto image = view()->find(id);
  if (image == nullptr || image->is_series()) return std::nullopt;
  return checksums_.known(image->location, image->stamp);
}

}  // namespace voxloom::serve
