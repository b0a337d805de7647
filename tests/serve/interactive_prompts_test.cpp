#include <gmock/gmock.h>

#include "voxloom/serve/interactive/read_prompts.h"

#include "interactive_fixtures.h"

namespace voxloom::serve {
namespace {

using testing::grid_of;
using ::testing::HasSubstr;
using testing::model_named;

PromptRequest read(const std::string& params,
                   const image::Geometry& geometry = grid_of(64, 48, 20),
                   std::string_view extension = ".nii.gz") {
  return read_prompts(model_named("SAM"), Json::parse(params), geometry, extension);
}

/// "1,2,3+ 4,5,6- box 0,0,0..1,1,1", or "none".
std::string prompts_of(const PromptRequest& request) {
  if (request.objects.empty()) return "none";
  const auto text = [](const image::Index3& v) { return format("{},{},{}", v[0], v[1], v[2]); };
  std::string all;
  const auto& object = request.objects[0];
  for (const auto& p : object.points) {
    all += (all.empty() ? "" : " ") + text(p.voxel) + (p.positive ? "+" : "-");
  }
  for (const auto& b : object.boxes) {
    all += (all.empty() ? "box " : " box ") + text(b.lo) + ".." + text(b.hi);
  }
  return all;
}

struct Case {
  std::string name, params, expected;
};

TEST(ReadPromptsTest, ReadsEveryClientsWayOfClicking) {
  const Case cases[] = {
      {"Slicer deepedit: a key per label, empty ones too",
       R"({"background":[[9,9,9]],"intersection":[[1,2,3],[4,5,6]],"uncertain":[],"label":"liver",
           "window":"abdomen","result_extension":".nrrd","result_dtype":"uint8"})",
       "9,9,9- 1,2,3+ 4,5,6+"},
      {"Slicer deepgrow",
       R"({"foreground":[[1,2,3]],"background":[[9,9,9]],"label":"x","reset_state":true})",
       "1,2,3+ 9,9,9-"},
      {"Slicer deepgrow after a point was deleted", R"({"foreground":[[4,5,6]]})", "4,5,6+"},
      {"OHIF deepedit: only keys with clicks, and options",
       R"({"intersection":[[1,2,3]],"background":[],"result_extension":".nrrd",
           "result_compress":false,"restore_label_idx":false})",
       "1,2,3+"},
      {"MITK",
       R"({"foreground":[[1,2,3]],"background":[],"reset_state":true,"restore_label_idx":true})",
       "1,2,3+"},
      {"whole numbers as floats", R"({"foreground":[[1.0,2.0,3.0]]})", "1,2,3+"},
      {"the same click twice", R"({"foreground":[[1,2,3],[1,2,3]]})", "1,2,3+"},
      {"both names for the same thing",
       R"({"foreground":[[1,2,3]],"intersection":[[1,2,3],[7,7,7]]})",
       "1,2,3+ 7,7,7+"},
      {"roi in any order inside a pair", R"({"roi":[30,10,5,40,12,4]})", "box 10,5,4..30,40,12"},
      {"roi on one slice", R"({"roi":[10,30,5,40,4,4]})", "box 10,5,4..30,40,4"},
      {"roi beyond the image is cut", R"({"roi":[-5,300,5,40,18,99]})", "box 0,5,18..63,40,19"},
      {"roi with points",
       R"({"roi":[10,30,5,40,4,8],"foreground":[[20,20,6]]})",
       "20,20,6+ box 10,5,4..30,40,8"},
      {"an empty roi is none", R"({"roi":[],"foreground":[[1,2,3]]})", "1,2,3+"},
      {"no prompt", R"({})", "none"},
      {"only lists without points", R"({"foreground":[],"background":[]})", "none"},
      {"background alone", R"({"background":[[1,2,3]]})", "none"},
      {"nulls", R"({"foreground":null,"roi":null,"slice":null,"label":null})", "none"},
      {"options that models here do not have",
       R"({"foreground":[[1,2,3]],"roi_size":[96,96,96],"logging":"INFO","pylab":true})",
       "1,2,3+"},
      {"an empty list under a label of another model",
       R"({"liver":[],"intersection":[[1,2,3]]})",
       "1,2,3+"},
      {"a slice: its points and box only",
       R"({"slice":6,"foreground":[[1,2,3],[4,5,6]],"roi":[10,30,5,40,4,8]})",
       "4,5,6+ box 10,5,6..30,40,6"},
      {"a slice outside the roi is its middle one",
       R"({"slice":19,"foreground":[[4,5,6]],"roi":[10,30,5,40,4,8]})",
       "4,5,6+ box 10,5,6..30,40,6"},
      {"slice 0 without points there: the last point inside",
       R"({"slice":0,"foreground":[[1,2,3],[4,5,6]]})",
       "4,5,6+"},
      {"slice 0 with a point there", R"({"slice":0,"foreground":[[1,2,0],[4,5,6]]})", "1,2,0+"},
      {"a slice gives flat points their third number",
       R"({"slice":6,"foreground":[[4,5]]})",
       "4,5,6+"},
  };
  for (const auto& c : cases) EXPECT_EQ(prompts_of(read(c.params)), c.expected) << c.name;
}

