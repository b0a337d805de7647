#include "voxloom/serve/datastore/index_json.h"

#include <exception>
#include <filesystem>
#include <utility>

#include "voxloom/core/error.h"
#include "voxloom/core/json_text.h"
#include "voxloom/serve/datastore/file_name.h"
#include "voxloom/serve/datastore/info_json.h"

namespace voxloom::serve {
namespace {

namespace fs = std::filesystem;

const Json kEmpty = Json::object();

const Json& object_member(const Json& value, const char* key) {
  if (!value.is_object()) return kEmpty;
  const auto it = value.find(key);
  return it != value.end() && it->is_object() ? *it : kEmpty;
}

bool is_plain(const std::string& name, bool may_be_empty) {
  if (name.empty()) return may_be_empty;
  try {
    check_name(name, "name");
  } catch (const Error&) {
    return false;
  }
  return true;
}

/// An extension: ".nii.gz"; empty for a series. Starts with a dot, so it is no plain name itself.
bool is_extension(const std::string& ext) {
  return ext.empty() || (ext.size() <= 32 && ext.front() == '.' && is_plain("x" + ext, false));
}

uint64_t natural_member(const Json& value, const char* key) {
  const auto it = value.find(key);
  return it != value.end() && it->is_number_unsigned() ? it->get<uint64_t>() : 0;
}

/// Where the image lies: as our index says, else as `info` says, else under its own name.
std::string location_of(const Json& image, const std::string& id, const std::string& ext) {
  if (const auto ours = plain_relative(text_member(image, "file"))) return *ours;
  const Json& info = object_member(image, "info");
  const auto folder = plain_relative(text_member(info, "path"));
  const std::string name = text_member(info, "name");
  if (ext.empty()) return folder.value_or(".");
  if (folder && is_plain(name, false)) {
    return (*folder == "." ? fs::path(name) : fs::path(*folder) / name).string();
  }
  return id + ext;
}

bool read_object(const std::string& id, const Json& value, IndexDocument& out) {
  const Json& image = object_member(value, "image");
  StoredImage stored{.id = id,
                     .ext = text_member(image, "ext"),
                     .location = {},
                     .info = object_member(image, "info"),
                     .stamp = {},
                     .labels = {}};
  if (!is_plain(id, false) || !is_extension(stored.ext)) return false;
  stored.location = location_of(image, id, stored.ext);
  if (const auto it = image.find("stamp"); it != image.end()) stored.stamp = stamp_from_json(*it);
  for (const auto& [tag, label] : object_member(value, "labels").items()) {
    StoredLabel kept{text_member(label, "ext"), object_member(label, "info"), {}};
    if (!is_plain(tag, false) || kept.ext.empty() || !is_extension(kept.ext)) continue;
    if (const auto it = label.find("stamp"); it != label.end()) kept.stamp = stamp_from_json(*it);
    stored.labels.emplace(tag, std::move(kept));
  }
  out.images.insert_or_assign(id, std::move(stored));
  return true;
}

}  // namespace

Json to_json(const FileStamp& stamp) {
  return Json::array({stamp.size, stamp.mtime_ns, stamp.inode});
}

FileStamp stamp_from_json(const Json& value) {
  if (!value.is_array() || value.size() != 3) return {};
  for (const auto& number : value) {
    if (!number.is_number_integer()) return {};
  }
  return {value[0].get<int64_t>(), value[1].get<int64_t>(), value[2].get<uint64_t>()};
}

IndexDocument read_index(std::string_view text, size_t* skipped) {
  const Json all = parse_json(text, "datastore index");
  VOXLOOM_CHECK(all.is_object(),
                ErrorCode::kDataCorrupt,
                "datastore index: must be a JSON object, got {}",
                all.type_name());
  IndexDocument out;
  size_t bad = 0;
  for (const auto& [key, value] : all.items()) {
    if (key == "objects") {
      if (!value.is_object()) {
        ++bad;
        continue;
      }
      for (const auto& [id, object] : value.items()) {
        if (!read_object(id, object, out)) ++bad;
      }
    } else if (key == "voxloom") {
      if (!value.is_object()) continue;
      out.first_journal = natural_member(value, "first_journal");
      if (const auto it = value.find("exported"); it != value.end()) {
        out.exported = stamp_from_json(*it);
      }
      if (const auto it = value.find("exported_before"); it != value.end()) {
        out.exported_before = stamp_from_json(*it);
      }
    } else if (key == "name" || key == "description") {
      (key == "name" ? out.name : out.description) = text_member(all, key.c_str());
    } else if (key == "images_dir" || key == "labels_dir" || key == "label_dir") {
      const auto folder = plain_relative(text_member(all, key.c_str()));
      const bool fits = folder && (key == "images_dir" || *folder != ".");
      if (fits) (key == "images_dir" ? out.images_dir : out.labels_dir) = *folder;
      if (!fits) ++bad;
    } else {
      out.further[key] = value;
    }
  }
  if (skipped != nullptr) *skipped = bad;
  return out;
}

Json document_head(const IndexDocument& document) {
  Json out = {{"name", document.name},
              {"description", document.description},
              {"images_dir", document.images_dir},
              {"labels_dir", document.labels_dir},
              {"objects", Json::object()}};
  for (const auto& [key, value] : document.further.items()) out[key] = value;
  return out;
}

Json document_object(const StoredImage& image) {
  Json labels = Json::object();
  for (const auto& [tag, label] : image.labels) {
    labels[tag] = {{"ext", label.ext}, {"info", label.info}};
  }
  return {{"image", {{"ext", image.ext}, {"info", image.info}}}, {"labels", std::move(labels)}};
}

Json state_object(const StoredImage& image) {
  Json out = document_object(image);
  out["image"]["file"] = image.location;
  out["image"]["stamp"] = to_json(image.stamp);
  for (const auto& [tag, label] : image.labels) {
    out["labels"][tag]["stamp"] = to_json(label.stamp);
  }
  return out;
}

void note_location(StoredImage& image) {
  const fs::path location(image.location);
  if (!image.is_series() && image.location == image.id + image.ext) {
    image.info.erase("path");
    return;
  }
  const fs::path folder = image.is_series() ? location : location.parent_path();
  image.info["path"] = folder.empty() ? "." : folder.string();
  if (!image.is_series()) image.info["name"] = location.filename().string();
}

}  // namespace voxloom::serve
