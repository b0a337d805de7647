#include "voxloom/core/yaml_text.h"

#include <limits>

#include <gmock/gmock.h>

#include "voxloom/core/error.h"

namespace voxloom {
namespace {

using nlohmann::ordered_json;

std::string problem_of(const std::string& text, const YamlLimits& limits = {}) {
  try {
    (void)parse_yaml(text, "x.yaml", limits);
  } catch (const Error& e) {
    return std::string(error_code_name(e.code())) + ": " + e.what();
  }
  return "read";
}

TEST(YamlTextTest, ReadsTypesAsTheyAreWritten) {
  const ordered_json json = parse_yaml(
      "a: 1\nb: -2.5\nc: text here\nd: \"1\"\ne: true\nf: ~\ng:\nh: [1, 'x', 1e3]\n"
      "i:\n  j: {k: 012}\nl:\n  - m: 1\n  - 0x10\n  - +7\n  - .5\n  - nan\n",
      "x.yaml");
  EXPECT_EQ(json, ordered_json::parse(R"({"a":1,"b":-2.5,"c":"text here","d":"1","e":true,"f":null,
      "g":null,"h":[1,"x",1000.0],"i":{"j":{"k":12}},"l":[{"m":1},"0x10",7,0.5,"nan"]})"));
}

TEST(YamlTextTest, ScalarsStayTextWhereAsked) {
  EXPECT_EQ(
      parse_yaml("a: 007\nb: [1e3, true, '2']\nc: ~\nd: 0.10\n", "x.yaml", {}, YamlScalars::kText),
      ordered_json::parse(R"({"a":"007","b":["1e3","true","2"],"c":null,"d":"0.10"})"));
}

TEST(YamlTextTest, WhatIsWrittenReadsBack) {
  const char* cases[] = {
      R"({"a":1,"b":[1,2,3],"c":{"d":"x y","e":[]},"f":{}})",
      R"({"list":[{"value":1,"name":"liver"},{"value":2,"name":"true"}]})",
      R"({"nested":[[1,2],[3,[4]]],"n":null,"t":true,"x":0.1,"big":-9223372036854775808})",
      R"({"1":"a","":"","true":"no"," k ":" v ","#":"# no comment","a: b":"- c","q\"":"\\"})",
      R"({"newline":"a\nb\n","tab":"\t","unicode":"\u00fc\u20ac\ud83d\ude00","del":"\u007f\u0085"})",
      R"([1,2])",
      R"([{"a":1}])",
      R"("text")",
      R"({})",
      R"([])",
      R"({"f":1.0,"g":1e300,"h":-0.5,"i":123456789012})",
  };
  for (const char* text : cases) {
    const ordered_json json = ordered_json::parse(text);
    const std::string yaml = to_yaml(json);
    EXPECT_EQ(parse_yaml(yaml, "x"), json) << text << "\n" << yaml;
  }
}

TEST(YamlTextTest, IsMeantForPeople) {
  EXPECT_EQ(to_yaml(ordered_json::parse(R"({"a":{"b":[1,2],"c":"x"},"d":[{"e":"two words"}]})")),
            "a:\n  b: [1, 2]\n  c: x\nd:\n  - e: \"two words\"\n");
}

TEST(YamlTextTest, RefusesWhatASettingsFileDoesNotNeed) {
  for (const char* text : {"a: &x 1\nb: *x\n",
                           "a: !!python/object:os.system 1\n",
                           "a: !x [1]\n",
                           "a: 1\na: 2\n",
                           "[1]: 2\n",
                           "? {a: b}\n: c\n",
                           "a: 1\n---\nb: 2\n",
                           "",
                           "a: [1\n",
                           "a: b: c\n",
                           "a: \"\xff\"\n"}) {
    EXPECT_THAT(problem_of(text), testing::StartsWith("data_corrupt: x.yaml")) << text;
  }
  EXPECT_THAT(problem_of("a: 1\nb: 2\nb: 3\n"), testing::HasSubstr("line 3"));
  EXPECT_THAT(problem_of(std::string("a: \0", 4)), testing::StartsWith("data_corrupt"));
}

// Found by fuzzing: a key may be longer when read than a plain key may be when written.
TEST(YamlTextTest, LimitsKeysToWhatCanBeWritten) {
  EXPECT_EQ(problem_of(std::string(128, 'k') + ": 1\n"), "read");
  EXPECT_THAT(problem_of(std::string(129, 'k') + ": 1\n"), testing::HasSubstr("at most 128 bytes"));
  nlohmann::ordered_json json;
  json[std::string(128, '\x1d')] = 1;
  EXPECT_EQ(parse_yaml(to_yaml(json), "x"), json);
  json[std::string(129, 'k')] = 1;
  EXPECT_THROW((void)to_yaml(json), Error);
}

TEST(YamlTextTest, LimitsSizeDepthAndCount) {
  YamlLimits limits;
  limits.max_bytes = 5;
  EXPECT_EQ(problem_of("a: 1\n", limits), "read");
  EXPECT_THAT(problem_of("a: 12\n", limits), testing::StartsWith("unsupported"));
  limits = {};
  limits.max_values = 3;
  EXPECT_EQ(problem_of("[1, 2]", limits), "read");
  EXPECT_THAT(problem_of("[1, 2, 3]", limits), testing::StartsWith("unsupported"));
  EXPECT_EQ(problem_of(std::string(16, '[') + std::string(16, ']')), "read");
  EXPECT_THAT(problem_of(std::string(17, '[') + std::string(17, ']')),
              testing::StartsWith("unsupported"));
  EXPECT_NE(problem_of(std::string(100'000, '[')), "read");
  EXPECT_THROW((void)to_yaml({{"a", std::numeric_limits<double>::infinity()}}), Error);
}

}  // namespace
}  // namespace voxloom