TEST(ReadPromptsTest, TakesFlatPointsAndRoisOfFlatImages) {
  const auto flat = grid_of(64, 48, 1);
  EXPECT_EQ(prompts_of(read(R"({"foreground":[[4,5]],"roi":[9,3,8,2]})", flat)),
            "4,5,0+ box 3,2,0..9,8,0");
}

TEST(ReadPromptsTest, NamesWhatIsWrong) {
  const std::pair<std::string, std::string> cases[] = {
      {R"({"foreground":[[1,2,3],[64,2,3]]})",
       "foreground[1]: must lie inside the image of [64, 48, 20] voxels, got [64, 2, 3]"},
      {R"({"intersection":[[1,2,-1]]})", "intersection[0]: must lie inside the image"},
      {R"({"background":[[1,2,3.5]]})", "background[0]: must be a whole number, got 3.5"},
      {R"({"foreground":[[1,2]]})", "foreground[0]: must be a point [i, j, k], got [1,2]"},
      {R"({"foreground":[1,2,3]})", "foreground[0]: must be a point [i, j, k], got 1"},
      {R"({"foreground":"here"})", "foreground: must be a list of points [i, j, k], got \"here\""},
      {R"({"roi":[1,2,3]})", "roi: must be six whole numbers"},
      {R"({"roi":[70,80,1,2,1,2]})", "roi: must meet the image"},
      {R"({"slice":20,"foreground":[[1,2,3]]})", "slice: must lie within 0 to 19, got 20"},
      {R"({"window":"kidney"})", "window: "},
      {R"({"direction":"up"})", "direction: must be one of both, forward, backward, got \"up\""},
      {R"({"merge":3})", "merge: must be text, got 3"},
      {R"({"components":"some"})", "components: must be one of largest, all"},
      {R"({"max_slices":-1})", "max_slices: must be 0 (no limit) to 1000000, got -1"},
      {R"({"result_extension":".png"})", "result_extension: must be one of .nrrd"},
      {R"({"result_extension":"../x.nrrd"})", "result_extension: must be one of .nrrd"},
      {R"({"result_dtype":"float32"})", "result_dtype: must be one of uint8, uint16"},
      {R"({"result_compress":"maybe"})", "result_compress: must be true or false"},
      {R"({"foreground":[[1e300,2,3]]})", "foreground[0]: must be a whole number"},
      {R"([1])", "params: must be an object"},
  };
  for (const auto& [params, message] : cases) {
    try {
      static_cast<void>(read(params));
      ADD_FAILURE() << params << " was taken";
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::kInvalidArgument) << params;
      EXPECT_THAT(e.what(), HasSubstr(message)) << params;
    }
  }
}

