#include "voxloom/io/dicomweb_client.h"

#include <algorithm>
#include <fstream>
#include <memory>
#include <random>
#include <set>

#include "voxloom/core/error.h"
#include "voxloom/io/dicom_object.h"
#include "voxloom/io/dicom_series.h"
#include "voxloom/io/multipart_related.h"

namespace voxloom::io {
namespace {

namespace fs = std::filesystem;

constexpr const char* kJsonType = "application/dicom+json";

[[noreturn]] void refuse(const std::string& place, int status) {
  ErrorCode code = ErrorCode::kUnavailable;
  const char* advice = "try again, and see its log";
  if (status == 401 || status == 403) {
    advice = "check the user and password, or the token, given for it";
  } else if (status == 404 || status == 410) {
    code = ErrorCode::kNotFound;
    advice = "check the address and the prefixes, or whether the object is there";
  } else if (status == 406 || status == 415) {
    code = ErrorCode::kUnsupported;
    advice = "it does not support this form of the request";
  } else if (status == 413) {
    code = ErrorCode::kUnsupported;
    advice = "the object is larger than it takes";
  } else if (status >= 300 && status < 400) {
    advice = "it redirects; give the address that it redirects to";
  } else if (status >= 400 && status < 500) {
    advice = "it does not accept the request; see its log";
  }
  throw Error(code, format("'{}': the DICOMweb server answered {}; {}", place, status, advice));
}

bool succeeded(int status) {
  return status >= 200 && status < 300;
}

// An answer in memory.
class TextSink : public WebSink {
 public:
  void start(const WebAnswer&) override { text.clear(); }
  void data(std::string_view bytes) override { text += bytes; }
  std::string text;
};

// Parts to numbered files; anything but a success is passed over.
class FileSink : public WebSink, private PartSink {
 public:
  FileSink(fs::path folder, const MultipartLimits& limits, uint64_t max_bytes)
      : folder_(std::move(folder)), limits_(limits), max_bytes_(max_bytes) {}

  void start(const WebAnswer& answer) override {
    parser_.reset();
    file_ = std::ofstream();
    for (const fs::path& f : files_) fs::remove(f);
    files_.clear();
    bytes_ = 0;
    if (!succeeded(answer.status)) return;
    const std::string_view type = answer.header("Content-Type");
    single_ = type.starts_with("application/dicom") && !type.starts_with("application/dicom+");
    if (single_) {
      begin_part({});
    } else {
      parser_ = std::make_unique<MultipartParser>(
          multipart_boundary(type), static_cast<PartSink&>(*this), limits_);
    }
  }

  void data(std::string_view bytes) override {
    if (parser_) {
      parser_->feed(bytes);
    } else if (single_) {
      part_data(bytes);
    }
  }

  const std::vector<fs::path>& finish() {
    if (parser_) parser_->finish();
    if (single_) end_part();
    return files_;
  }

 private:
  void begin_part(const PartHeaders& headers) override {
    const std::string_view type = part_header(headers, "content-type");
    VOXLOOM_CHECK(type.empty() || type.starts_with("application/dicom"),
                  ErrorCode::kDataCorrupt,
                  "a part must be application/dicom, got another type");
    files_.push_back(folder_ / ("part-" + std::to_string(files_.size()) + ".dcm"));
    file_ = std::ofstream(files_.back(), std::ios::binary | std::ios::trunc);
    check_file();
  }
  void part_data(std::string_view bytes) override {
    bytes_ += bytes.size();
    VOXLOOM_CHECK(bytes_ <= max_bytes_,
                  ErrorCode::kUnsupported,
                  "all objects together must have at most {} bytes",
                  max_bytes_);
    file_.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    check_file();
  }
  void end_part() override {
    file_.close();
    check_file();
  }
  void check_file() const {
    VOXLOOM_CHECK(file_.good(),
                  ErrorCode::kUnavailable,
                  "a retrieved object can't be written; is the disk full?");
  }

