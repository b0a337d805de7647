// The DICOMweb client, datastore and proxy against a real server (Orthanc).
#include <algorithm>
#include <fstream>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/error.h"
#include "voxloom/io/dicom_seg.h"
#include "voxloom/io/dicom_series.h"
#include "voxloom/io/volume_io.h"
#include "voxloom/serve/datastore/dicom_proxy.h"
#include "voxloom/serve/datastore/dicomweb_datastore.h"

#include "orthanc_process.h"

using namespace voxloom;         // NOLINT(*-using-namespace)
using namespace voxloom::serve;  // NOLINT(*-using-namespace)
namespace fs = std::filesystem;
using test::OrthancProcess;
using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::HasSubstr;
using testing::Not;

namespace {

const fs::path kExample = fs::path(VOXLOOM_SOURCE_DIR) / "examples" / "vs_mr_dicom";

std::vector<fs::path> example_files() {
  std::vector<fs::path> out;
  for (const auto& e : fs::directory_iterator(kExample)) {
    if (e.path().extension() == ".dcm") out.push_back(e.path());
  }
  std::sort(out.begin(), out.end());
  return out;
}

template <class Work>
Error error_of(Work&& work) {
  try {
    work();
  } catch (const Error& e) {
    return e;
  }
  ADD_FAILURE() << "nothing was thrown";
  return {ErrorCode::kInternal, ""};
}

// True once `good` is; false when it is not within a minute.
bool becomes(const std::function<bool()>& good) {
  for (int i = 0; i < 3000; ++i) {
    if (good()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return false;
}

class DicomwebTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!OrthancProcess::installed()) {
      GTEST_SKIP() << "needs Orthanc with its DICOMweb plugin (packages orthanc, "
                      "orthanc-dicomweb)";
    }
    std::string pattern = (fs::temp_directory_path() / "voxloom-dicomweb-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    orthanc_ = std::make_unique<OrthancProcess>(folder_ / "orthanc");
    const auto series = io::list_series(kExample);
    ASSERT_EQ(series.size(), 1U);
    uid_ = series[0].uid;
  }
  void TearDown() override {
    orthanc_.reset();
    if (!folder_.empty()) fs::remove_all(folder_);
  }

  io::DicomwebOptions server() const {
    io::DicomwebOptions options;
    options.web.base_url = orthanc_->address();
    options.web.user = OrthancProcess::kUser;
    options.web.password = OrthancProcess::kPassword;
    options.web.first_pause = std::chrono::milliseconds(10);
    options.page_size = 10;
    return options;
  }
  std::unique_ptr<DicomwebDatastore> store(const std::string& cache = "cache") const {
    DicomwebStoreOptions options;
    options.server = server();
    options.cache = folder_ / cache;
    options.refresh_every = std::chrono::milliseconds(200);
    return std::make_unique<DicomwebDatastore>(std::move(options));
  }
  void upload_example() const {
    const auto result = io::DicomwebClient(server()).store(example_files(), stop_);
    ASSERT_EQ(result.stored.size(), example_files().size());
    ASSERT_TRUE(result.failed.empty());
  }
  // A label map on the example's grid, as a client would send it.
  image::LabelVolume make_label(uint16_t value, size_t from) const {
    image::LabelVolume label(io::open_dicom_series(kExample)->geometry());
    for (size_t i = from; i < label.voxels().size(); i += 97) label.voxels()[i] = value;
    return label;
  }
  fs::path label_file(const image::LabelVolume& label, const std::string& name) const {
    io::write_labels(label, folder_ / name, Overwrite::kReplace);
    return folder_ / name;
  }

  fs::path folder_;
  std::unique_ptr<OrthancProcess> orthanc_;
  std::string uid_;
  CancelToken stop_;
};

}  // namespace

