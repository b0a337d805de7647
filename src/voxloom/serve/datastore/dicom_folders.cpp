#include "voxloom/serve/datastore/dicom_folders.h"

#include <algorithm>
#include <exception>
#include <system_error>
#include <utility>

#include "voxloom/core/error.h"
#include "voxloom/core/json_text.h"
#include "voxloom/core/log.h"
#include "voxloom/io/dicom_series.h"
#include "voxloom/serve/datastore/datastore.h"
#include "voxloom/serve/datastore/index_json.h"
#include "voxloom/serve/datastore/info_json.h"

namespace voxloom::serve {
namespace {

namespace fs = std::filesystem;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// The image series in one file; segmentations are labels, not images.
std::vector<io::SeriesInfo> series_of_file(const fs::path& file) {
  if (!io::is_dicom_file(file)) return {};
  auto series = io::list_series(file);
  std::erase_if(series, [](const io::SeriesInfo& s) { return s.modality == "SEG"; });
  return series;
}

}  // namespace

bool may_be_dicom(std::string_view file_name) {
  if (file_name.empty() || file_name.front() == '.') return false;
  const size_t dot = file_name.rfind('.');
  if (dot == std::string_view::npos) return true;
  std::string ext(file_name.substr(dot + 1));
  if (std::all_of(ext.begin(), ext.end(), is_digit)) return true;
  for (char& c : ext) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return ext == "dcm" || ext == "dicom" || ext == "ima";
}

const std::vector<FolderSeries>* DicomFolders::find(const std::string& folder,
                                                    const FileStamp& stamp) const {
  const auto it = entries_.find(folder);
  return it != entries_.end() && it->second.stamp == stamp ? &it->second.series : nullptr;
}

const std::vector<FolderSeries>& DicomFolders::read(const std::string& folder,
                                                    const FileStamp& stamp,
                                                    const std::vector<fs::path>& files) {
  std::map<std::string, FolderSeries> found;
  size_t unreadable = 0;
  for (const auto& file : files) {
    try {
      for (auto& s : series_of_file(file)) {
        found.emplace(s.uid, FolderSeries{s.uid, s.study_uid, s.modality});
      }
    } catch (const Error&) {
      ++unreadable;
    }
  }
  if (unreadable > 0) {
    VOXLOOM_LOG_WARN("datastore: {} DICOM files cannot be read and are passed over", unreadable);
  }
  Entry& entry = entries_[folder];
  entry.stamp = stamp;
  entry.series.clear();
  for (auto& [uid, series] : found) {
    try {
      check_name(uid, "SeriesInstanceUID");
      entry.series.push_back(std::move(series));
    } catch (const Error&) {
      VOXLOOM_LOG_WARN("datastore: a DICOM series without a usable UID is passed over");
    }
  }
  changed_ = true;
  return entry.series;
}

std::string DicomFolders::to_text() const {
  Json folders = Json::object();
  for (const auto& [folder, entry] : entries_) {
    Json series = Json::array();
    for (const auto& s : entry.series)
      series.push_back(Json::array({s.uid, s.study_uid, s.modality}));
    append_key(folders, folder, {{"stamp", to_json(entry.stamp)}, {"series", std::move(series)}});
  }
  changed_ = false;
  return to_line(folders);
}

void DicomFolders::from_text(std::string_view text) {
  entries_.clear();
  try {
    const Json folders = parse_json(text, "DICOM folders");
    if (!folders.is_object()) return;
    for (const auto& [folder, value] : folders.items()) {
      Entry entry{stamp_from_json(value.at("stamp")), {}};
      for (const auto& s : value.at("series")) {
        entry.series.push_back(
            {s.at(0).get<std::string>(), s.at(1).get<std::string>(), s.at(2).get<std::string>()});
        check_name(entry.series.back().uid, "SeriesInstanceUID");
      }
      entries_.emplace(folder, std::move(entry));
    }
  } catch (const std::exception&) {
    entries_.clear();  // It only saves time: the headers are read again.
  }
}

std::vector<fs::path> series_files(const fs::path& folder, const std::string& uid) {
  std::vector<fs::path> out;
  std::error_code failure;
  for (auto it = fs::recursive_directory_iterator(
           folder, fs::directory_options::skip_permission_denied, failure);
       !failure && it != fs::recursive_directory_iterator();
       it.increment(failure)) {
    if (it->is_symlink(failure) || !it->is_regular_file(failure) ||
        !may_be_dicom(it->path().filename().string())) {
      continue;
    }
    try {
      const auto series = series_of_file(it->path());
      if (series.size() == 1 && series[0].uid == uid) out.push_back(it->path());
    } catch (const Error&) {
      continue;  // Unreadable: no file of a series that could be opened.
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace voxloom::serve
