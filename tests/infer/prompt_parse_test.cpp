#include "voxloom/infer/prompt_parse.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "voxloom/core/error.h"
#include "voxloom/infer/prompt_json.h"
#include "voxloom/infer/segmenter.h"

namespace voxloom::infer {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::ThrowsMessage;

image::Geometry volume() {
  image::Geometry g;
  g.size = {10, 8, 6};
  return g;
}

TEST(PromptParseTest, ReadsPoints) {
  EXPECT_EQ(parse_point("1,2,3"), (PointPrompt{{1, 2, 3}, true}));
  EXPECT_EQ(parse_point("1,2,3,+"), (PointPrompt{{1, 2, 3}, true}));
  EXPECT_EQ(parse_point("1,2,3,-"), (PointPrompt{{1, 2, 3}, false}));
  EXPECT_EQ(parse_point("-1,2,3").voxel[0], -1) << "range is validate_prompts' business";
}

TEST(PromptParseTest, RefusesOtherPointsAndTeachesTheForm) {
  for (const char* text : {"",
                           "1,2",
                           "1,2,3,4",
                           "1,2,3,+,",
                           "1.5,2,3",
                           " 1,2,3",
                           "1,2,3,*",
                           "1,,3",
                           "1,2,3 ",
                           "nan,1,2",
                           "1;2;3",
                           "99999999999999999999,1,1"}) {
    EXPECT_THAT([&] { (void)parse_point(text); },
                ThrowsMessage<Error>(
                    AllOf(HasSubstr("--point: must be x,y,z"), HasSubstr(std::string("'") + text))))
        << text;
  }
}

TEST(PromptParseTest, ReadsBoxesWithCornersInAnyOrder) {
  EXPECT_EQ(parse_box("5,6,3,1,2,3"), (BoxPrompt{{1, 2, 3}, {5, 6, 3}}));
  for (const char* text : {"1,2,3,4,5", "1,2,3,4,5,6,7", "a,2,3,4,5,6", ""}) {
    EXPECT_THAT([&] { (void)parse_box(text); }, ThrowsMessage<Error>(HasSubstr("--box: must be")));
  }
}

TEST(PromptParseTest, ReadsObjectNames) {
  EXPECT_EQ(parse_object("left kidney").name, "left kidney");
  EXPECT_FALSE(parse_object("left kidney").value.has_value());
  EXPECT_EQ(parse_object("tumour=7").value, 7);
  for (const char* text : {"", "=3", "a=", "a=0", "a=65536", "a=b=3", "a=1.5", "a\nb"}) {
    EXPECT_THROW((void)parse_object(text), Error) << text;
  }
}

TEST(PromptBuilderTest, PromptsBelongToTheObjectNamedLast) {
  PromptBuilder builder;
  builder.object("a=2");
  builder.point("1,1,1");
  builder.object("b");
  builder.box("1,1,1,5,5,1");
  builder.object("c");
  builder.point("2,2,2,-");
  const auto objects = builder.finish();
  ASSERT_EQ(objects.size(), 3u);
  EXPECT_EQ(objects[0].points.size(), 1u);
  EXPECT_EQ(objects[1].boxes.size(), 1u);
  EXPECT_EQ(objects[1].value, 1) << "the lowest free value";
  EXPECT_EQ(objects[2].value, 3);
}

TEST(PromptBuilderTest, PromptsBeforeAnyNameMakeOneObject) {
  PromptBuilder builder;
  builder.point("1,1,1");
  builder.point("2,2,2");
  const auto objects = builder.finish();
  ASSERT_EQ(objects.size(), 1u);
  EXPECT_EQ(objects[0].name, "object");
  EXPECT_EQ(objects[0].value, 1);
}

TEST(PromptBuilderTest, MaskFilesGiveOneMaskPerSlice) {
  image::LabelVolume labels(volume());
  labels.voxels()[0] = 1;
  labels.voxels()[4 * 80 + 7] = 2;
  EXPECT_EQ(masks_from_labels(labels).size(), 2u);
  const auto second = masks_from_labels(labels, 2);
  ASSERT_EQ(second.size(), 1u);
  EXPECT_EQ(second[0].z, 4);
  EXPECT_EQ(second[0].pixels[7], 1);
  EXPECT_THROW((void)masks_from_labels(labels, 3), Error);
}

TEST(ValidatePromptsTest, AcceptsGoodPrompts) {
  ObjectPrompt object;
  object.points = {{{0, 0, 0}, true}, {{9, 7, 5}, false}};
  object.boxes = {{{0, 0, 2}, {9, 7, 2}}};
  EXPECT_NO_THROW(validate_prompts({object}, volume()));
}

// Every kind of problem, all in one message.
TEST(ValidatePromptsTest, ReportsAllProblemsAtOnce) {
  ObjectPrompt a;
  a.name = "a";
  a.points = {{{10, 0, 0}, true},
              {{1, 1, 1}, true},
              {{1, 1, 1}, true},
              {{2, 2, 2}, true},
              {{2, 2, 2}, false}};
  ObjectPrompt b;
  b.name = "b";
  b.points = {{{1, 1, 1}, false}};
  ObjectPrompt c;
  c.name = "c";
  c.value = 3;
  c.boxes = {{{0, 0, 1}, {3, 3, 3}},
             {{0, 0, 2}, {3, 3, 2}},
             {{0, 0, 0}, {3, 8, 0}},
             {{3, 0, 0}, {1, 1, 0}}};
  c.masks = {{2, std::vector<uint8_t>(80, 0)}, {9, {}}, {4, std::vector<uint8_t>(3, 1)}};
  try {
    validate_prompts({a, b, c}, volume());
    FAIL() << "must throw";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kInvalidArgument);
    EXPECT_THAT(e.what(),
                AllOf(HasSubstr("point 1 must lie inside the volume of [10, 8, 6] voxels"),
                      HasSubstr("point 3 must be given once"),
                      HasSubstr("got both at [2, 2, 2]"),
                      HasSubstr("value 1 must be its own"),
                      HasSubstr("object 'b': must have a positive point"),
                      HasSubstr("negative points only")));
    EXPECT_THAT(e.what(),
                AllOf(HasSubstr("boxes 1 and 2 must have key slices of their own"),
                      HasSubstr("box 3 must lie inside"),
                      HasSubstr("box 4 must have its lower corner first"),
                      HasSubstr("got an empty mask"),
                      HasSubstr("mask 2 must lie on a slice 0 to 5"),
                      HasSubstr("mask 3 must have 10 x 8 pixels"),
                      HasSubstr("key slice 2 must have a box or a mask")));
  }
}