TEST_F(DicomwebTest, WhatIsStoredIsFoundAndRetrievedUnchanged) {
  const io::DicomwebClient client(server());
  EXPECT_TRUE(client.search_series({{"Modality", "MR"}}, stop_).empty());
  upload_example();
  EXPECT_TRUE(client.search_series({{"Modality", "CT"}}, stop_).empty());
  const auto found = client.search_series({{"Modality", "MR"}}, stop_);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].text("0020000E"), uid_);
  const std::string study = found[0].text("0020000D");
  ASSERT_EQ(client.search_studies({}, stop_).size(), 1U);
  // 32 objects in pages of ten.
  const auto instances = client.search_instances(study, uid_, stop_);
  EXPECT_EQ(instances.size(), example_files().size());

  fs::create_directory(folder_ / "series");
  EXPECT_EQ(client.retrieve_series(study, uid_, folder_ / "series", stop_), instances.size());
  std::set<std::string> names, wanted;
  for (const auto& e : fs::directory_iterator(folder_ / "series")) {
    names.insert(e.path().filename().string());
  }
  for (const auto& i : instances) wanted.insert(i.text("00080018") + ".dcm");
  EXPECT_EQ(names, wanted);
  const image::Volume local = io::read_volume(kExample);
  const image::Volume remote = io::read_volume(folder_ / "series");
  EXPECT_EQ(remote.geometry(), local.geometry());
  EXPECT_THAT(remote.bytes(), ElementsAreArray(local.bytes()));

  const std::string sop = instances[0].text("00080018");
  client.retrieve_instance(study, uid_, sop, folder_ / "one.dcm", stop_);
  EXPECT_TRUE(io::is_dicom_file(folder_ / "one.dcm"));
  const auto header = client.metadata(study, uid_, sop, stop_);
  ASSERT_EQ(header.size(), 1U);
  EXPECT_EQ(header[0].text("00080018"), sop);
}

TEST_F(DicomwebTest, FailuresSayStatusAndWhatToDo) {
  upload_example();
  auto options = server();
  options.web.password = "wrong";
  const Error refused =
      error_of([&] { static_cast<void>(io::DicomwebClient(options).search_series({}, stop_)); });
  EXPECT_EQ(refused.code(), ErrorCode::kUnavailable);
  EXPECT_THAT(refused.what(), HasSubstr("answered 401; check the user and password"));
  EXPECT_THAT(refused.what(), Not(HasSubstr("wrong")));

  const io::DicomwebClient client(server());
  fs::create_directory(folder_ / "none");
  EXPECT_EQ(error_of([&] { client.retrieve_series("1.2", "3.4", folder_ / "none", stop_); }).code(),
            ErrorCode::kNotFound);
  EXPECT_EQ(
      error_of([&] { client.retrieve_series("1.2", "../../x", folder_ / "none", stop_); }).code(),
      ErrorCode::kDataCorrupt);
  std::ofstream(folder_ / "text") << "no DICOM at all";
  EXPECT_EQ(error_of([&] { client.store({folder_ / "text"}, stop_); }).code(),
            ErrorCode::kInvalidArgument);
  // Starts as DICOM does, but is cut: the server says so.
  std::string cut = read_text_file(example_files()[0]);
  cut.resize(200);
  std::ofstream(folder_ / "cut.dcm", std::ios::binary) << cut;
  EXPECT_THROW(
      {
        const auto result = client.store({folder_ / "cut.dcm"}, stop_);
        if (!result.failed.empty()) throw Error(ErrorCode::kUnavailable, "refused");
      },
      Error);
  options = server();
  options.max_series_bytes = 100000;
  const std::string study = client.search_series({}, stop_).at(0).text("0020000D");
  EXPECT_EQ(error_of([&] {
              io::DicomwebClient(options).retrieve_series(study, uid_, folder_ / "none", stop_);
            }).code(),
            ErrorCode::kUnsupported);
}

