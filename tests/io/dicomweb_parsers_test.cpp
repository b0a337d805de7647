// What a DICOMweb server sends, read without a server: multipart/related and the JSON model.
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "voxloom/core/error.h"
#include "voxloom/io/dicomweb_http.h"
#include "voxloom/io/dicomweb_json.h"
#include "voxloom/io/multipart_related.h"

using namespace voxloom;      // NOLINT(*-using-namespace)
using namespace voxloom::io;  // NOLINT(*-using-namespace)
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

struct Collected : PartSink {
  void begin_part(const PartHeaders& h) override {
    headers.push_back(h);
    parts.emplace_back();
  }
  void part_data(std::string_view bytes) override { parts.back() += bytes; }
  void end_part() override { ++ended; }
  std::vector<PartHeaders> headers;
  std::vector<std::string> parts;
  size_t ended = 0;
};

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

const std::string kFirst("DICM\r\n--\r\n--edg\0\r\n", 19);
const std::string kBody =
    "ignored\r\n--edge  \r\nContent-Type: application/dicom\r\nX:\r\n a\r\n\r\n" + kFirst +
    "\r\n--edge\r\n\r\nsecond\r\n--edge--\r\nafter";

void expect_both_parts(const Collected& c) {
  ASSERT_EQ(c.parts.size(), 2U);
  EXPECT_EQ(c.parts[0], kFirst);
  EXPECT_EQ(c.parts[1], "second");
  EXPECT_EQ(c.ended, 2U);
  EXPECT_EQ(part_header(c.headers[0], "content-type"), "application/dicom");
  EXPECT_EQ(part_header(c.headers[0], "x"), " a");
  EXPECT_TRUE(c.headers[1].empty());
}

}  // namespace

TEST(MultipartRelated, GivesTheSamePartsWhereverTheBodyIsCut) {
  for (size_t cut = 0; cut <= kBody.size(); ++cut) {
    SCOPED_TRACE(cut);
    Collected c;
    MultipartParser parser("edge", c);
    parser.feed(std::string_view(kBody).substr(0, cut));
    parser.feed(std::string_view(kBody).substr(cut));
    parser.finish();
    expect_both_parts(c);
  }
  Collected c;
  MultipartParser parser("edge", c);
  for (const char byte : kBody) parser.feed({&byte, 1});
  parser.finish();
  expect_both_parts(c);
}

TEST(MultipartRelated, ABodyThatEndsEarlyIsRefused) {
  const size_t complete = kBody.find("--edge--") + 8;
  for (size_t length = 0; length < complete; ++length) {
    Collected c;
    MultipartParser parser("edge", c);
    parser.feed(std::string_view(kBody).substr(0, length));
    EXPECT_EQ(error_of([&] { parser.finish(); }).code(), ErrorCode::kDataCorrupt) << length;
  }
}

TEST(MultipartRelated, TheFirstDelimiterMayBeTheFirstLine) {
  Collected c;
  MultipartParser parser("e", c);
  parser.feed("--e\r\nA: b\r\n\r\n\r\n--e--");
  parser.finish();
  EXPECT_THAT(c.parts, ElementsAre(""));
}

TEST(MultipartRelated, LimitsHold) {
  const auto code = [](const std::string& body, const MultipartLimits& limits) {
    Collected c;
    MultipartParser parser("edge", c, limits);
    return error_of([&] {
             for (const char byte : body) parser.feed({&byte, 1});
           })
        .code();
  };
  EXPECT_EQ(code("--edge\r\nA: " + std::string(40000, 'x'), {}), ErrorCode::kUnsupported);
  EXPECT_EQ(code(std::string(70000, 'x'), {}), ErrorCode::kDataCorrupt);
  EXPECT_EQ(code(kBody, {.max_part_bytes = 10}), ErrorCode::kUnsupported);
  EXPECT_EQ(code(kBody, {.max_parts = 1}), ErrorCode::kUnsupported);
  EXPECT_EQ(code("--edgeX\r\n\r\n", {}), ErrorCode::kDataCorrupt);
  EXPECT_EQ(code("--edge" + std::string(1000, ' '), {}), ErrorCode::kDataCorrupt);
  EXPECT_EQ(code("--edge\r\nno colon\r\n\r\n", {}), ErrorCode::kDataCorrupt);
}

TEST(MultipartRelated, TheBoundaryIsFoundInTheContentType) {
  EXPECT_EQ(multipart_boundary("multipart/related; boundary=a-b"), "a-b");
  EXPECT_EQ(
      multipart_boundary("Multipart/Related;type=\"a/b; boundary=no\" ; Boundary = \"x y\";q"),
      "x y");
  EXPECT_EQ(multipart_boundary("multipart/related; boundary=\"a\\\"b\""), "a\"b");
  for (const char* bad :
       {"", "text/html; boundary=a", "multipart/related", "multipart/related; type=a; boundary"}) {
    EXPECT_EQ(error_of([&] { static_cast<void>(multipart_boundary(bad)); }).code(),
              ErrorCode::kDataCorrupt)
        << bad;
  }
  Collected c;
  for (const std::string& bad : {std::string(), std::string(71, 'a'), std::string("a\r\nb")}) {
    EXPECT_THROW(MultipartParser(bad, c), Error);
  }
}

