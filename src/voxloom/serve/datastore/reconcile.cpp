#include "voxloom/serve/datastore/reconcile.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

#include "voxloom/core/error.h"
#include "voxloom/core/log.h"
#include "voxloom/serve/datastore/file_name.h"

namespace voxloom::serve {
namespace {

namespace fs = std::filesystem;

using StampKey = std::tuple<uint64_t, int64_t, int64_t>;

StampKey key_of(const FileStamp& stamp) {
  return {stamp.inode, stamp.size, stamp.mtime_ns};
}

/// The id that a place gives; nullopt when it is no usable name.
std::optional<std::string> id_of_place(const FoundImage& found) {
  std::string id;
  if (found.ext.empty()) {
    id = found.series.uid;
  } else {
    const fs::path location(found.location);
    for (const auto& part : location.parent_path()) id += part.string() + '_';
    id += found.stem;
  }
  try {
    check_name(id, "image id");
  } catch (const Error&) {
    return std::nullopt;
  }
  return id;
}

/// Labels by the stem of their file's name. "x.seg.nrrd" stands under both readings.
class LabelFiles {
 public:
  struct Entry {
    const FoundLabel* file;
    std::string ext;
  };

  explicit LabelFiles(const std::vector<FoundLabel>& labels) {
    for (const auto& label : labels) {
      const auto split = split_label_name(label.file_name);
      if (!split) continue;
      by_stem_[split->stem].push_back({&label, split->ext});
      if (split->ext.size() > 5 && split->ext.ends_with(".nrrd")) {
        by_stem_[split->stem + split->ext.substr(0, split->ext.size() - 5)].push_back(
            {&label, ".nrrd"});
      }
    }
  }

  [[nodiscard]] const std::vector<Entry>& of(const std::string& id) const {
    static const std::vector<Entry> kNone;
    const auto it = by_stem_.find(id);
    return it == by_stem_.end() ? kNone : it->second;
  }

 private:
  std::unordered_map<std::string, std::vector<Entry>> by_stem_;
};

class Reconciler {
 public:
  Reconciler(const std::vector<ImagePtr>& known, const Scan& scan, int64_t now_s)
      : known_(known), scan_(scan), labels_(scan.labels), now_s_(now_s) {}

  Reconciled run() {
    keep_known_places();
    find_renamed();
    keep_pending();
    add_new();
    for (size_t k = 0; k < known_.size(); ++k) {
      if (!used_[k]) out_.absent.push_back(known_[k]);
    }
    std::sort(out_.present.begin(), out_.present.end(), [](const auto& a, const auto& b) {
      return a->id < b->id;
    });
    return std::move(out_);
  }

 private:
  void keep_known_places() {
    used_.assign(known_.size(), false);
    std::unordered_map<std::string, size_t> by_place;
    for (size_t k = 0; k < known_.size(); ++k) by_place.emplace(known_[k]->place(), k);
    for (const auto& found : scan_.images) {
      const auto it = by_place.find(found.place());
      if (it != by_place.end() && !used_[it->second] && !ids_.contains(known_[it->second]->id)) {
        keep(it->second, known_[it->second]->id, found);
      } else {
        rest_.push_back(&found);
      }
    }
  }

  void find_renamed() {
    std::map<StampKey, std::vector<size_t>> lost;
    for (size_t k = 0; k < known_.size(); ++k) {
      if (used_[k] || !known_[k]->stamp.known() || known_[k]->is_series()) continue;
      lost[key_of(known_[k]->stamp)].push_back(k);
    }
    std::map<StampKey, int> claims;
    for (const auto* found : rest_) ++claims[key_of(found->stamp)];
    std::vector<const FoundImage*> still;
    for (const auto* found : rest_) {
      const auto it = lost.find(key_of(found->stamp));
      const bool certain = it != lost.end() && it->second.size() == 1 && claims[it->first] == 1 &&
                           !found->ext.empty() && known_[it->second[0]]->ext == found->ext;
      const auto id = certain ? free_id(*found) : std::nullopt;
      if (!id) {
        still.push_back(found);
        continue;
      }
      const std::string before = known_[it->second[0]]->id;
      if (before != *id) out_.renamed.push_back({before, *id});
      keep(it->second[0], *id, *found);
    }
    rest_ = std::move(still);
  }

  void keep_pending() {
    const std::unordered_set<std::string> pending(scan_.pending.begin(), scan_.pending.end());
    if (pending.empty()) return;
    for (size_t k = 0; k < known_.size(); ++k) {
      const auto& image = known_[k];
      if (used_[k] || !image->is_series() || ids_.contains(image->id)) continue;
      if (!pending.contains(image->location)) continue;
      FoundImage as_before{image->location, image->id, "", image->stamp, {}};
      as_before.series.uid = image->id;
      keep(k, image->id, as_before);
    }
  }