TEST_F(DicomwebTest, ACancelledRetrieveStops) {
  upload_example();
  const io::DicomwebClient client(server());
  const std::string study = client.search_series({}, stop_).at(0).text("0020000D");
  fs::create_directory(folder_ / "series");
  const CancelToken stop;
  stop.cancel();
  EXPECT_EQ(error_of([&] { client.retrieve_series(study, uid_, folder_ / "series", stop); }).code(),
            ErrorCode::kCancelled);
}

TEST_F(DicomwebTest, ARequestIsCancelledWhileItsAnswerArrives) {
  upload_example();
  const io::DicomwebClient client(server());
  struct Sink : io::WebSink {
    void start(const io::WebAnswer&) override {}
    void data(std::string_view bytes) override {
      seen += bytes.size();
      stop.cancel();
    }
    size_t seen = 0;
    CancelToken stop;
  } sink;
  EXPECT_EQ(error_of([&] { client.web().send({.path = "instances"}, sink, sink.stop); }).code(),
            ErrorCode::kCancelled);
  EXPECT_GT(sink.seen, 0U);
  EXPECT_LT(sink.seen, 20000U);  // One piece of it.
}

TEST_F(DicomwebTest, SeriesAreTheImages) {
  upload_example();
  const auto images = store();
  EXPECT_THAT(images->image_ids(), ElementsAre(uid_));
  const auto record = images->find(uid_);
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->ext, "");
  EXPECT_FALSE(record->completed());
  EXPECT_EQ(record->info["SeriesInstanceUID"], uid_);
  EXPECT_EQ(record->info["StudyDate"], "19940904");
  EXPECT_EQ(record->info["Modality"], "MR");
  EXPECT_THAT(record->info["StudyInstanceUID"].get<std::string>(), HasSubstr("1.3.6.1.4.1"));
  EXPECT_THAT(record->info["RetrieveURL"].get<std::string>(), HasSubstr(uid_));
  EXPECT_FALSE(images->find("1.2.3").has_value());
  const fs::path path = images->image_path(uid_, stop_);
  EXPECT_EQ(path, images->image_path(uid_, stop_));
  EXPECT_THAT(io::read_volume(path).bytes(), ElementsAreArray(io::read_volume(kExample).bytes()));
  EXPECT_EQ(error_of([&] { static_cast<void>(images->image_path("1.2.3", stop_)); }).code(),
            ErrorCode::kNotFound);
  EXPECT_EQ(images->stats().total, 1);
  EXPECT_EQ(images->stats().completed, 0);
}

TEST_F(DicomwebTest, ManyCallersFetchASeriesOnce) {
  upload_example();
  const auto images = store();
  std::vector<std::thread> threads;
  std::vector<fs::path> paths(6);
  for (auto& path : paths) {
    threads.emplace_back([&] { path = images->image_path(uid_, stop_); });
  }
  for (auto& t : threads) t.join();
  for (const auto& path : paths) EXPECT_EQ(path, paths[0]);
  EXPECT_EQ(io::list_series(paths[0]).at(0).files, 32);
}

