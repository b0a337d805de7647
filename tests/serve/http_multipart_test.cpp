// The multipart reader and writer, and what becomes of bodies.
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>
#include <unistd.h>

#include "voxloom/serve/http/body.h"
#include "voxloom/serve/http/multipart.h"
#include "voxloom/serve/http/multipart_writer.h"

namespace voxloom::serve::http {
namespace {

/// Writes down what it is told.
class Transcript : public MultipartSink {
 public:
  std::string text;

  void field(std::string name, std::string value) override {
    text += "field " + name + "=" + value + "\n";
  }
  void begin_file(std::string field, std::string filename, std::string type) override {
    text += "file " + field + " " + filename + " (" + type + ") [";
  }
  void file_data(std::string_view bytes) override { text += bytes; }
  void end_file() override { text += "]\n"; }
  void drop_file() override { text += "] dropped\n"; }
};

std::string read(std::string_view boundary,
                 std::string_view body,
                 size_t chunk = std::string::npos,
                 const MultipartLimits& limits = {}) {
  Transcript transcript;
  try {
    MultipartParser parser(boundary, transcript, limits);
    for (size_t i = 0; i < body.size(); i += std::min(chunk, body.size())) {
      parser.feed(body.substr(i, chunk));
    }
    parser.finish();
  } catch (const HttpError& e) {
    transcript.text += "error " + std::to_string(e.status()) + " " + e.what();
  }
  return transcript.text;
}

constexpr std::string_view kSlicer =
    "------------lImIt_of_THE_fIle_eW_$\r\n"
    "Content-Disposition: form-data; name=\"params\"\r\n"
    "\r\n"
    "{\"a\": \"\xc3\xa9\"}\r\n"
    "------------lImIt_of_THE_fIle_eW_$\r\n"
    "Content-Disposition: form-data; name=\"label\"; filename=\"C:\\Temp\\new\\x.nii.gz\"\r\n"
    "Content-Type: application/octet-stream\r\n"
    "\r\n"
    "\r\n--\r\n----lImIt\r\r\n------------lImIt_of_THE_fIle_eW_\r\n\r\n"
    "------------lImIt_of_THE_fIle_eW_$--\r\n"
    "\r\n";

TEST(MultipartTest, SlicersBodyIsReadInPiecesOfAnySize) {
  const std::string expected =
      "field params={\"a\": \"\xc3\xa9\"}\n"
      "file label x.nii.gz (application/octet-stream) "
      "[\r\n--\r\n----lImIt\r\r\n------------lImIt_of_THE_fIle_eW_\r\n]\n";
  for (size_t chunk = 1; chunk <= kSlicer.size(); ++chunk) {
    ASSERT_EQ(read("----------lImIt_of_THE_fIle_eW_$", kSlicer, chunk), expected)
        << "pieces of " << chunk;
  }
}

TEST(MultipartTest, FilesFullOfLineEndsAndHalfBoundariesComeWhole) {
  std::string content;
  for (int i = 0; i < 400; ++i) {
    content +=
        std::string(static_cast<size_t>(i % 7), '\r') + "\n\r\n--b" + std::string(i % 3, 'o');
    content += i % 5 == 0 ? "\r\n--bou" : "\r\n-";
  }
  const std::string body =
      "--bound\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x\"\r\n\r\n" + content +
      "\r\n--bound--\r\n";
  for (const size_t piece : {1, 2, 3, 5, 7, 11, 64, 1000, 100000}) {
    EXPECT_EQ(read("bound", body, piece), "file f x () [" + content + "]\n") << piece;
  }
}

TEST(MultipartTest, OddFormsAreReadAlike) {
  struct Case {
    std::string_view body, expected;
  };
  for (const Case& c : {
           Case{"preamble\r\n--b \t\r\ncontent-disposition: form-data; name=a\r\n\r\nx\r\n--b--",
                "field a=x\n"},
           Case{"--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\r\n--b--\r\njunk",
                "field a=\n"},
           Case{"--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--bb\r\n--b--",
                "field a=1\r\n--bb\n"},
           Case{"--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"../../e.nrrd\"\r\n"
                "\r\nx\r\n--b--\r\n",
                "file f e.nrrd () [x]\n"},
           Case{"--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"..\"\r\n"
                "\r\nx\r\n--b--\r\n",
                "file f  () [x]\n"},
           Case{"--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"\"\r\n\r\n"
                "\r\n--b--\r\n",
                "file f  () []\n"},
           Case{"--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x\"; "
                "filename*=UTF-8''%c3%a9.nii\r\n\r\n\r\n--b--\r\n",
                "file f \xc3\xa9.nii () []\n"},
           Case{"--b--\r\n", ""},
           Case{"", ""},
       }) {
    for (size_t chunk : {size_t{1}, size_t{7}, c.body.size() + 1}) {
      EXPECT_EQ(read("b", c.body, chunk), c.expected) << c.body << " in pieces of " << chunk;
    }
  }
}

TEST(MultipartTest, APartWithoutItsEndIsDropped) {
  EXPECT_EQ(read("b",
                 "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n"
                 "--b\r\nContent-Disposition: form-data; name=\"c\"\r\n\r\n2"),
            "field a=1\n");
  EXPECT_EQ(
      read("b", "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x\"\r\n\r\n12"),
      "file f x () [12] dropped\n");
  EXPECT_EQ(read("b",
                 "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x\"\r\n\r\n12\r\n"
                 "--b"),
            "file f x () [12] dropped\n");
}

TEST(MultipartTest, BadBodiesAreNamedAsTheOriginalNamesThem) {
  EXPECT_EQ(read("b", "no boundary at all"), "error 400 Invalid multipart data.");
  EXPECT_EQ(read("b", "--b\r\nno colon\r\n\r\nx\r\n--b--"), "error 400 Invalid multipart data.");
  const std::string no_name =
      "error 400 The Content-Disposition header field \"name\" must be provided.";
  EXPECT_EQ(read("b", "--b\r\n\r\nx\r\n--b--"), no_name);
  EXPECT_EQ(read("b", "--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--"), no_name);
  EXPECT_EQ(read("b", "--b\r\nX: " + std::string(20000, 'y')),
            "error 400 There was an error parsing the body");
  EXPECT_EQ(read("b", "--b\r\nX: a\x01\r\n\r\n"), "error 400 There was an error parsing the body");
  EXPECT_THROW(MultipartParser::boundary_of("multipart/form-data"), HttpError);
  EXPECT_EQ(MultipartParser::boundary_of("multipart/form-data; charset=x; boundary=\"a b\""),
            "a b");
}

TEST(MultipartTest, LimitsHold) {
  const std::string big(1025, 'x');
  const std::string field = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n";
  MultipartLimits limits;
  limits.max_field_bytes = 1024;
  limits.max_fields = 2;
  EXPECT_EQ(read("b", field + big + "\r\n--b--", 100, limits),
            "error 400 Part exceeded maximum size of 1KB.");
  EXPECT_EQ(read("b", field + "\r\n" + field + "\r\n" + field + "\r\n--b--", 100, limits),
            "field a=\nfield a=\nerror 400 Too many fields. Maximum number of fields is 2.");
}

TEST(MultipartWriterTest, LayoutIsTheOneClientsLookForByText) {
  const Response answer =
      multipart_params_and_file(Json{{"label_names", {{"a", 1}}}, {"b", "\xc3\xa9"}},
                                "/tmp/tmpab12cd.nrrd",
                                std::string_view("NRRD\0\r\n", 7));
  const std::string type(*answer.headers.find("content-type"));
  ASSERT_TRUE(type.starts_with("multipart/form-data; boundary="));
  const std::string b = type.substr(type.find('=') + 1);
  EXPECT_EQ(b.size(), 32U);
  EXPECT_EQ(b.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_EQ(answer.body,
            "--" + b +
                "\r\nContent-Disposition: form-data; name=\"params\"\r\n"
                "Content-Type: application/json\r\n\r\n"
                "{\"label_names\": {\"a\": 1}, \"b\": \"\\u00e9\"}\r\n"
                "--" +
                b +
                "\r\nContent-Disposition: form-data; name=\"image\"; "
                "filename=\"tmpab12cd.nrrd\"\r\n"
                "Content-Type: application/octet-stream\r\n\r\n" +
                std::string("NRRD\0\r\n", 7) + "\r\n--" + b + "--\r\n");
  EXPECT_EQ(read(b, answer.body),
            "field params={\"label_names\": {\"a\": 1}, \"b\": \"\\u00e9\"}\n"
            "file image tmpab12cd.nrrd (application/octet-stream) [" +
                std::string("NRRD\0\r\n", 7) + "]\n");
}

TEST(MultipartWriterTest, AFileIsFramedAsBytesAreAndNotRead) {
  const Json params{{"label_names", {{"a", 1}}}};
  const Response whole = multipart_params_and_file(params, "x/m.nrrd", std::string_view("BYTES"));
  const Response framed =
      multipart_params_and_file(params, "x/m.nrrd", std::filesystem::path("/none/m.nrrd"));
  ASSERT_TRUE(framed.file);
  const auto boundary = [](const Response& r) {
    const std::string_view type = *r.headers.find("content-type");
    return std::string(type.substr(type.find('=') + 1));
  };
  std::string expected = whole.body;
  const std::string other = boundary(whole), own = boundary(framed);
  for (size_t at = 0; (at = expected.find(other, at)) != std::string::npos; at += own.size()) {
    expected.replace(at, other.size(), own);
  }
  EXPECT_EQ(framed.file->before + "BYTES" + framed.file->after, expected);
  EXPECT_EQ(framed.headers.fields().size(), whole.headers.fields().size());
  EXPECT_TRUE(framed.body.empty());
}

class BodyTest : public testing::Test {
 protected:
  BodyTest() {
    folder_ =
        std::filesystem::temp_directory_path() / ("voxloom_body_" + std::to_string(::getpid()));
    prepare_spool(folder_);
  }
  ~BodyTest() override { std::filesystem::remove_all(folder_); }

  std::string receive(std::string_view type,
                      std::string_view body,
                      const BodyLimits& limits = {},
                      bool announce = true) {
    request_ = Request();
    request_.headers.set("content-type", std::string(type));
    try {
      const auto length = announce ? std::optional<uint64_t>(body.size()) : std::nullopt;
      BodyReceiver receiver(request_, limits, folder_, length);
      receiver.feed(body);
      receiver.finish();
    } catch (const HttpError& e) {
      return std::to_string(e.status()) + " " + e.what();
    }
    return "ok";
  }

  size_t spooled() const {
    return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder_), {}));
  }