TEST(ReadPromptsTest, PointsUnderAnUnknownLabelGiveNoObjectsAndAReason) {
  const auto request = read(R"({"intersection":[[1,2,3]],"spleen":[[4,5,6]]})");
  EXPECT_TRUE(request.objects.empty());
  EXPECT_EQ(request.error,
            "\"spleen\": the model 'SAM' has no such label, its labels are background, "
            "intersection, uncertain");
}

TEST(ReadPromptsTest, ReadsTheOptionsThatConfigOffers) {
  auto config = model_named("SAM").config;
  config["foreground"] = Json::array({{1, 2, 3}});
  // As some programs do: the served config itself, lists and all.
  const auto served = read(config.dump());
  EXPECT_EQ(served.options.window, "auto");
  EXPECT_EQ(served.options.direction, infer::Direction::kBoth);
  EXPECT_EQ(served.options.merge, infer::Merge::kIntersection);
  EXPECT_EQ(served.options.components, infer::Components::kLargest);
  EXPECT_EQ(served.options.max_slices, 0);

  const auto chosen = read(
      R"({"window":"-160,240","direction":"backward","merge":"union","components":"all","max_slices":7})");
  EXPECT_EQ(chosen.options.window, "-160,240");
  EXPECT_EQ(chosen.options.direction, infer::Direction::kBackward);
  EXPECT_EQ(chosen.options.merge, infer::Merge::kUnion);
  EXPECT_EQ(chosen.options.components, infer::Components::kAll);
  EXPECT_EQ(chosen.options.max_slices, 7);

  EXPECT_EQ(read(R"({"largest_cc":false})").options.components, infer::Components::kAll);
  EXPECT_EQ(read(R"({"largest_cc":false,"components":"largest"})").options.components,
            infer::Components::kLargest);
  EXPECT_EQ(read(R"({"slice":6,"foreground":[[1,2,6]]})").options.slice_range,
            (std::array<int64_t, 2>{6, 6}));
}

TEST(ReadPromptsTest, EveryWindowInConfigIsUnderstood) {
  const Json config = model_named("SAM").config;
  EXPECT_GT(config["window"].size(), 5U);
  for (const auto& window : config["window"]) {
    EXPECT_EQ(read(Json{{"window", window}}.dump()).options.window, window.get<std::string>());
  }
}

TEST(ReadPromptsTest, TheResultIsWrittenAsAskedElseAsTheImageElseAsNrrd) {
  const auto grid = grid_of(8, 8, 8);
  EXPECT_EQ(read("{}").format.extension, ".nii.gz");
  EXPECT_EQ(read("{}", grid, ".dcm").format.extension, ".nrrd");
  EXPECT_EQ(read("{}", grid, "").format.extension, ".nrrd");
  EXPECT_EQ(read(R"({"result_extension":""})").format.extension, ".nii.gz");
  EXPECT_EQ(read(R"({"result_extension":".seg.nrrd"})").format.extension, ".seg.nrrd");
  const auto format = read(R"({"result_dtype":"uint16","result_compress":true,
                               "result_write_to_file":false})")
                          .format;
  EXPECT_EQ(format.type, image::PixelType::kUint16);
  EXPECT_TRUE(format.compress);
  EXPECT_FALSE(format.write);
  EXPECT_EQ(read("{}").format.type, image::PixelType::kUint8);
  EXPECT_FALSE(read("{}").format.compress);
  EXPECT_TRUE(read("{}").format.write);
}

TEST(ReadPromptsTest, RefusesMorePointsThanAnyoneClicks) {
  Json points = Json::array();
  for (int64_t i = 0; i < 10'001; ++i) points.push_back({i % 64, i / 64 % 48, i / 3072});
  EXPECT_THROW(static_cast<void>(read(Json{{"foreground", points}}.dump())), Error);
}

}  // namespace
}  // namespace voxloom::serve