TEST_F(DicomwebTest, ASubmittedLabelIsASegmentationOnTheServerAtOnce) {
  upload_example();
  const auto images = store();
  const image::LabelVolume label = make_label(3, 5);
  const Json info = {{"model", "SAM"},
                     {"label_info", {{{"name", "tumour"}, {"idx", 3}, {"color", {255, 0, 0}}}}}};
  const uint64_t before = images->revision();
  images->save_label(uid_, kFinalTag, label_file(label, "label.nii.gz"), "label.nii.gz", info);
  EXPECT_FALSE(fs::exists(folder_ / "label.nii.gz"));
  EXPECT_EQ(images->stats().completed, 1);
  EXPECT_THAT(images->stats().label_tags, ElementsAre(std::pair<std::string, int64_t>("final", 1)));
  EXPECT_GT(images->revision(), before);
  const auto record = images->find(uid_);
  ASSERT_TRUE(record->completed());
  EXPECT_EQ(record->label(kFinalTag)->info["model"], "SAM");
  EXPECT_EQ(record->label(kFinalTag)->info["Modality"], "SEG");
  EXPECT_THAT(io::read_labels(images->label_path(uid_, kFinalTag)).voxels(),
              ElementsAreArray(label.voxels()));

  // Somebody else, with nothing but the server.
  const auto other = store("other");
  EXPECT_EQ(other->stats().completed, 1);
  EXPECT_EQ(other->find(uid_)->label(kFinalTag)->info["label_info"],
            Json::parse(R"([{"name": "tumour", "idx": 3}])"));
  const image::LabelVolume back = io::read_labels(other->label_path(uid_, kFinalTag));
  EXPECT_TRUE(image::same_grid(back.geometry(), label.geometry(), 1e-2));
  EXPECT_THAT(back.voxels(), ElementsAreArray(label.voxels()));

  // A second label takes the place of the first, here at once, there within a moment.
  const image::LabelVolume second = make_label(2, 11);
  images->save_label(uid_, kFinalTag, label_file(second, "l.nrrd"), "l.nrrd", Json::object());
  EXPECT_THAT(io::read_labels(images->label_path(uid_, kFinalTag)).voxels(),
              ElementsAreArray(second.voxels()));
  EXPECT_EQ(images->stats().completed, 1);
  EXPECT_TRUE(becomes(
      [&] { return other->find(uid_)->label(kFinalTag)->info["label_info"][0]["idx"] == 2; }));
  EXPECT_THAT(io::read_labels(other->label_path(uid_, kFinalTag)).voxels(),
              ElementsAreArray(second.voxels()));
  images->refresh();
  EXPECT_THAT(io::read_labels(images->label_path(uid_, kFinalTag)).voxels(),
              ElementsAreArray(second.voxels()));
}

TEST_F(DicomwebTest, WhatIsNoLabelOfTheImageIsRefusedAndNothingStored) {
  upload_example();
  const auto images = store();
  const auto refused = [&](const fs::path& file, const std::string& tag) {
    const ErrorCode code =
        error_of([&] {
          images->save_label(uid_, tag, file, file.filename().string(), Json::object());
        }).code();
    return code == ErrorCode::kInvalidArgument || code == ErrorCode::kDataCorrupt ||
           code == ErrorCode::kUnsupported;
  };
  image::Geometry grid = io::open_dicom_series(kExample)->geometry();
  for (const std::string tag : {"final", "original"}) {
    std::ofstream(folder_ / "abc.nii.gz") << "abc";
    EXPECT_TRUE(refused(folder_ / "abc.nii.gz", tag));
    image::Geometry smaller = grid;
    --smaller.size[0];
    EXPECT_TRUE(refused(label_file(image::LabelVolume(smaller), "size.nii.gz"), tag));
    image::Geometry moved = grid;
    moved.origin_mm[2] += 5;
    EXPECT_TRUE(refused(label_file(image::LabelVolume(moved), "moved.nii.gz"), tag));
  }
  EXPECT_TRUE(refused(label_file(image::LabelVolume(grid), "empty.nii.gz"), "final"));
  EXPECT_TRUE(refused(label_file(make_label(1, 0), "good.nii.gz"), "../up"));
  EXPECT_EQ(error_of([&] {
              images->save_label(
                  "1.2.3", "final", folder_ / "good.nii.gz", "good.nii.gz", Json::object());
            }).code(),
            ErrorCode::kNotFound);
  images->refresh();
  EXPECT_EQ(images->stats().completed, 0);
  EXPECT_TRUE(images->stats().label_tags.empty());
}

