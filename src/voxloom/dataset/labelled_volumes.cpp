#include "voxloom/dataset/labelled_volumes.h"

#include <algorithm>
#include <map>
#include <set>

#include <nlohmann/json.hpp>

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/error.h"
#include "voxloom/core/json_text.h"
#include "voxloom/dataset/manifest.h"
#include "voxloom/io/path_suffix.h"

namespace voxloom::dataset {
namespace {

namespace fs = std::filesystem;

/// File names of a folder, in order; hidden ones are left out.
std::set<std::string> names_in(const fs::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with('.')) names.insert(name);
  }
  return names;
}

std::string stem_of(const std::string& name) {
  return name.substr(0, name.find('.'));
}

std::vector<LabelledVolume> pairs_of_folder(const fs::path& data) {
  const fs::path images = data / "image", labels = data / "label";
  for (const auto& folder : {images, labels}) {
    VOXLOOM_CHECK(fs::is_directory(folder),
                  ErrorCode::kNotFound,
                  "data '{}': must hold the folders image/ and label/, got no '{}'",
                  data.string(),
                  folder.filename().string());
  }
  const auto names = names_in(images), label_names = names_in(labels);
  std::string lonely;
  for (const auto& name : names) {
    if (!label_names.contains(name)) lonely += " image/" + name;
  }
  for (const auto& name : label_names) {
    if (!names.contains(name)) lonely += " label/" + name;
  }
  VOXLOOM_CHECK(lonely.empty(),
                ErrorCode::kDataCorrupt,
                "data '{}': every image needs a label of the same name; without partner:{}",
                data.string(),
                lonely);
  std::vector<LabelledVolume> list;
  for (const auto& name : names) list.push_back({stem_of(name), images / name, labels / name});
  return list;
}

/// The id of an image or label file of a datastore: its name without the volume suffix.
std::string datastore_id(const std::string& name) {
  for (const char* suffix : {".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd", ".npz"}) {
    if (io::has_suffix(name, suffix)) {
      return name.substr(0, name.size() - std::string_view(suffix).size());
    }
  }
  return name;
}

std::vector<LabelledVolume> final_labels(const fs::path& data) {
  std::map<std::string, fs::path> images;
  for (const auto& name : names_in(data)) {
    if (name != "labels") images.emplace(datastore_id(name), data / name);
  }
  std::vector<LabelledVolume> list;
  std::string lonely;
  const fs::path labels = data / "labels" / "final";
  for (const auto& name : names_in(labels)) {
    const std::string id = datastore_id(name);
    if (id == name) continue;  // no volume: a sidecar
    const auto image = images.find(id);
    if (image == images.end()) {
      lonely += " labels/final/" + name;
    } else {
      list.push_back({id, image->second, labels / name});
    }
  }
  VOXLOOM_CHECK(lonely.empty(),
                ErrorCode::kDataCorrupt,
                "data '{}': every final label needs an image; without partner:{}",
                data.string(),
                lonely);
  return list;
}

std::vector<LabelledVolume> npz_files(const fs::path& data) {
  std::vector<LabelledVolume> list;
  for (const auto& name : names_in(data)) {
    if (io::has_suffix(name, ".npz")) list.push_back({stem_of(name), data / name, data / name});
  }
  return list;
}

std::vector<LabelledVolume> cases_of_json(const std::string& text, const fs::path& file) {
  std::vector<LabelledVolume> list;
  try {
    const auto manifest = parse_json(text, format("manifest '{}'", file.string()));
    const fs::path base = file.has_parent_path() ? file.parent_path() : fs::path(".");
    for (const auto& item : manifest.at("cases")) {
      list.push_back({item.at("id").get<std::string>(),
                      base / item.at("image").get<std::string>(),
                      base / item.at("label").get<std::string>(),
                      role_from_name(item.value("role", std::string(role_name(Role::kNone))))});
    }
  } catch (const nlohmann::json::exception& e) {
    throw Error(
        ErrorCode::kDataCorrupt,
        format("manifest '{}': must be {{\"cases\": [{{\"id\", \"image\", \"label\"}}]}}: {}",
               file.string(),
               e.what()));
  }
  return list;
}

std::vector<LabelledVolume> cases_of_manifest(const std::string& text, const fs::path& file) {
  const fs::path base = file.has_parent_path() ? file.parent_path() : fs::path(".");
  std::vector<LabelledVolume> list;
  for (const auto& sample :
       parse_manifest(text, base, format("manifest '{}'", file.string())).samples) {
    if (!sample.mask.empty()) list.push_back({sample.id, sample.image, sample.mask, sample.role});
  }
  return list;
}

std::vector<LabelledVolume> list_volumes(const fs::path& data) {
  if (fs::is_directory(data)) {
    if (fs::is_directory(data / "labels" / "final")) return final_labels(data);
    if (!fs::exists(data / "image") && !fs::exists(data / "label")) {
      if (auto files = npz_files(data); !files.empty()) return files;
    }
    return pairs_of_folder(data);
  }
  const std::string text = read_text_file(data);
  return text.starts_with("{\"voxloom_manifest\"") ? cases_of_manifest(text, data)
                                                   : cases_of_json(text, data);
}

}  // namespace

std::vector<LabelledVolume> read_labelled_volumes(const fs::path& data) {
  VOXLOOM_CHECK(fs::exists(data), ErrorCode::kNotFound, "data '{}' does not exist", data.string());
  auto list = list_volumes(data);
  VOXLOOM_CHECK(!list.empty(), ErrorCode::kNotFound, "data '{}': holds no case", data.string());
  std::string absent;
  for (const auto& item : list) {
    for (const auto& path : {item.image, item.label}) {
      if (!fs::exists(path)) absent += " '" + path.string() + "'";
    }
  }
  VOXLOOM_CHECK(absent.empty(),
                ErrorCode::kNotFound,
                "data '{}': these files do not exist:{}",
                data.string(),
                absent);
  return list;
}

}  // namespace voxloom::dataset
