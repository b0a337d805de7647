#include <algorithm>
#include <map>

#include "voxloom/core/error.h"
#include "voxloom/core/parallel.h"
#include "voxloom/io/dicom_dcmtk.h"
#include "voxloom/io/dicom_object.h"
#include "voxloom/io/dicom_series.h"

namespace voxloom::io {
namespace {

namespace fs = std::filesystem;

// Symbolic links to folders are not followed: they can form a ring.
std::vector<fs::path> files_below(const fs::path& path) {
  std::error_code failure;
  VOXLOOM_CHECK(fs::exists(path, failure),
                ErrorCode::kNotFound,
                "'{}': must be a DICOM folder or file that exists",
                path.string());
  if (!fs::is_directory(path, failure)) return {path};
  std::vector<fs::path> files;
  for (auto it = fs::recursive_directory_iterator(
           path, fs::directory_options::skip_permission_denied, failure);
       !failure && it != fs::recursive_directory_iterator();
       it.increment(failure)) {
    if (it->is_regular_file(failure)) files.push_back(it->path());
  }
  VOXLOOM_CHECK(!failure,
                ErrorCode::kUnavailable,
                "'{}': must be readable, got '{}'",
                path.string(),
                failure.message());
  std::sort(files.begin(), files.end());
  return files;
}

std::string series_table(const std::vector<SeriesInfo>& all) {
  std::string out;
  for (const auto& s : all) {
    out += format("\n  {}  {}  {} images of {}x{}",
                  s.uid,
                  s.modality.empty() ? "?" : s.modality,
                  s.frames,
                  s.columns,
                  s.rows);
  }
  return out;
}

std::vector<SeriesInfo> summarise(const std::vector<DicomObject>& objects) {
  std::map<std::string, SeriesInfo> series;
  for (const auto& o : objects) {
    SeriesInfo& s = series[o.series_uid];
    if (s.files++ == 0) {
      s.uid = o.series_uid;
      s.modality = o.modality;
      s.description = o.description;
      s.rows = o.pixels.rows;
      s.columns = o.pixels.columns;
      s.study_uid = o.study_uid;
    }
    s.frames += o.pixels.frames;
  }
  std::vector<SeriesInfo> out;
  for (auto& [uid, info] : series) out.push_back(std::move(info));
  return out;
}

}  // namespace

std::vector<DicomObject> scan_dicom(const fs::path& path) {
  const auto files = files_below(path);
  const bool one_file = files.size() == 1 && files[0] == path;
  dicom::initialise();
  std::vector<std::optional<DicomObject>> found(files.size());
  parallel_for(0, static_cast<int64_t>(files.size()), 8, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      const auto& file = files[static_cast<size_t>(i)];
      if (one_file || is_dicom_file(file)) {
        found[static_cast<size_t>(i)] = read_dicom_object(file);
      }
    }
  });
  std::vector<DicomObject> objects;
  for (auto& o : found) {
    if (o) objects.push_back(std::move(*o));
  }
  return objects;
}

std::vector<SeriesInfo> list_series(const fs::path& path) {
  return summarise(scan_dicom(path));
}

std::vector<DicomObject> select_dicom_series(const fs::path& path, const std::string& series_uid) {
  auto objects = scan_dicom(path);
  const std::string where = dicom::quoted_name(path.has_filename() ? path : path.parent_path());
  VOXLOOM_CHECK(!objects.empty(), ErrorCode::kNotFound, "{}: holds no DICOM images", where);
  std::string chosen = series_uid;
  if (chosen.empty()) {
    // A segmentation written beside its source does not make the choice ambiguous.
    std::vector<DicomObject> images;
    for (const auto& o : objects) {
      if (!o.is_segmentation()) images.push_back(o);
    }
    const auto series = summarise(images.empty() ? objects : images);
    VOXLOOM_CHECK(series.size() == 1,
                  ErrorCode::kInvalidArgument,
                  "{}: holds {} DICOM series, choose one by its UID:{}",
                  where,
                  series.size(),
                  series_table(series));
    chosen = series[0].uid;
  }
  const auto all = summarise(objects);
  std::erase_if(objects, [&](const DicomObject& o) { return o.series_uid != chosen; });
  VOXLOOM_CHECK(!objects.empty(),
                ErrorCode::kNotFound,
                "{}: holds no series '{}', it has:{}",
                where,
                chosen,
                series_table(all));
  return objects;
}

}  // namespace voxloom::io