TEST_F(DicomwebTest, OtherTagsStayHereAndSurviveARestart) {
  upload_example();
  const image::LabelVolume label = make_label(1, 3);
  {
    const auto images = store();
    images->save_label(
        uid_, "original", label_file(label, "p.nii.gz"), "p.nii.gz", {{"model", "SAM"}});
    images->update_label_info(uid_, "original", {{"score", 0.5}});
    images->update_image_info(uid_, {{"strategy", "random"}});
    EXPECT_EQ(images->stats().completed, 0);
  }
  EXPECT_TRUE(fs::exists(folder_ / "cache" / "labels" / "original" / (uid_ + ".nii.gz")));
  const auto images = store();
  EXPECT_THAT(images->stats().label_tags,
              ElementsAre(std::pair<std::string, int64_t>("original", 1)));
  const auto record = images->find(uid_);
  EXPECT_EQ(record->info["strategy"], "random");
  ASSERT_NE(record->label("original"), nullptr);
  EXPECT_EQ(record->label("original")->info["model"], "SAM");
  EXPECT_EQ(record->label("original")->info["score"], 0.5);
  EXPECT_THAT(io::read_labels(images->label_path(uid_, "original")).voxels(),
              ElementsAreArray(label.voxels()));
  EXPECT_EQ(images->document()["objects"][uid_]["labels"]["original"]["ext"], ".nii.gz");
  images->remove_label(uid_, "original");
  images->remove_label(uid_, "original");
  EXPECT_TRUE(images->stats().label_tags.empty());
  EXPECT_EQ(error_of([&] { static_cast<void>(images->label_path(uid_, "original")); }).code(),
            ErrorCode::kNotFound);
}

TEST_F(DicomwebTest, AnImageAddedHereIsOnTheServer) {
  const auto images = store();
  EXPECT_TRUE(images->image_ids().empty());
  fs::copy(example_files()[0], folder_ / "upload");
  EXPECT_EQ(images->add_image(folder_ / "upload", "", "x.dcm", {{"from", "test"}}), uid_);
  EXPECT_THAT(images->image_ids(), ElementsAre(uid_));
  EXPECT_EQ(images->find(uid_)->info["from"], "test");
  EXPECT_EQ(io::list_series(images->image_path(uid_, stop_)).at(0).files, 1);
  // The series grows: what was retrieved is out of date.
  upload_example();
  EXPECT_TRUE(
      becomes([&] { return io::list_series(images->image_path(uid_, stop_)).at(0).files == 32; }));
  EXPECT_EQ(error_of([&] { images->remove_image(uid_); }).code(), ErrorCode::kUnsupported);
}

TEST_F(DicomwebTest, AServerThatGoesAwayIsWaitedFor) {
  upload_example();
  const auto images = store();
  const auto later = store("later");
  static_cast<void>(images->image_path(uid_, stop_));
  orthanc_->stop();
  EXPECT_TRUE(becomes([&] { return !images->connected() && !later->connected(); }));
  // What is known stays; what needs the server says that it is not there.
  EXPECT_THAT(images->image_ids(), ElementsAre(uid_));
  EXPECT_EQ(io::list_series(images->image_path(uid_, stop_)).at(0).files, 32);
  const Error fetch = error_of([&] { static_cast<void>(later->image_path(uid_, stop_)); });
  EXPECT_EQ(fetch.code(), ErrorCode::kUnavailable);
  EXPECT_THAT(fetch.what(), HasSubstr("check that the DICOMweb server runs"));
  const image::LabelVolume label = make_label(1, 0);
  label_file(label, "label.nii.gz");
  const auto save = [&] {
    images->save_label(uid_, kFinalTag, folder_ / "label.nii.gz", "label.nii.gz", Json::object());
  };
  EXPECT_EQ(error_of(save).code(), ErrorCode::kUnavailable);
  EXPECT_EQ(images->stats().completed, 0);
  EXPECT_TRUE(fs::exists(folder_ / "label.nii.gz"));
  // One that starts now knows nothing yet, and says so.
  const auto early = store("early");
  EXPECT_EQ(error_of([&] { static_cast<void>(early->stats()); }).code(), ErrorCode::kUnavailable);

  orthanc_->start();
  EXPECT_TRUE(
      becomes([&] { return images->connected() && later->connected() && early->connected(); }));
  save();
  EXPECT_EQ(images->stats().completed, 1);
  EXPECT_EQ(io::list_series(later->image_path(uid_, stop_)).at(0).files, 32);
  EXPECT_TRUE(becomes([&] { return early->stats().completed == 1; }));
}

