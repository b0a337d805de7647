#include "voxloom/core/json_text.h"

#include <string>

#include <gmock/gmock.h>

using namespace voxloom;  // NOLINT(*-using-namespace)
using nlohmann::ordered_json;

namespace {

std::string error_of(const std::string& text, const JsonLimits& limits) {
  return read_json(text, limits).error;
}

}  // namespace

TEST(JsonTextTest, DeepNestingIsRefusedBeforeItIsRead) {
  const std::string deep(100000, '[');
  EXPECT_EQ(read_json(deep).error, "must be nested at most 64 deep");
  EXPECT_EQ(read_json("[\"[[[[[\"]", {.max_depth = 1}).value.size(), 1U);
  EXPECT_EQ(error_of("[[1]]", {.max_depth = 1}), "must be nested at most 1 deep");
  const std::string allowed = std::string(64, '[') + std::string(64, ']');
  EXPECT_EQ(read_json(allowed).value.dump(), allowed);
  EXPECT_FALSE(read_json("[" + allowed + "]").error.empty());
}

TEST(JsonTextTest, LongTextIsRefused) {
  EXPECT_EQ(error_of("[1]", {.max_bytes = 3}), "");
  EXPECT_EQ(error_of("[1] ", {.max_bytes = 3}), "must have at most 3 bytes, got 4");
}

TEST(JsonTextTest, ErrorsSayWhereAndLeaveNoValue) {
  const JsonReading wrong = read_json("{\"a\":x}");
  EXPECT_EQ(wrong.error, "must be valid JSON, got an error at byte 6");
  EXPECT_EQ(wrong.byte, 6U);
  EXPECT_EQ(read_json("").byte, 1U);
  EXPECT_FALSE(read_json("1e999").error.empty());
  const JsonReading behind = read_json("{\"a\":1} x");
  EXPECT_EQ(behind.byte, 9U);
  EXPECT_TRUE(behind.value.is_null());
}

TEST(JsonTextTest, ParsingThrowsTheCodeAskedForAndNamesThePlace) {
  try {
    static_cast<void>(parse_json("[1,", "body", ErrorCode::kInvalidArgument));
    FAIL() << "must throw";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_STREQ(error.what(), "body: must be valid JSON, got an error at byte 4");
  }
  try {
    static_cast<void>(parse_json("[[1]]", "index", ErrorCode::kDataCorrupt, {.max_depth = 1}));
    FAIL() << "must throw";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kDataCorrupt);
  }
}

TEST(JsonTextTest, OfEqualKeysTheLastOneCountsInTheFirstOnesPlace) {
  EXPECT_EQ(parse_json(R"({"a":1,"b":3,"a":2})", "t").dump(), R"({"a":2,"b":3})");
  std::string many = "{";
  for (int i = 0; i < 5000; ++i) many += format("\"k{}\":{},", i % 4000, i);
  many.back() = '}';
  const ordered_json parsed = parse_json(many, "t");
  EXPECT_EQ(parsed.size(), 4000U);
  EXPECT_EQ(parsed.begin().key(), "k0");
  EXPECT_EQ(parsed["k0"], 4000);
  EXPECT_EQ(parsed["k3999"], 3999);
}
