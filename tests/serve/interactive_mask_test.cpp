// Whole requests through InferService with the built-in model, on files.
#include <fstream>
#include <iterator>
#include <sstream>

#include <gmock/gmock.h>

#include "voxloom/io/nrrd.h"

#include "interactive_fixtures.h"

namespace voxloom::serve {
namespace {

using testing::ball_volume;
using testing::grid_of;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::oblique_grid;
using testing::TempFolder;

std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

class InteractiveMaskTest : public ::testing::Test {
 protected:
  /// Writes the image and answers a request on it.
  InferOutcome infer(const image::Volume& volume,
                     const std::string& params,
                     const std::string& extension = ".nii.gz") {
    const auto path = folder_ / ("image" + std::to_string(++images_) + extension);
    io::write_volume(volume, path, Overwrite::kRefuse);
    return infer_again(path, params, extension);
  }
  InferOutcome infer_again(const std::filesystem::path& path,
                           const std::string& params,
                           const std::string& extension = ".nii.gz") {
    InferTask task;
    task.client = "one";
    task.model = "geodesic";
    task.image_key = "image:" + path.string();
    task.open = [path] { return std::shared_ptr<image::VolumeSource>(io::open_volume(path)); };
    task.image_extension = extension;
    task.params = Json::parse(params);
    task.result_folder = folder_.path();
    return service_.run(task);
  }