TEST(DicomJson, ReadsValuesNamesAndItemsInAnyOrderOfKeys) {
  const auto sets = parse_dicom_json(R"([{
    "0020000e": {"vr": "UI", "Value": ["1.2.3"]},
    "00100010": {"Value": [{"Ideographic": "x", "Alphabetic": "Doe^J"}], "vr": "PN"},
    "00201209": {"vr": "IS", "Value": [17, null]},
    "00280030": {"vr": "DS", "Value": [0.5]},
    "00080050": {"vr": "SH"},
    "7FE00010": {"vr": "OW", "BulkDataURI": "http://x/", "InlineBinary": "AAAA"},
    "00081115": {"Value": [{"0020000E": {"vr": "UI", "Value": ["9.8"]}}, {}], "vr": "SQ"},
    "unknown": {"a": [1, {"b": [2]}]}
  }, {}])");
  ASSERT_EQ(sets.size(), 2U);
  EXPECT_TRUE(sets[1].elements.empty());
  const DicomJsonObject& o = sets[0];
  EXPECT_EQ(o.text("0020000E"), "1.2.3");
  EXPECT_EQ(o.text("00100010"), "Doe^J");
  EXPECT_EQ(o.integer("00201209"), 17);
  EXPECT_EQ(o.text("00280030"), "0.5");
  EXPECT_EQ(o.text("00080050"), "");
  EXPECT_EQ(o.integer("00100010"), std::nullopt);
  EXPECT_EQ(o.integer("00000000"), std::nullopt);
  EXPECT_EQ(o.elements.at("00201209").values.size(), 2U);
  EXPECT_EQ(o.elements.count("unknown"), 0U);
  ASSERT_EQ(o.items("00081115").size(), 2U);
  EXPECT_EQ(o.items("00081115")[0].text("0020000E"), "9.8");
  EXPECT_TRUE(o.items("00100010").empty());
}

TEST(DicomJson, ASingleDataSetAndAnEmptyListAreFine) {
  EXPECT_TRUE(parse_dicom_json("[]").empty());
  EXPECT_EQ(parse_dicom_json(R"({"00080060": {"Value": ["CT"]}})").at(0).text("00080060"), "CT");
}

TEST(DicomJson, GarbageIsRefusedWithoutRepeatingIt) {
  for (const char* bad : {"",
                          "x",
                          "[",
                          "[{]",
                          "[1]",
                          "\"secret\"",
                          "[[{}]]",
                          "[{}] secret",
                          "{\"00080060\": {\"Value\": [\"secret]}}",
                          "{\"00080060\": {\"Value\": [[1]]}}",
                          "{\"00080060\": {\"Value\": [\"\xff\"]}}"}) {
    const Error e = error_of([&] { static_cast<void>(parse_dicom_json(bad)); });
    EXPECT_EQ(e.code(), ErrorCode::kDataCorrupt) << bad;
    EXPECT_THAT(e.what(), HasSubstr("dicom json"));
    EXPECT_THAT(e.what(), testing::Not(HasSubstr("secret")));
  }
}

TEST(DicomJson, LimitsHold) {
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += R"({"00081115":{"Value":[)";
  EXPECT_EQ(error_of([&] { static_cast<void>(parse_dicom_json(deep)); }).code(),
            ErrorCode::kUnsupported);
  EXPECT_EQ(error_of([&] { static_cast<void>(parse_dicom_json(std::string(100000, '['))); }).code(),
            ErrorCode::kDataCorrupt);
  EXPECT_EQ(error_of([&] {
              static_cast<void>(
                  parse_dicom_json(R"({"00080060":{"Value":[1,2,3,4]}})", {.max_elements = 4}));
            }).code(),
            ErrorCode::kUnsupported);
  EXPECT_EQ(error_of([&] { static_cast<void>(parse_dicom_json("[{}]", {.max_bytes = 3})); }).code(),
            ErrorCode::kUnsupported);
}

TEST(WebClient, RefusesAddressesThatAreNone) {
  for (const char* bad : {"", "file:///etc/passwd", "ftp://host/", "http://host/?a=b", "http://"}) {
    EXPECT_EQ(error_of([&] { WebClient({.base_url = bad}); }).code(), ErrorCode::kInvalidArgument)
        << bad;
  }
}

TEST(WebClient, CredentialsInTheAddressAreTakenOutOfIt) {
  const WebClient client({.base_url = "http://user:secret@127.0.0.1:1/dicom-web"});
  EXPECT_EQ(client.base(), "http://127.0.0.1:1/dicom-web/");
}

TEST(WebClient, SaysWhereNothingAnswersAndWhatToDo) {
  // Port 1 of the loopback: nobody listens there.
  const WebClient client({.base_url = "http://user:secret@127.0.0.1:1/dicom-web",
                          .retries = 1,
                          .first_pause = std::chrono::milliseconds(1)});
  struct : WebSink {
    void start(const WebAnswer&) override {}
    void data(std::string_view) override {}
  } sink;
  const Error e = error_of([&] {
    client.send({.path = "series", .query = {{"PatientID", "hidden"}}}, sink, CancelToken());
  });
  EXPECT_EQ(e.code(), ErrorCode::kUnavailable);
  EXPECT_THAT(e.what(), HasSubstr("'http://127.0.0.1:1/dicom-web/series' must answer"));
  EXPECT_THAT(e.what(), HasSubstr("check that the DICOMweb server runs"));
  EXPECT_THAT(e.what(), testing::Not(HasSubstr("secret")));
  EXPECT_THAT(e.what(), testing::Not(HasSubstr("hidden")));

  CancelToken cancelled;
  cancelled.cancel();
  EXPECT_EQ(error_of([&] { client.send({.path = "series"}, sink, cancelled); }).code(),
            ErrorCode::kCancelled);
}

TEST(WebClient, PercentEncodingLeavesOnlyPlainCharacters) {
  EXPECT_EQ(percent_encode("a B/\xc3\xa9~"), "a%20B%2F%C3%A9~");
  EXPECT_EQ(percent_encode("a,b", ","), "a,b");
}