  fs::path folder_;
  MultipartLimits limits_;
  uint64_t max_bytes_, bytes_ = 0;
  std::unique_ptr<MultipartParser> parser_;
  bool single_ = false;
  std::vector<fs::path> files_;
  std::ofstream file_;
};

std::string new_boundary() {
  std::random_device device;
  std::string out = "voxloom-";
  for (int i = 0; i < 4; ++i) out += std::to_string(device());
  return out;
}

std::string joined(const std::string& prefix, const std::string& below) {
  std::string_view p = prefix;
  while (p.starts_with('/')) p.remove_prefix(1);
  while (p.ends_with('/')) p.remove_suffix(1);
  return p.empty() ? below : std::string(p) + "/" + below;
}

std::string series_path(const std::string& study, const std::string& series) {
  check_uid(study, "study");
  check_uid(series, "series");
  return "studies/" + study + "/series/" + series;
}

}  // namespace

void check_uid(std::string_view uid, std::string_view what) {
  VOXLOOM_CHECK(!uid.empty() && uid.size() <= 64 &&
                    uid.find_first_not_of("0123456789.") == std::string_view::npos &&
                    uid.find_first_not_of('.') != std::string_view::npos,
                ErrorCode::kDataCorrupt,
                "dicomweb: the UID of the {} must be at most 64 digits and dots",
                what);
}

DicomwebClient::DicomwebClient(DicomwebOptions options)
    : options_(std::move(options)), web_(options_.web) {
  VOXLOOM_CHECK(options_.page_size > 0,
                ErrorCode::kInvalidArgument,
                "dicomweb: a page must have at least one result, got 0");
}

std::string DicomwebClient::path(Service service, const std::string& below) const {
  switch (service) {
    case Service::kQido:
      return joined(options_.qido_prefix, below);
    case Service::kWado:
      return joined(options_.wado_prefix, below);
    case Service::kStow:
      return joined(options_.stow_prefix, below);
  }
  return below;
}

std::vector<DicomJsonObject> DicomwebClient::get_json(const std::string& at,
                                                      const WebFields& query,
                                                      const CancelToken& stop) const {
  WebRequest request{.path = at,
                     .query = query,
                     .headers = {{"Accept", kJsonType}},
                     .max_bytes = options_.max_json_bytes};
  TextSink sink;
  const WebAnswer answer = web_.send(request, sink, stop);
  if (answer.status == 204) return {};  // Nothing matches.
  if (!succeeded(answer.status)) refuse(web_.where(at), answer.status);
  if (sink.text.empty()) return {};
  try {
    return parse_dicom_json(sink.text, {.max_bytes = options_.max_json_bytes});
  } catch (const Error& e) {
    throw e.with_context("'" + web_.where(at) + "'");
  }
}

std::vector<DicomJsonObject> DicomwebClient::search(const std::string& at,
                                                    const WebFields& filters,
                                                    const CancelToken& stop) const {
  std::vector<DicomJsonObject> found;
  std::set<std::string> seen;
  while (true) {
    WebFields query = filters;
    query.emplace_back("limit", std::to_string(options_.page_size));
    query.emplace_back("offset", std::to_string(found.size()));
    std::vector<DicomJsonObject> page = get_json(at, query, stop);
    const size_t got = page.size();
    size_t fresh = 0;
    for (DicomJsonObject& o : page) {
      // Study, series and instance: what names a result at any level.
      const std::string key =
          o.text("0020000D") + "/" + o.text("0020000E") + "/" + o.text("00080018");
      if (!seen.insert(key).second) continue;
      ++fresh;
      found.push_back(std::move(o));
    }
    VOXLOOM_CHECK(found.size() <= options_.max_results,
                  ErrorCode::kUnsupported,
                  "'{}': a search must have at most {} results; narrow the filter",
                  web_.where(at),
                  options_.max_results);
    // A short page is the last one where the server keeps to the limit asked for; one that caps
    // pages gives less and has more, so go on until nothing new comes.
    if (got == 0 || fresh == 0) return found;
  }
}

std::vector<DicomJsonObject> DicomwebClient::search_studies(const WebFields& filters,
                                                            const CancelToken& stop) const {
  return search(path(Service::kQido, "studies"), filters, stop);
}

std::vector<DicomJsonObject> DicomwebClient::search_series(const WebFields& filters,
                                                           const CancelToken& stop) const {
  return search(path(Service::kQido, "series"), filters, stop);
}

std::vector<DicomJsonObject> DicomwebClient::search_instances(const std::string& study,
                                                              const std::string& series,
                                                              const CancelToken& stop) const {
  return search(path(Service::kQido, series_path(study, series) + "/instances"), {}, stop);
}

std::vector<DicomJsonObject> DicomwebClient::metadata(const std::string& study,
                                                      const std::string& series,
                                                      const std::string& instance,
                                                      const CancelToken& stop) const {
  std::string below = series_path(study, series);
  if (!instance.empty()) {
    check_uid(instance, "instance");
    below += "/instances/" + instance;
  }
  return get_json(path(Service::kWado, below + "/metadata"), {}, stop);
}

// To "part-N.dcm" in `folder`.
uint64_t DicomwebClient::retrieve(const std::string& at,
                                  const fs::path& folder,
                                  uint64_t max_objects,
                                  const CancelToken& stop) const {
  // As stored: nothing is lost by another compression. Every transfer syntax is read here.
  WebRequest request{
      .path = at,
      .headers = {{"Accept", "multipart/related; type=\"application/dicom\"; transfer-syntax=*"}},
      .max_bytes = options_.max_series_bytes + (uint64_t{64} << 20)};
  FileSink sink(folder,
                {.max_part_bytes = options_.max_instance_bytes, .max_parts = max_objects},
                options_.max_series_bytes);
  const WebAnswer answer = web_.send(request, sink, stop);
  if (!succeeded(answer.status)) refuse(web_.where(at), answer.status);
  try {
    return sink.finish().size();
  } catch (const Error& e) {
    throw e.with_context("'" + web_.where(at) + "'");
  }
}

uint64_t DicomwebClient::retrieve_series(const std::string& study,
                                         const std::string& series,
                                         const fs::path& folder,
                                         const CancelToken& stop) const {
  const std::string at = path(Service::kWado, series_path(study, series));
  const uint64_t count = retrieve(at, folder, options_.max_series_instances, stop);
  VOXLOOM_CHECK(count > 0, ErrorCode::kDataCorrupt, "'{}': the series is empty", web_.where(at));
  for (uint64_t i = 0; i < count; ++i) {
    stop.check();
    const fs::path part = folder / ("part-" + std::to_string(i) + ".dcm");
    VOXLOOM_CHECK(is_dicom_file(part),
                  ErrorCode::kDataCorrupt,
                  "'{}': every object must be DICOM, object {} of {} is not",
                  web_.where(at),
                  i + 1,
                  count);
    const auto object = read_dicom_object(part);
    if (!object) continue;  // No pixels: nothing names it, and the reader passes over it.
    VOXLOOM_CHECK(object->series_uid == series,
                  ErrorCode::kDataCorrupt,
                  "'{}': every object must be of the series asked for, object {} of {} is not",
                  web_.where(at),
                  i + 1,
                  count);
    check_uid(object->sop_instance_uid, "instance");
    fs::rename(part, folder / (object->sop_instance_uid + ".dcm"));
  }
  return count;
}

void DicomwebClient::retrieve_instance(const std::string& study,
                                       const std::string& series,
                                       const std::string& instance,
                                       const fs::path& file,
                                       const CancelToken& stop) const {
  check_uid(instance, "instance");
  const std::string at =
      path(Service::kWado, series_path(study, series) + "/instances/" + instance);
  fs::path folder = file;
  folder += ".part";
  fs::remove_all(folder);
  fs::create_directory(folder);
  try {
    const uint64_t count = retrieve(at, folder, 1, stop);
    const fs::path part = folder / "part-0.dcm";
    VOXLOOM_CHECK(count == 1 && is_dicom_file(part),
                  ErrorCode::kDataCorrupt,
                  "'{}': the answer must be one DICOM object",
                  web_.where(at));
    fs::rename(part, file);
  } catch (...) {
    std::error_code ignored;
    fs::remove_all(folder, ignored);
    throw;
  }
  fs::remove_all(folder);
}

StowResult DicomwebClient::store(const std::vector<fs::path>& files,
                                 const CancelToken& stop) const {
  const std::string at = path(Service::kStow, "studies");
  const std::string boundary = new_boundary();
  WebRequest request{
      .method = "POST",
      .path = at,
      .headers = {{"Accept", kJsonType},
                  {"Content-Type",
                   "multipart/related; type=\"application/dicom\"; boundary=" + boundary}},
      .max_bytes = options_.max_json_bytes};
  for (const fs::path& file : files) {
    VOXLOOM_CHECK(is_dicom_file(file),
                  ErrorCode::kInvalidArgument,
                  "dicomweb: only DICOM files can be stored, '{}' is none",
                  file.filename().string());
    request.body.push_back({"--" + boundary + "\r\nContent-Type: application/dicom\r\n\r\n", {}});
    request.body.push_back({{}, file});
    request.body.push_back({"\r\n", {}});
  }
  request.body.push_back({"--" + boundary + "--\r\n", {}});
  TextSink sink;
  const WebAnswer answer = web_.send(request, sink, stop);
  // 202: some were refused; 409: all were. The body says which.
  if (!succeeded(answer.status) && answer.status != 409) refuse(web_.where(at), answer.status);
  StowResult result;
  std::vector<DicomJsonObject> said;
  try {
    if (!sink.text.empty()) said = parse_dicom_json(sink.text);
  } catch (const Error& e) {
    throw e.with_context("'" + web_.where(at) + "'");
  }
  for (const DicomJsonObject& o : said) {
    for (const DicomJsonObject& item : o.items("00081199")) {  // ReferencedSOPSequence
      result.stored.push_back(item.text("00081155"));
    }
    for (const DicomJsonObject& item : o.items("00081198")) {  // FailedSOPSequence
      result.failed.push_back({item.text("00081155"), item.integer("00081197").value_or(0)});
    }
  }
  if (answer.status == 409 && result.failed.empty()) refuse(web_.where(at), answer.status);
  return result;
}

}  // namespace voxloom::io
