#pragma once

#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <string>

#include "voxloom/core/error.h"
#include "voxloom/io/volume_io.h"
#include "voxloom/serve/datastore/datastore.h"

namespace voxloom::serve::testing_store {

/// A datastore in memory for tests; files lie where the test put them.
class MemoryDatastore final : public Datastore {
 public:
  void put(const std::string& id, const std::filesystem::path& file = {}, const Json& info = {}) {
    const std::lock_guard lock(mutex_);
    auto& item = items_[id];
    item.record.id = id;
    item.record.ext = ".nrrd";
    item.record.info = info.is_null() ? Json{{"ts", 1}, {"name", id + ".nrrd"}} : info;
    item.file = file;
    ++revision_;
  }
  void put_label(const std::string& id,
                 const std::string& tag,
                 const std::filesystem::path& file = {}) {
    const std::lock_guard lock(mutex_);
    auto& item = items_.at(id);
    std::erase_if(item.record.labels, [&](const auto& label) { return label.tag == tag; });
    item.record.labels.push_back({tag, ".nrrd", Json{{"ts", 2}}});
    item.labels[tag] = file;
    ++revision_;
  }
  int info_writes() const { return info_writes_; }

  DatastoreStats stats() const override { return {}; }
  std::vector<std::string> image_ids() const override {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> ids;
    for (const auto& [id, item] : items_) ids.push_back(id);
    return ids;
  }
  std::optional<ImageRecord> find(std::string_view id) const override {
    const std::lock_guard lock(mutex_);
    const auto at = items_.find(std::string(id));
    if (at == items_.end()) return std::nullopt;
    return at->second.record;
  }
  Json document() const override { return {}; }
  uint64_t revision() const override { return revision_; }
  std::filesystem::path image_path(std::string_view id, const CancelToken& /*stop*/) override {
    return item(id).file;
  }
  std::filesystem::path label_path(std::string_view id, std::string_view tag) override {
    auto found = item(id);
    const auto at = found.labels.find(std::string(tag));
    if (at == found.labels.end()) throw Error(ErrorCode::kNotFound, "no such label");
    return at->second;
  }
  std::string add_image(const std::filesystem::path& /*file*/,
                        std::string_view /*id*/,
                        std::string_view /*file_name*/,
                        const Json& /*info*/) override {
    throw Error(ErrorCode::kUnsupported, "not in this test");
  }
  void remove_image(std::string_view id) override {
    const std::lock_guard lock(mutex_);
    items_.erase(std::string(id));
    ++revision_;
  }
  void update_image_info(std::string_view id, const Json& info) override {
    const std::lock_guard lock(mutex_);
    auto& record = items_.at(std::string(id)).record;
    for (const auto& [key, value] : info.items()) record.info[key] = value;
    ++info_writes_;
    ++revision_;
  }
  void save_label(std::string_view /*id*/,
                  std::string_view /*tag*/,
                  const std::filesystem::path& /*file*/,
                  std::string_view /*file_name*/,
                  const Json& /*info*/) override {
    throw Error(ErrorCode::kUnsupported, "not in this test");
  }
  void remove_label(std::string_view id, std::string_view tag) override {
    const std::lock_guard lock(mutex_);
    std::erase_if(items_.at(std::string(id)).record.labels,
                  [&](const auto& label) { return label.tag == tag; });
    ++revision_;
  }
  void update_label_info(std::string_view /*id*/,
                         std::string_view /*tag*/,
                         const Json& /*info*/) override {
    throw Error(ErrorCode::kUnsupported, "not in this test");
  }

 private:
  struct Item {
    ImageRecord record;
    std::filesystem::path file;
    std::map<std::string, std::filesystem::path> labels;
  };
  Item item(std::string_view id) const {
    const std::lock_guard lock(mutex_);
    const auto at = items_.find(std::string(id));
    if (at == items_.end()) throw Error(ErrorCode::kNotFound, "no such image");
    return at->second;
  }

  mutable std::mutex mutex_;
  std::map<std::string, Item> items_;
  std::atomic<uint64_t> revision_{1};
  std::atomic<int> info_writes_{0};
};

/// A folder that goes away.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "voxloom-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  [[nodiscard]] std::filesystem::path operator/(const std::string& name) const {
    return path_ / name;
  }

 private:
  std::filesystem::path path_;
};

}  // namespace voxloom::serve::testing_store