TEST(ValidatePromptsTest, NeedsAnObjectAndAPositivePrompt) {
  EXPECT_THROW(validate_prompts({}, volume()), Error);
  EXPECT_THAT([] { validate_prompts({ObjectPrompt{}}, volume()); },
              ThrowsMessage<Error>(HasSubstr("got no prompt")));
}

TEST(ValidatePromptsTest, PositivePointsStayInsideADeepBoxsEnds) {
  ObjectPrompt object;
  object.boxes = {{{0, 0, 1}, {3, 3, 3}}};
  object.points = {{{1, 1, 5}, true}};
  EXPECT_THAT([&] { validate_prompts({object}, volume()); },
              ThrowsMessage<Error>(HasSubstr("must lie on the slices 1 to 3 of its box")));
  object.points[0].positive = false;
  EXPECT_NO_THROW(validate_prompts({object}, volume()));
}

TEST(PromptJsonTest, RoundTrips) {
  ObjectPrompt object;
  object.name = "tumour";
  object.value = 4;
  object.points = {{{1, 2, 3}, true}, {{4, 5, 5}, false}};
  object.boxes = {{{0, 1, 2}, {3, 4, 5}}};
  MaskPrompt mask{3, std::vector<uint8_t>(80, 0)};
  for (const size_t i : {0U, 1U, 2U, 40U, 79U}) mask.pixels[i] = 1;
  object.masks = {mask};
  ObjectPrompt other;
  other.value = 9;
  const std::vector<ObjectPrompt> objects{object, other};
  const auto json = prompts_to_json(objects, volume());
  EXPECT_EQ(prompts_from_json(json, volume()), objects);
  EXPECT_EQ(json[0]["masks"][0]["runs"].dump(), "[0,3,40,1,79,1]");
}

