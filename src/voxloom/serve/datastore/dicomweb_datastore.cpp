#include "voxloom/serve/datastore/dicomweb_datastore.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <utility>

#include <unistd.h>

#include "voxloom/core/error.h"
#include "voxloom/core/log.h"
#include "voxloom/io/dicom_object.h"
#include "voxloom/io/dicom_seg.h"
#include "voxloom/io/dicom_series.h"
#include "voxloom/io/volume_io.h"
#include "voxloom/serve/datastore/label_check.h"
#include "voxloom/serve/datastore/label_info.h"

namespace voxloom::serve {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr const char* kSegExt = ".nii.gz";
// How long a segmentation of ours is shown although the server does not list it (some index late).
constexpr std::chrono::seconds kIndexTime{60};

// Local time, as DICOM's dates are.
std::string moment_now() {
  std::timespec now{};
  std::timespec_get(&now, TIME_UTC);
  std::tm parts{};
  ::localtime_r(&now.tv_sec, &parts);
  std::array<char, 40> text{};
  const size_t length = std::strftime(text.data(), text.size(), "%Y%m%d%H%M%S", &parts);
  std::snprintf(
      text.data() + length, text.size() - length, ".%06ld", static_cast<long>(now.tv_nsec / 1000));
  return text.data();
}

std::string or_unknown(const std::string& text) {
  return text.empty() ? "UNK" : text;
}

DicomwebStoreOptions checked(DicomwebStoreOptions options) {
  VOXLOOM_CHECK(!options.cache.empty(),
                ErrorCode::kInvalidArgument,
                "dicomweb: the cache must be a folder, got nothing");
  VOXLOOM_CHECK(!options.filters.empty(),
                ErrorCode::kInvalidArgument,
                "dicomweb: there must be at least one search filter");
  VOXLOOM_CHECK(options.refresh_every.count() > 0,
                ErrorCode::kInvalidArgument,
                "dicomweb: the list must be refreshed after more than 0 ms, got {}",
                options.refresh_every.count());
  return options;
}

// A file of its own that goes away again; after a crash, the cache of that folder removes it.
class Scratch {
 public:
  Scratch(const fs::path& folder, const std::string& suffix) {
    static std::atomic<uint64_t> counter{0};
    path_ = folder / (".fetch-" + std::to_string(::getpid()) + "-scratch-" +
                      std::to_string(++counter) + suffix);
  }
  ~Scratch() {
    std::error_code ignored;
    fs::remove(path_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

// The label map in `file`, on exactly the grid of its series: the check allows for what a file in
// single precision loses. The header is looked at before a voxel is read.
image::LabelVolume read_label_on(const image::Geometry& grid, const fs::path& file) {
  if (io::is_dicom_file(file)) return io::read_dicom_seg(file, &grid);
  check_label_grid(io::open_volume(file)->geometry(), grid, 0.1);
  const image::LabelVolume given = io::read_labels(file);
  image::LabelVolume labels(grid);
  std::copy(given.voxels().begin(), given.voxels().end(), labels.voxels().begin());
  labels.labels = given.labels;
  return labels;
}

}  // namespace

DicomwebDatastore::DicomwebDatastore(DicomwebStoreOptions options)
    : options_(checked(std::move(options))),
      client_(std::make_shared<const io::DicomwebClient>(options_.server)),
      local_(options_.cache),
      images_({options_.cache / "series", options_.cache_bytes, options_.keep_recent}),
      segmentations_(
          {options_.cache / "segmentations", options_.cache_bytes / 20, options_.keep_recent}),
      reader_(client_, options_.filters) {
  try {
    refresh();
  } catch (const Error& e) {
    VOXLOOM_LOG_WARN("dicomweb: the server can't be asked yet ({}); trying again",
                     error_code_name(e.code()));
  }
  thread_ = std::thread([this] { run(); });
}

DicomwebDatastore::~DicomwebDatastore() {
  closing_.cancel();
  {
    const std::lock_guard lock(mutex_);
    asked_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void DicomwebDatastore::run() {
  bool was_connected = connected();
  while (!closing_.cancelled()) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, options_.refresh_every, [&] { return asked_; });
      asked_ = false;
    }
    if (closing_.cancelled()) return;
    try {
      refresh();
    } catch (const std::exception&) {
      // Kept in failure_; told to whoever asks for what needs the server.
    }
    const bool now_connected = connected();
    if (was_connected && !now_connected && !closing_.cancelled()) {
      VOXLOOM_LOG_WARN("dicomweb: the server does not answer; trying again every {} ms",
                       options_.refresh_every.count());
    }
    if (!was_connected && now_connected) VOXLOOM_LOG_INFO("dicomweb: the server answers");
    was_connected = now_connected;
  }
}

void DicomwebDatastore::refresh() {
  const std::lock_guard reading(reading_);
  const auto began = Clock::now();
  try {
    RemoteCatalog fresh = reader_.read(closing_);
    const std::lock_guard lock(mutex_);
    failure_.clear();
    // What we stored meanwhile, and what the server may not have indexed yet, stays in view.
    std::erase_if(own_, [&](const Own& own) {
      const auto& list = fresh.segmentations[own.segmentation.image_series_uid];
      const bool listed = std::any_of(list.begin(), list.end(), [&](const RemoteSegmentation& s) {
        return s.sop_uid == own.segmentation.sop_uid;
      });
      if (!listed) fresh.add(own.segmentation);
      return listed || began - own.stored > kIndexTime;
    });
    show(std::move(fresh));
  } catch (const std::exception& e) {
    const std::lock_guard lock(mutex_);
    failure_ = e.what();
    throw;
  }
}

// With mutex_ held.
void DicomwebDatastore::show(RemoteCatalog fresh) {
  std::erase_if(fresh.segmentations, [](const auto& entry) { return entry.second.empty(); });
  if (catalog_ != nullptr && *catalog_ == fresh) return;
  catalog_ = std::make_shared<const RemoteCatalog>(std::move(fresh));
  ++revision_;
}

bool DicomwebDatastore::connected() const {
  const std::lock_guard lock(mutex_);
  return failure_.empty();
}

DicomwebDatastore::CatalogPointer DicomwebDatastore::catalog() const {
  const std::lock_guard lock(mutex_);
  VOXLOOM_CHECK(catalog_ != nullptr,
                ErrorCode::kUnavailable,
                "dicomweb: the list of images must have been read once, so far: {}",
                failure_);
  return catalog_;
}

RemoteSeries DicomwebDatastore::series(std::string_view id) const {
  const CatalogPointer list = catalog();
  const auto found = list->series.find(id);
  VOXLOOM_CHECK(found != list->series.end(),
                ErrorCode::kNotFound,
                "image '{}' is not on the DICOMweb server",
                id);
  return found->second;
}

const RemoteSegmentation* DicomwebDatastore::newest(const RemoteCatalog& list,
                                                    std::string_view id) const {
  const auto found = list.segmentations.find(id);
  return found == list.segmentations.end() || found->second.empty() ? nullptr
                                                                    : &found->second.back();
}

DatastoreStats DicomwebDatastore::stats() const {
  const CatalogPointer list = catalog();
  DatastoreStats out;
  out.total = static_cast<int64_t>(list->series.size());
  std::map<std::string, int64_t> tags;
  for (const auto& [uid, s] : list->series) {
    if (newest(*list, uid) != nullptr) {
      ++out.completed;
      ++tags[kFinalTag];
    }
    for (const LabelRecord& label : local_.labels(uid)) {
      if (label.tag != kFinalTag) ++tags[label.tag];
    }
  }
  out.label_tags.assign(tags.begin(), tags.end());
  return out;
}

std::vector<std::string> DicomwebDatastore::image_ids() const {
  const CatalogPointer list = catalog();
  std::vector<std::string> out;
  out.reserve(list->series.size());
  for (const auto& [uid, s] : list->series) out.push_back(uid);
  return out;
}

std::optional<ImageRecord> DicomwebDatastore::find(std::string_view id) const {
  const CatalogPointer list = catalog();
  const auto found = list->series.find(id);
  if (found == list->series.end()) return std::nullopt;
  return record(*list, found->second);
}

// What was said when it was saved here, or what the object itself says.
Json DicomwebDatastore::final_info(std::string_view id, const RemoteSegmentation& s) const {
  Json info = local_.label_info(id, kFinalTag);
  if (info.value("SeriesInstanceUID", "") == s.series_uid) return info;
  return {{"label_info", s.label_info},
          {"SeriesInstanceUID", s.series_uid},
          {"StudyInstanceUID", s.study_uid},
          {"Modality", "SEG"},
          {"name", std::string(id) + kSegExt}};
}

ImageRecord DicomwebDatastore::record(const RemoteCatalog& list, const RemoteSeries& s) const {
  ImageRecord out{.id = s.uid, .ext = ""};
  out.info = {{"SeriesInstanceUID", s.uid},
              {"StudyInstanceUID", or_unknown(s.study_uid)},
              {"StudyDate", or_unknown(s.study_date)},
              {"StudyTime", or_unknown(s.study_time)},
              {"Modality", or_unknown(s.modality)},
              {"RetrieveURL", or_unknown(s.retrieve_url)},
              {"PatientID", or_unknown(s.patient_id)},
              {"name", s.uid}};
  out.info.update(local_.image_info(s.uid));
  out.labels = local_.labels(s.uid);
  std::erase_if(out.labels, [](const LabelRecord& l) { return l.tag == kFinalTag; });
  if (const RemoteSegmentation* seg = newest(list, s.uid)) {
    out.labels.push_back({kFinalTag, kSegExt, final_info(s.uid, *seg)});
    std::sort(out.labels.begin(), out.labels.end(), [](const auto& a, const auto& b) {
      return a.tag < b.tag;
    });
  }
  return out;
}

Json DicomwebDatastore::document() const {
  const CatalogPointer list = catalog();
  Json objects = Json::object();
  for (const auto& [uid, s] : list->series) {
    ImageRecord r = record(*list, s);
    Json labels = Json::object();
    for (LabelRecord& l : r.labels) {
      labels[l.tag] = {{"ext", l.ext}, {"info", std::move(l.info)}};
    }
    objects[uid] = {{"image", {{"ext", r.ext}, {"info", std::move(r.info)}}},
                    {"labels", std::move(labels)}};
  }
  return {{"name", options_.name},
          {"description", options_.description},
          {"images_dir", "."},
          {"labels_dir", "labels"},
          {"objects", std::move(objects)}};
}

uint64_t DicomwebDatastore::revision() const {
  return revision_;
}

fs::path DicomwebDatastore::image_path(std::string_view id, const CancelToken& stop) {
  const RemoteSeries s = series(id);
  return images_.get(s.uid, static_cast<uint64_t>(s.instances), stop, [&](const fs::path& folder) {
    fs::create_directory(folder);
    client_->retrieve_series(s.study_uid, s.uid, folder, stop);
  });
}

fs::path DicomwebDatastore::label_path(std::string_view id, std::string_view tag) {
  check_name(tag, "tag");
  const CatalogPointer list = catalog();
  if (tag != kFinalTag) {
    static_cast<void>(series(id));
    return local_.label_path(id, tag);
  }
  const RemoteSegmentation* s = newest(*list, id);
  VOXLOOM_CHECK(s != nullptr && list->series.contains(id),
                ErrorCode::kNotFound,
                "image '{}' has no label '{}'",
                id,
                tag);
  return segmentation_path(std::string(id), *s);
}

fs::path DicomwebDatastore::segmentation_path(const std::string& id, const RemoteSegmentation& s) {
  return segmentations_.get(s.sop_uid + kSegExt, 0, closing_, [&](const fs::path& out) {
    const fs::path image = image_path(id, closing_);
    const Scratch object(options_.cache / "segmentations", ".dcm");
    client_->retrieve_instance(s.study_uid, s.series_uid, s.sop_uid, object.path(), closing_);
    const image::Geometry grid = io::open_dicom_series(image, id)->geometry();
    io::write_labels(io::read_dicom_seg(object.path(), &grid), out, Overwrite::kReplace);
  });
}

std::string DicomwebDatastore::add_image(const fs::path& file,
                                         std::string_view id,
                                         std::string_view,
                                         const Json& info) {
  VOXLOOM_CHECK(io::is_dicom_file(file),
                ErrorCode::kInvalidArgument,
                "image: a DICOMweb server takes DICOM files only");
  const auto object = io::read_dicom_object(file);
  VOXLOOM_CHECK(object.has_value() && !object->is_segmentation(),
                ErrorCode::kInvalidArgument,
                "image: the DICOM file must hold an image");
  VOXLOOM_CHECK(id.empty() || id == object->series_uid,
                ErrorCode::kInvalidArgument,
                "image: its id must be its SeriesInstanceUID or left out");
  const io::StowResult result = client_->store({file}, closing_);
  VOXLOOM_CHECK(result.failed.empty() && result.stored.size() == 1,
                ErrorCode::kUnavailable,
                "image: the DICOMweb server did not store it (reason {})",
                result.failed.empty() ? 0 : result.failed.front().reason);
  if (!info.empty()) local_.merge_image_info(object->series_uid, info);
  refresh();
  std::error_code ignored;
  fs::remove(file, ignored);
  return object->series_uid;
}

void DicomwebDatastore::remove_image(std::string_view id) {
  static_cast<void>(series(id));
  throw Error(ErrorCode::kUnsupported,
              "image: a series on a DICOMweb server can't be removed from here; remove it there");
}

void DicomwebDatastore::update_image_info(std::string_view id, const Json& info) {
  local_.merge_image_info(series(id).uid, info);
  ++revision_;
}

void DicomwebDatastore::save_label(std::string_view id,
                                   std::string_view tag,
                                   const fs::path& file,
                                   std::string_view file_name,
                                   const Json& info) {
  check_name(tag, "tag");
  const RemoteSeries s = series(id);
  Json stored = info;
  stored["ts"] = static_cast<int64_t>(std::time(nullptr));
  if (tag == kFinalTag) {
    stored["name"] = s.uid + kSegExt;
    save_final(s, file, stored);
    std::error_code ignored;
    fs::remove(file, ignored);
    return;
  }
  const std::string ext = label_suffix(file_name);
  stored["name"] = s.uid + ext;
  check_label(s, file);
  local_.save(s.uid, tag, file, ext, stored);
  ++revision_;
}

void DicomwebDatastore::check_label(const RemoteSeries& s, const fs::path& file) {
  const fs::path image = image_path(s.uid, closing_);
  static_cast<void>(read_label_on(io::open_dicom_series(image, s.uid)->geometry(), file));
}

void DicomwebDatastore::save_final(const RemoteSeries& s, const fs::path& file, const Json& info) {
  const fs::path image = image_path(s.uid, closing_);
  image::LabelVolume labels = read_label_on(io::open_dicom_series(image, s.uid)->geometry(), file);
  const io::SegOptions seg = seg_options(info, labels);
  const Scratch object(options_.cache / "segmentations", ".dcm");
  io::write_dicom_seg(labels, image, s.uid, object.path(), Overwrite::kReplace, seg);
  const auto header = io::read_dicom_object(object.path());
  VOXLOOM_CHECK(
      header.has_value(), ErrorCode::kInternal, "label: the segmentation is not readable");

  const io::StowResult result = client_->store({object.path()}, closing_);
  const bool stored =
      result.failed.empty() &&
      std::find(result.stored.begin(), result.stored.end(), header->sop_instance_uid) !=
          result.stored.end();
  VOXLOOM_CHECK(stored,
                ErrorCode::kUnavailable,
                "label: the DICOMweb server did not store the segmentation (reason {}); it is not "
                "saved",
                result.failed.empty() ? 0 : result.failed.front().reason);

  RemoteSegmentation own{.image_series_uid = s.uid,
                         .study_uid = s.study_uid,
                         .series_uid = header->series_uid,
                         .sop_uid = header->sop_instance_uid,
                         .made = moment_now()};
  Json kept = info;
  kept["SeriesInstanceUID"] = own.series_uid;
  kept["StudyInstanceUID"] = own.study_uid;
  kept["Modality"] = "SEG";
  kept["PatientID"] = or_unknown(s.patient_id);
  local_.set_label_info(s.uid, kFinalTag, kept);
  {
    const std::lock_guard lock(mutex_);
    own_.push_back({own, Clock::now()});
    if (catalog_ != nullptr) {
      RemoteCatalog next = *catalog_;
      next.add(own);
      show(std::move(next));
    }
    ++revision_;
    asked_ = true;
  }
  wake_.notify_all();
}

void DicomwebDatastore::remove_label(std::string_view id, std::string_view tag) {
  check_name(tag, "tag");
  const RemoteSeries s = series(id);
  VOXLOOM_CHECK(tag != kFinalTag,
                ErrorCode::kUnsupported,
                "label: a segmentation on a DICOMweb server can't be removed from here; remove it "
                "there");
  if (local_.remove(s.uid, tag)) ++revision_;
}

void DicomwebDatastore::update_label_info(std::string_view id,
                                          std::string_view tag,
                                          const Json& info) {
  check_name(tag, "tag");
  const auto image = find(id);
  const LabelRecord* label = image ? image->label(tag) : nullptr;
  VOXLOOM_CHECK(label != nullptr, ErrorCode::kNotFound, "image '{}' has no label '{}'", id, tag);
  Json merged = label->info;
  merged.update(info);
  local_.set_label_info(id, tag, merged);
  ++revision_;
}

}  // namespace voxloom::serve
