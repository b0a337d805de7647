#include "voxloom/serve/datastore/dicomweb_catalog.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "voxloom/core/error.h"
#include "voxloom/core/json_text.h"
#include "voxloom/core/log.h"

namespace voxloom::serve {
namespace {

using io::DicomJsonObject;

constexpr const char* kStudyDate = "00080020";
constexpr const char* kStudyTime = "00080030";
constexpr const char* kModality = "00080060";
constexpr const char* kReferencedSeries = "00081115";
constexpr const char* kRetrieveUrl = "00081190";
constexpr const char* kPatientId = "00100020";
constexpr const char* kStudyUid = "0020000D";
constexpr const char* kSeriesUid = "0020000E";
constexpr const char* kInstances = "00201209";
constexpr const char* kSopUid = "00080018";

// What is listed when a filter names no modality, and is no image.
bool is_image(const std::string& modality) {
  constexpr std::array kOthers = {
      "SEG", "SR", "PR", "KO", "REG", "RTSTRUCT", "RTPLAN", "RTRECORD", "DOC", "PLAN"};
  return std::find(kOthers.begin(), kOthers.end(), modality) == kOthers.end();
}

bool is_uid(const std::string& uid) {
  try {
    io::check_uid(uid, "series");
    return true;
  } catch (const Error&) {
    return false;
  }
}

io::WebFields with_fields(io::WebFields query, std::initializer_list<const char*> fields) {
  for (const char* f : fields) query.emplace_back("includefield", f);
  return query;
}

// The date and time of a data set's `date` and `time`; empty where the date lacks.
std::string moment(const DicomJsonObject& o, const char* date, const char* time) {
  const std::string day = o.text(date);
  return day.empty() ? std::string() : day + o.text(time);
}

// "label value 7" is how our own writer keeps the value of a segment.
int64_t segment_value(const DicomJsonObject& segment) {
  const int64_t number = segment.integer("00620004").value_or(0);
  constexpr std::string_view kPrefix = "label value ";
  const std::string note = segment.text("00620006");
  if (!note.starts_with(kPrefix)) return number;
  int64_t value = 0;
  const char* end = note.data() + note.size();
  const auto read = std::from_chars(note.data() + kPrefix.size(), end, value);
  return read.ec == std::errc() && read.ptr == end && value > 0 && value <= 65535 ? value : number;
}

std::vector<RemoteSegmentation> segmentations_of(const DicomJsonObject& header) {
  RemoteSegmentation base;
  base.study_uid = header.text(kStudyUid);
  base.series_uid = header.text(kSeriesUid);
  base.sop_uid = header.text(kSopUid);
  base.made = moment(header, "00080023", "00080033");                         // Content
  if (base.made.empty()) base.made = moment(header, "00080021", "00080031");  // Series
  if (base.made.empty()) base.made = moment(header, kStudyDate, kStudyTime);
  for (const DicomJsonObject& segment : header.items("00620002")) {
    base.label_info.push_back(
        {{"name", segment.text("00620005")}, {"idx", segment_value(segment)}});
  }
  std::vector<RemoteSegmentation> out;
  if (!is_uid(base.sop_uid) || !is_uid(base.study_uid) || !is_uid(base.series_uid)) return out;
  for (const DicomJsonObject& series : header.items(kReferencedSeries)) {
    base.image_series_uid = series.text(kSeriesUid);
    if (is_uid(base.image_series_uid)) out.push_back(base);
  }
  return out;
}

}  // namespace

void RemoteCatalog::add(const RemoteSegmentation& segmentation) {
  auto& list = segmentations[segmentation.image_series_uid];
  for (const RemoteSegmentation& s : list) {
    if (s.sop_uid == segmentation.sop_uid) return;
  }
  const auto place =
      std::upper_bound(list.begin(),
                       list.end(),
                       segmentation,
                       [](const RemoteSegmentation& a, const RemoteSegmentation& b) {
                         return std::pair(a.made, a.sop_uid) < std::pair(b.made, b.sop_uid);
                       });
  list.insert(place, segmentation);
}

CatalogReader::CatalogReader(std::shared_ptr<const io::DicomwebClient> client,
                             std::vector<io::WebFields> filters)
    : client_(std::move(client)), filters_(std::move(filters)) {}

RemoteCatalog CatalogReader::read(const CancelToken& stop) {
  RemoteCatalog out;
  read_images(out, stop);
  read_segmentations(out, stop);
  return out;
}

void CatalogReader::read_images(RemoteCatalog& out, const CancelToken& stop) const {
  for (const io::WebFields& filter : filters_) {
    const auto query = with_fields(
        filter, {kStudyUid, kStudyDate, kStudyTime, kPatientId, kInstances, kRetrieveUrl});
    for (const DicomJsonObject& o : client_->search_series(query, stop)) {
      RemoteSeries s;
      s.uid = o.text(kSeriesUid);
      s.study_uid = o.text(kStudyUid);
      s.modality = o.text(kModality);
      if (!is_uid(s.uid) || !is_uid(s.study_uid) || !is_image(s.modality)) continue;
      s.study_date = o.text(kStudyDate);
      s.study_time = o.text(kStudyTime);
      s.patient_id = o.text(kPatientId);
      s.retrieve_url = o.text(kRetrieveUrl);
      s.instances = std::max<int64_t>(0, o.integer(kInstances).value_or(0));
      std::string uid = s.uid;
      out.series.insert_or_assign(std::move(uid), std::move(s));
    }
  }
}

void CatalogReader::read_segmentations(RemoteCatalog& out, const CancelToken& stop) {
  const auto query = with_fields({{"Modality", "SEG"}}, {kStudyUid, kInstances});
  std::map<std::string, std::vector<RemoteSegmentation>> known;
  int64_t unreadable = 0;
  for (const DicomJsonObject& o : client_->search_series(query, stop)) {
    const std::string study = o.text(kStudyUid), series = o.text(kSeriesUid);
    if (!is_uid(study) || !is_uid(series)) continue;
    const std::string key = series + "/" + std::to_string(o.integer(kInstances).value_or(0));
    if (!known_.contains(key)) {
      std::vector<RemoteSegmentation> found;
      try {
        for (const DicomJsonObject& header : client_->metadata(study, series, "", stop)) {
          for (RemoteSegmentation& s : segmentations_of(header)) found.push_back(std::move(s));
        }
      } catch (const Error& e) {
        // One odd object must not hide all others; a server that is gone ends the read.
        if (e.code() == ErrorCode::kUnavailable || e.code() == ErrorCode::kCancelled) throw;
        ++unreadable;
      }
      known_.emplace(key, std::move(found));
    }
    known.insert(known_.extract(key));
  }
  if (unreadable > 0) {
    VOXLOOM_LOG_WARN("dicomweb: {} series of segmentations can't be read, passed over", unreadable);
  }
  known_ = std::move(known);
  for (const auto& [key, list] : known_) {
    for (const RemoteSegmentation& s : list) out.add(s);
  }
}

std::vector<io::WebFields> parse_search_filters(std::string_view json) {
  const auto fail = [](const char* got) -> Error {
    return {
        ErrorCode::kInvalidArgument,
        format(
            "search filter: must be JSON like {{\"Modality\": \"CT\"}} or a list of such, got {}",
            got)};
  };
  const JsonReading read = read_json(json);
  if (!read.error.empty()) throw fail("no JSON");
  const Json& parsed = read.value;
  const Json list = parsed.is_array() ? parsed : Json::array({parsed});
  std::vector<io::WebFields> out;
  for (const Json& object : list) {
    if (!object.is_object()) throw fail("another kind of value");
    std::vector<io::WebFields> filters(1);
    for (const auto& [key, value] : object.items()) {
      const Json values = value.is_array() ? value : Json::array({value});
      std::vector<io::WebFields> longer;
      for (const Json& v : values) {
        if (!v.is_string()) throw fail("a value that is no text");
        for (io::WebFields filter : filters) {
          filter.emplace_back(key, v.get<std::string>());
          longer.push_back(std::move(filter));
        }
      }
      filters = std::move(longer);
    }
    for (io::WebFields& filter : filters) out.push_back(std::move(filter));
  }
  if (out.empty()) throw fail("no filter");
  return out;
}

}  // namespace voxloom::serve