  std::filesystem::path folder_;
  Request request_;
};

TEST_F(BodyTest, FilesGoToTheSpoolWithTheirEnding) {
  ASSERT_EQ(receive("multipart/form-data; boundary=----------lImIt_of_THE_fIle_eW_$", kSlicer),
            "ok");
  EXPECT_EQ(request_.form_value("params"), "{\"a\": \"\xc3\xa9\"}");
  const UploadedFile* file = request_.file("label");
  ASSERT_NE(file, nullptr);
  EXPECT_EQ(file->filename, "x.nii.gz");
  EXPECT_TRUE(file->path.string().ends_with(".nii.gz"));
  EXPECT_EQ(std::filesystem::file_size(file->path), file->bytes);
  EXPECT_EQ(spooled(), 1U);
  remove_uploads(request_.files);
  EXPECT_EQ(spooled(), 0U);
}

TEST_F(BodyTest, CutUploadsLeaveNothing) {
  const std::string_view cut = kSlicer.substr(0, kSlicer.size() - 60);
  ASSERT_EQ(receive("multipart/form-data; boundary=----------lImIt_of_THE_fIle_eW_$", cut), "ok");
  EXPECT_TRUE(request_.files.empty());
  EXPECT_EQ(spooled(), 0U);
}

TEST_F(BodyTest, UrlencodedBodiesBecomeFields) {
  ASSERT_EQ(receive("application/x-www-form-urlencoded; charset=utf-8", "params=%7B%7D&a=b+c"),
            "ok");
  EXPECT_EQ(request_.form_value("params"), "{}");
  EXPECT_EQ(request_.form_value("a"), "b c");
  EXPECT_TRUE(request_.body.empty());
}

TEST_F(BodyTest, TooLongIsRefusedAnnouncedOrNot) {
  BodyLimits limits;
  limits.max_json_bytes = 10;
  limits.max_upload_bytes = 20;
  const std::string long_body(30, ' ');
  for (const bool announce : {true, false}) {
    EXPECT_EQ(receive("application/json", long_body, limits, announce),
              "413 the body must be at most 10 bytes");
    EXPECT_EQ(receive("multipart/form-data; boundary=b", long_body, limits, announce),
              "413 the body must be at most 20 bytes");
  }
}

TEST_F(BodyTest, TheSpoolIsEmptiedOfOldUploadsOnly) {
  std::ofstream(folder_ / "upload-123.nrrd") << "x";
  std::ofstream(folder_ / "keep.txt") << "x";
  prepare_spool(folder_);
  EXPECT_EQ(spooled(), 1U);
  EXPECT_TRUE(std::filesystem::exists(folder_ / "keep.txt"));
}

}  // namespace
}  // namespace voxloom::serve::http