  TempFolder folder_;
  int images_ = 0;
  InferService service_{served_models({"geodesic=geodesic"}), {}};
};

TEST_F(InteractiveMaskTest, AClickGivesAMaskOnTheImagesOwnGrid) {
  for (const bool left_handed : {false, true}) {
    for (const std::string extension : {".nii.gz", ".nrrd", ".mha"}) {
      for (const std::string result : {".nrrd", ".nii.gz", ".nii", ".seg.nrrd", ".mha"}) {
        const auto grid = oblique_grid(left_handed);
        const auto outcome =
            infer(ball_volume(grid, 7),
                  R"({"intersection":[[20,18,10]],"result_extension":")" + result + "\"}",
                  extension);
        ASSERT_TRUE(outcome.mask);
        EXPECT_THAT(outcome.mask->filename().string(), ::testing::EndsWith(result));
        EXPECT_EQ(outcome.mask->parent_path(), folder_.path());
        const auto labels = io::read_labels(*outcome.mask);
        EXPECT_TRUE(image::same_grid(labels.geometry(), grid, 1e-3)) << extension << result;
        const auto at = [&](int64_t x, int64_t y, int64_t z) {
          return labels.voxels()[static_cast<size_t>((z * 36 + y) * 40 + x)];
        };
        EXPECT_EQ(at(20, 18, 10), 1);
        EXPECT_EQ(at(25, 18, 10), 1);
        EXPECT_EQ(at(20, 18, 15), 1);
        EXPECT_EQ(at(30, 18, 10), 0);
        EXPECT_EQ(at(0, 0, 0), 0);
      }
    }
  }
}

TEST_F(InteractiveMaskTest, TheAnswerSaysWhatAClientNeeds) {
  const auto outcome = infer(ball_volume(grid_of(40, 36, 20), 7), R"({"foreground":[[20,18,10]]})");
  EXPECT_EQ(outcome.params["label_names"].dump(), R"({"intersection":1,"uncertain":2})");
  EXPECT_EQ(outcome.params["centroids"].dump(), R"({"label_1":["1","20","18","10"]})");
  EXPECT_EQ(outcome.params["model"], "geodesic");
  EXPECT_EQ(outcome.params["engine"], "native");
  EXPECT_FALSE(outcome.params.contains("error"));
  for (const char* key : {"pre", "infer", "invert", "post", "write", "total"}) {
    EXPECT_TRUE(outcome.params["latencies"][key].is_number()) << key;
  }
}

TEST_F(InteractiveMaskTest, NrrdIsWhatTheSmallestParserReads) {
  const auto grid = oblique_grid(true);
  const auto volume = ball_volume(grid, 7);
  const auto outcome = infer(volume, R"({"intersection":[[20,18,10]],"result_extension":".nrrd"})");
  const auto file = bytes_of(*outcome.mask);
  const auto end = file.find("\n\n");
  ASSERT_NE(end, std::string::npos);
  EXPECT_EQ(file.size() - end - 2, static_cast<size_t>(grid.voxel_count()));
  std::istringstream header(file.substr(0, end));
  std::string line;
  std::map<std::string, std::string> fields;
  while (std::getline(header, line)) {
    EXPECT_THAT(line, Not(HasSubstr(":="))) << "key values are for .seg.nrrd";
    const auto colon = line.find(": ");
    if (colon != std::string::npos) fields[line.substr(0, colon)] = line.substr(colon + 2);
  }
  EXPECT_EQ(fields["type"], "uint8");
  EXPECT_EQ(fields["dimension"], "3");
  EXPECT_EQ(fields["encoding"], "raw");
  EXPECT_EQ(fields["sizes"], "40 36 20");
  EXPECT_EQ(fields["space"], "left-posterior-superior");
  for (const char* unread : {"units", "labels", "space units"}) {
    EXPECT_EQ(fields.count(unread), 0U) << unread;
  }
  // Three vectors with one blank between them: none inside.
  const auto& directions = fields["space directions"];
  EXPECT_EQ(std::count(directions.begin(), directions.end(), ' '), 2) << directions;
  EXPECT_THAT(fields["space origin"], Not(HasSubstr(" ")));
}

TEST_F(InteractiveMaskTest, SegNrrdNamesTheLabels) {
  const auto outcome = infer(ball_volume(grid_of(40, 36, 20), 7),
                             R"({"intersection":[[20,18,10]],"result_extension":".seg.nrrd"})");
  const std::vector<image::Label> expected{{1, "intersection"}, {2, "uncertain"}};
  EXPECT_EQ(io::read_nrrd_labels(*outcome.mask), expected);
}

TEST_F(InteractiveMaskTest, CompressesAndWidensOnRequestOnly) {
  const auto volume = ball_volume(grid_of(40, 36, 20), 7);
  const std::string start = R"({"intersection":[[20,18,10]],"result_extension":".nrrd")";
  const auto raw = infer(volume, start + "}");
  const auto small = infer(volume, start + R"(,"result_compress":true})");
  const auto wide = infer(volume, start + R"(,"result_dtype":"uint16"})");
  EXPECT_THAT(bytes_of(*small.mask), HasSubstr("encoding: gzip"));
  EXPECT_LT(std::filesystem::file_size(*small.mask), std::filesystem::file_size(*raw.mask) / 4);
  EXPECT_THAT(bytes_of(*wide.mask), HasSubstr("type: uint16"));
  const auto expected = io::read_volume(*raw.mask).converted(image::PixelType::kUint16);
  EXPECT_TRUE(std::ranges::equal(io::read_volume(*wide.mask).bytes(), expected.bytes()));
  EXPECT_TRUE(std::ranges::equal(
      io::read_volume(*small.mask).converted(image::PixelType::kUint16).bytes(), expected.bytes()));
}

TEST_F(InteractiveMaskTest, WithoutPromptsOrWithAnUnknownLabelTheMaskIsBlank) {
  const auto volume = ball_volume(oblique_grid(false), 7);
  for (const std::string params : {R"({})", R"({"spleen":[[20,18,10]]})"}) {
    const auto outcome = infer(volume, params);
    const auto labels = io::read_labels(*outcome.mask);
    EXPECT_TRUE(image::same_grid(labels.geometry(), volume.geometry()));
    EXPECT_TRUE(std::ranges::all_of(labels.voxels(), [](uint16_t v) { return v == 0; }));
    EXPECT_EQ(outcome.params["centroids"].dump(), "{}");
    EXPECT_EQ(outcome.params["notes"].size(), 1U);
    EXPECT_EQ(outcome.params.contains("error"), params != "{}");
  }
}

TEST_F(InteractiveMaskTest, TheListsAreTheFullTruth) {
  const auto grid = grid_of(40, 36, 20);
  const auto path = folder_ / "image.nrrd";
  io::write_volume(ball_volume(grid, 7), path, Overwrite::kRefuse);
  const std::string one = R"({"foreground":[[20,18,10]]})";
  const auto first = infer_again(path, one);
  const auto second = infer_again(path, R"({"foreground":[[20,18,10]],"background":[[20,18,13]]})");
  const auto third = infer_again(path, one);
  const auto before = io::read_volume(*first.mask), between = io::read_volume(*second.mask),
             after = io::read_volume(*third.mask);
  EXPECT_FALSE(std::ranges::equal(before.bytes(), between.bytes()));
  EXPECT_TRUE(std::ranges::equal(before.bytes(), after.bytes()));
  EXPECT_EQ(service_.stats().session_hits, 2U);
}

TEST_F(InteractiveMaskTest, ARoiHasStrictEndsAndASliceIsAlone) {
  const auto volume = ball_volume(grid_of(40, 36, 20), 7);
  const auto slices_of = [](const InferOutcome& outcome) {
    const auto labels = io::read_labels(*outcome.mask);
    std::vector<int64_t> slices;
    for (int64_t z = 0; z < 20; ++z) {
      const auto slice = labels.voxels().subspan(static_cast<size_t>(z * 40 * 36), 40 * 36);
      if (std::ranges::any_of(slice, [](uint16_t v) { return v != 0; })) slices.push_back(z);
    }
    return slices;
  };
  EXPECT_EQ(slices_of(infer(volume, R"({"roi":[28,12,10,26,12,8]})")),
            (std::vector<int64_t>{8, 9, 10, 11, 12}));
  EXPECT_EQ(slices_of(infer(volume, R"({"slice":9,"foreground":[[20,18,9]]})")),
            (std::vector<int64_t>{9}));
}

TEST_F(InteractiveMaskTest, NoFileWhenTheClientWantsNone) {
  const auto outcome = infer(ball_volume(grid_of(40, 36, 20), 7),
                             R"({"foreground":[[20,18,10]],"result_write_to_file":false})");
  EXPECT_FALSE(outcome.mask);
  EXPECT_TRUE(outcome.params["centroids"].contains("label_1"));
}

TEST_F(InteractiveMaskTest, ErrorsLeaveNoFilesAndNameThePlace) {
  const auto volume = ball_volume(grid_of(40, 36, 20), 7);
  try {
    static_cast<void>(infer(volume, R"({"foreground":[[40,18,10]]})"));
    ADD_FAILURE() << "a point outside was taken";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kInvalidArgument);
    EXPECT_THAT(e.what(), HasSubstr("foreground[0]"));
  }
  // The image only.
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_.path()), {}), 1);
}

}  // namespace
}  // namespace voxloom::serve
