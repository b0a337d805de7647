#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "voxloom/core/error.h"
#include "voxloom/core/log.h"
#include "voxloom/serve/log/record.h"
#include "voxloom/serve/log/render.h"
#include "voxloom/serve/log/scrub.h"

namespace voxloom::serve {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(LogRecordTest, LineHasItsPartsInOrder) {
  LogRecord record(LogLevel::kWarn, "request", "answered");
  record.request(12).field("status", 200).field("seconds", 0.5).field("cached", true);
  record.field("route", LogName("/infer/{model}")).field("stage", LogWord("run"));
  EXPECT_EQ(record.json_line(1'700'000'000'042, 7),
            R"({"time":"2023-11-14T22:13:20.042Z","seq":7,"level":"warn","event":"request",)"
            R"("message":"answered","request":12,"fields":{"status":200,"seconds":0.5,)"
            R"("cached":true,"route":"/infer/{model}","stage":"run"}})");
  EXPECT_EQ(LogRecord(LogLevel::kInfo, "start").json_line(0, 1),
            R"({"time":"1970-01-01T00:00:00.000Z","seq":1,"level":"info","event":"start"})");
}

TEST(LogRecordTest, ClientIsADigestThatIsStableAndDoesNotHoldTheId) {
  const std::string label = client_label("Dr. Anna Example");
  EXPECT_EQ(label, client_label("Dr. Anna Example"));
  EXPECT_NE(label, client_label("Dr. Anna Exampl"));
  EXPECT_TRUE(::testing::Value(label, ::testing::MatchesRegex("c-[0-9a-f]+"))) << label;
  EXPECT_EQ(label.size(), 14U);
  EXPECT_EQ(client_label(""), "");
  LogRecord record(LogLevel::kInfo, "request");
  record.client("Dr. Anna Example");
  const std::string line = record.json_line(0, 1);
  EXPECT_THAT(line, HasSubstr(label));
  EXPECT_THAT(line, Not(HasSubstr("Anna")));
}

TEST(LogRecordTest, NamesKeepPlainCharactersOnly) {
  EXPECT_EQ(LogName("/datastore/image").text(), "/datastore/image");
  EXPECT_EQ(LogName("M\xc3\xbcller, Jan\n").text(), "M??ller??Jan?");
  EXPECT_EQ(LogName(std::string(100, 'a')).text().size(), 64U);
}

TEST(LogRecordTest, FreeTextLosesNamesAndPaths) {
  const std::pair<const char*, const char*> cases[] = {
      {"volume 'Doe^John.nii.gz': spacing must be positive",
       "volume '...': spacing must be positive"},
      {"image 'O'Brien' is 'x', got 3", "image '...', got 3"},
      {"label 'cut off", "label '...'"},
      {"it can't be read", "it can't be read"},
      {"image 'a' can't be read", "image '...'t be read"},
      {"cannot open /data/Doe/ct.nii: no", "cannot open <path> no"},
      {"file C:\\Doe\\x is bad", "file <path> is bad"},
      {"at \"Doe\"", "at '...'"},
      {"tag=final id='Doe'", "tag=final id='...'"},
      {"two\nlines\x1b[31m", "two lines [31m"},
      {"3 of 5 / 8", "3 of 5 / 8"},
      {"label 'DOE^JOHN' of \"x y\" failed", "label '...' of '...' failed"},
      {"can't say 'unclosed name", "can't say '...'"},
      {"", ""},
  };
  for (const auto& [text, expected] : cases) EXPECT_EQ(scrubbed(text), expected) << text;
  EXPECT_LE(scrubbed(std::string(10000, 'a')).size(), 500U);
  EXPECT_THAT(LogRecord::from_text(LogLevel::kError, "image 'Doe' at /x/Doe").json_line(0, 1),
              Not(HasSubstr("Doe")));
}

TEST(LogRecordTest, BrokenUtf8DoesNotThrow) {
  EXPECT_NO_THROW((void)LogRecord::from_text(LogLevel::kInfo, "\xff\xc3").json_line(0, 1));
}

TEST(LogRecordTest, LevelsHaveNames) {
  for (const char* name : {"debug", "info", "warn", "error"}) {
    EXPECT_EQ(level_name(parse_level(name)), name);
  }
  EXPECT_THROW((void)parse_level("loud"), Error);
}

TEST(RenderTest, RecordIsOneReadableLine) {
  const std::string json =
      R"({"time":"T","seq":1,"level":"info","event":"request","message":"answered",)"
      R"("request":12,"client":"c-1","fields":{"status":200,"route":"/info/"}})";
  EXPECT_EQ(render_record(json, false),
            "T info  request    answered status=200 route=/info/ request=12 client=c-1");
  EXPECT_THAT(render_record(json, true), HasSubstr("\x1b[32minfo \x1b[0m"));
}

TEST(RenderTest, ControlCharactersOfAPeerNeverReachTheTerminal) {
  const std::string json =
      "{\"level\":\"info\",\"event\":\"a\\u001b]0;x\\u0007\",\"message\":"
      "\"b\\u009b31m\\n\",\"fields\":{\"k\\u001b\":\"v\\r\"}}";
  for (const auto& line : {json, std::string("no json \x1b[2J\n"), std::string("[1,2")}) {
    for (const char c : render_record(line, false)) {
      EXPECT_GE(static_cast<unsigned char>(c), 0x20) << line;
    }
    EXPECT_EQ(render_record(line, false).find("\xc2\x9b"), std::string::npos);
  }
}

}  // namespace
}  // namespace voxloom::serve