TEST(PromptJsonTest, NamesThePlaceOfAMistake) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"a":1})", "prompts: must be a list"},
      {R"([{"nam":"x"}])", "prompts[0]: unknown key 'nam'"},
      {R"([{"value":0}])", "prompts[0].value"},
      {R"([{"points":[{"voxel":[1,2]}]}])", "prompts[0].points[0].voxel"},
      {R"([{"points":[{"voxel":[1,2,3.5]}]}])", "must be a whole number"},
      {R"([{"points":[{"positive":true}]}])", "must have 'voxel'"},
      {R"([{"boxes":[{"lo":[1,2,3]}]}])", "prompts[0].boxes[0]: must have 'hi'"},
      {R"([{"masks":[{"z":1,"size":[4,4],"runs":[]}]}])", "prompts[0].masks[0].size"},
      {R"([{"masks":[{"z":1,"size":[10,8],"runs":[79,2]}]}])", "must lie within 80 pixels"},
      {R"([{"masks":[{"z":1,"size":[10,8],"runs":[79]}]}])", "must be pairs"},
      {R"([{"points":[{"voxel":[18446744073709551615,0,0]}]}])", "must be a whole number"},
  };
  for (const auto& [json, part] : cases) {
    const std::string text = json;
    EXPECT_THAT([&] { (void)prompts_from_json(nlohmann::ordered_json::parse(text), volume()); },
                ThrowsMessage<Error>(HasSubstr(part)))
        << text;
  }
}

TEST(SegmentOptionsTest, FlagsReadAndPrintBack) {
  SegmentOptions options;
  OptionList list;
  options.visit(list);
  for (const char* flag : {"--window",
                           "--direction",
                           "--merge",
                           "--components",
                           "--clip-box",
                           "--extend",
                           "--max-slices",
                           "--slice-range",
                           "--stop-absent",
                           "--fill-holes",
                           "--smoothness",
                           "--leak-control",
                           "--max-distance-mm"}) {
    ASSERT_NE(list.find(flag), nullptr) << flag;
  }
  list.find("--slice-range")->set({"3,9"});
  list.find("--merge")->set({"union"});
  list.find("--window")->set({"-160,240"});
  EXPECT_EQ((*options.slice_range)[1], 9);
  EXPECT_EQ(list.find("--slice-range")->get(), "3,9");
  EXPECT_EQ(options.merge, Merge::kUnion);
  EXPECT_NO_THROW(options.validate());
  EXPECT_THROW(list.find("--slice-range")->set({"9,3"}), Error);
  EXPECT_THROW(list.find("--slice-range")->set({"3"}), Error);
  EXPECT_THROW(list.find("--leak-control")->set({"2"}), Error);
}

TEST(SegmentOptionsTest, RefusesWindowsThatAreNone) {
  for (const char* text : {"", "5,1", "1,2,3", "3", "a,b"}) {
    SegmentOptions options;
    options.window = text;
    EXPECT_THROW(options.validate(), Error) << text;
  }
}

TEST(RuntimeOptionsTest, ChecksDeviceNames) {
  RuntimeOptions options;
  EXPECT_NO_THROW(options.validate());
  for (const char* good : {"cuda", "cuda:1"}) {
    options.device = good;
    EXPECT_NO_THROW(options.validate());
  }
  for (const char* text : {"gpu", "cuda:", "cuda:x", ""}) {
    options.device = text;
    EXPECT_THROW(options.validate(), Error) << text;
  }
}

}  // namespace
}  // namespace voxloom::infer