TEST_F(DicomwebTest, TheProxyPassesRequestsOnWithTheirQuery) {
  upload_example();
  const auto client = std::make_shared<const io::DicomwebClient>(server());
  fs::create_directory(folder_ / "spool");
  const auto routes =
      dicom_proxy_routes(client, {.spool = folder_ / "spool", .spool_above_bytes = 5000});
  ASSERT_EQ(routes.size(), 2U);
  const auto call = [&](size_t route, const std::string& path, http::Fields query = {}) {
    http::Request request;
    request.method = routes[route].method;
    request.path_values["path"] = path;
    request.query = std::move(query);
    request.headers.add("Authorization", "Bearer of-this-server");
    request.headers.add("Accept", "application/dicom+json");
    return routes[route].handler(request);
  };
  EXPECT_EQ(routes[0].pattern, "/proxy/dicom/{path*}");
  auto answer = call(0, "qido/series", {{"Modality", "MR"}});
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(answer.body, HasSubstr(uid_));
  EXPECT_THAT(std::string(answer.headers.find("content-type").value_or("")),
              HasSubstr("application/dicom+json"));
  EXPECT_FALSE(answer.headers.find("connection").has_value());
  EXPECT_FALSE(answer.headers.find("content-length").has_value());
  EXPECT_EQ(io::parse_dicom_json(call(0, "qido/series", {{"Modality", "CT"}}).body).size(), 0U);
  EXPECT_EQ(io::parse_dicom_json(call(0, "studies").body).size(), 1U);

  // Large: a file that goes away once it is sent.
  const std::string study = client->search_series({}, stop_).at(0).text("0020000D");
  answer = call(0, "qido/studies/" + study + "/series/" + uid_ + "/metadata");
  EXPECT_EQ(answer.status, 200);
  ASSERT_TRUE(answer.file.has_value());
  EXPECT_TRUE(answer.file->remove_after);
  EXPECT_EQ(answer.file->path.parent_path(), folder_ / "spool");
  EXPECT_EQ(io::parse_dicom_json(read_text_file(answer.file->path)).size(), 32U);

  EXPECT_EQ(call(0, "wado/studies/1.2/series/3.4/metadata").status, 404);
  for (const char* bad : {"../system", "qido/../../system", "wado/./x", "a\\b", "qido/a\nb"}) {
    EXPECT_EQ(error_of([&] { call(0, bad); }).code(), ErrorCode::kInvalidArgument) << bad;
  }
  EXPECT_EQ(error_of([&] { call(0, ""); }).code(), ErrorCode::kNotFound);
  orthanc_->stop();
  EXPECT_EQ(error_of([&] { call(0, "qido/series"); }).code(), ErrorCode::kUnavailable);
}

TEST_F(DicomwebTest, TheProxyStoresObjects) {
  const auto client = std::make_shared<const io::DicomwebClient>(server());
  const auto routes = dicom_proxy_routes(client, {.spool = folder_});
  http::Request request;
  request.method = "POST";
  request.path_values["path"] = "stow/studies";
  request.headers.add("Content-Type",
                      "multipart/related; type=\"application/dicom\"; boundary=edge");
  request.headers.add("Accept", "application/dicom+json");
  request.body = "--edge\r\nContent-Type: application/dicom\r\n\r\n" +
                 read_text_file(example_files()[0]) + "\r\n--edge--\r\n";
  const auto answer = routes[1].handler(request);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(client->search_series({{"Modality", "MR"}}, stop_).size(), 1U);
}