  void add_new() {
    std::unordered_map<std::string, size_t> lost_ids;
    for (size_t k = 0; k < known_.size(); ++k) {
      if (!used_[k]) lost_ids.emplace(known_[k]->id, k);
    }
    for (const auto* found : rest_) {
      const auto id = free_id(*found);
      if (!id) {
        VOXLOOM_LOG_WARN("datastore: an image whose name makes no usable id is passed over");
        continue;
      }
      const auto it = lost_ids.find(*id);
      if (it != lost_ids.end() && !used_[it->second]) {
        keep(it->second, *id, *found);
        continue;
      }
      StoredImage image;
      image.id = *id;
      finish(std::move(image), *id, *found, nullptr);
    }
  }

  /// The id of a place that is new, unique; nullopt when the same series was found twice.
  std::optional<std::string> free_id(const FoundImage& found) const {
    const auto id = id_of_place(found);
    if (!id || !ids_.contains(*id)) return id;
    if (found.ext.empty()) return std::nullopt;
    for (int i = 2;; ++i) {
      std::string tried = *id + '_' + std::to_string(i);
      if (tried.size() > 255) return std::nullopt;
      if (!ids_.contains(tried)) return tried;
    }
  }

  void keep(size_t k, const std::string& id, const FoundImage& found) {
    used_[k] = true;
    StoredImage image = *known_[k];
    image.id = id;
    finish(std::move(image), known_[k]->id, found, &known_[k]);
  }

  /// Sets what the files say. `label_id`: what the label files are named after.
  void finish(StoredImage image,
              const std::string& label_id,
              const FoundImage& found,
              const ImagePtr* before) {
    image.ext = found.ext;
    image.location = found.location;
    image.stamp = found.stamp;
    if (image.info.empty()) {
      image.info = {{"ts", now_s_}, {"name", fs::path(found.location).filename().string()}};
      if (found.ext.empty()) image.info["name"] = image.id;
    }
    if (found.ext.empty() && !found.series.modality.empty()) {
      image.info["SeriesInstanceUID"] = found.series.uid;
      image.info["StudyInstanceUID"] = found.series.study_uid;
      image.info["Modality"] = found.series.modality;
    }
    note_location(image);
    image.labels = labels_of(image, label_id);
    ids_.insert(image.id);
    const bool same = before != nullptr && **before == image;
    out_.present.push_back(same ? *before : std::make_shared<const StoredImage>(std::move(image)));
  }

  std::map<std::string, StoredLabel, std::less<>> labels_of(const StoredImage& image,
                                                            const std::string& label_id) {
    std::map<std::string, StoredLabel, std::less<>> out;
    const auto add = [&](const std::string& stem) {
      for (const auto& [file, ext] : labels_.of(stem)) {
        const auto known = image.labels.find(file->tag);
        const bool is_known = known != image.labels.end() && known->second.ext == ext;
        if (out.contains(file->tag) && !is_known) continue;
        StoredLabel label{ext, Json::object(), file->stamp};
        if (is_known) label.info = known->second.info;
        if (label.info.empty()) {
          label.info = {{"ts", now_s_}, {"name", image.id + ext}};
        }
        out.insert_or_assign(file->tag, std::move(label));
      }
    };
    add(image.id);
    if (label_id != image.id) add(label_id);
    return out;
  }

  const std::vector<ImagePtr>& known_;
  const Scan& scan_;
  LabelFiles labels_;
  int64_t now_s_;
  std::vector<bool> used_;
  std::vector<const FoundImage*> rest_;
  std::unordered_set<std::string> ids_;
  Reconciled out_;
};

double time_of(const Json& info) {
  const auto it = info.find("ts");
  return it != info.end() && it->is_number() ? it->get<double>() : 0;
}

}  // namespace

Reconciled reconcile(const std::vector<ImagePtr>& known, const Scan& scan, int64_t now_s) {
  return Reconciler(known, scan, now_s).run();
}

void take_over(std::map<std::string, StoredImage, std::less<>>& images,
               const IndexDocument& foreign,
               const std::set<std::string, std::less<>>& touched) {
  for (const auto& [id, theirs] : foreign.images) {
    const auto it = images.find(id);
    if (it == images.end()) {
      images.emplace(id, theirs);
      continue;
    }
    StoredImage& ours = it->second;
    const bool is_touched = touched.contains(id);
    const auto wins = [&](const Json& their_info, const Json& our_info) {
      return !their_info.empty() && (!is_touched || time_of(their_info) > time_of(our_info));
    };
    if (wins(theirs.info, ours.info)) ours.info = theirs.info;
    for (const auto& [tag, label] : theirs.labels) {
      const auto known = ours.labels.find(tag);
      if (known == ours.labels.end()) {
        ours.labels.emplace(tag, label);
      } else if (wins(label.info, known->second.info)) {
        known->second.info = label.info;
        known->second.ext = label.ext;
      }
    }
  }
}

}  // namespace voxloom::serve
