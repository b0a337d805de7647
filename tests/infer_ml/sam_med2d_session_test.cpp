// SAM-Med2D as an interactive model, with a small network and stand-in weights: what is fed to the
// network and what becomes of prompts, not how good its masks are.
#include <algorithm>
#include <atomic>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "voxloom/core/error.h"
#include "voxloom/engine/engine_options.h"
#include "voxloom/infer_ml/sam_med2d_network.h"
#include "voxloom/tensor/view.h"

#include "../models/sam_med2d_fixture.h"
#include "ball.h"

namespace voxloom::infer_ml {
namespace {

namespace med2d = models::sam_med2d;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

/// Stand-in weights whose masks have an inside and an outside on any picture: filters that add and
/// take away channels in turn.
weights::StateDict lively_state() {
  const auto made = med2d::stand_in_state(med2d::shrunken_options());
  weights::StateDict state;
  for (const auto& entry : made.entries()) {
    const bool filter = entry.name.find("output_hypernetworks_mlps") != std::string::npos &&
                        entry.name.ends_with("layers.2.bias");
    const at::Tensor turns = torch::tensor({4.0F, -4.0F}).repeat({4});
    state.add(entry.name, filter ? tensor::to_view(turns) : entry.tensor);
  }
  return state;
}

/// A package of the small network in a folder that goes away.
class SmallPackage {
 public:
  explicit SmallPackage(
      const med2d::SamMed2dOptions& options = med2d::shrunken_options(),
      const weights::StateDict& state = med2d::stand_in_state(med2d::shrunken_options())) {
    static std::atomic<int> counter{0};
    folder_ = std::filesystem::temp_directory_path() /
              format("voxloom-med2d-{}-{}", ::getpid(), counter++);
    weights::PackageInfo info;
    info.task = "segment";
    info.architecture = med2d::kArchitecture;
    info.variant = med2d::variant_name(options);
    info.options = med2d::options_to_json(options);
    info.licence = "none: stand-in weights";
    package_ = weights::write_package(folder_, info, state, "stand-in", Overwrite::kRefuse);
  }
  ~SmallPackage() {
    std::error_code error;
    std::filesystem::remove_all(folder_, error);
  }
  SmallPackage(const SmallPackage&) = delete;
  SmallPackage& operator=(const SmallPackage&) = delete;

  [[nodiscard]] const weights::Package& package() const { return package_; }

 private:
  std::filesystem::path folder_;
  weights::Package package_;
};

infer::RuntimeOptions with_engine(const std::string& engine) {
  infer::RuntimeOptions runtime;
  runtime.engine = engine;
  runtime.precision = "f32";
  return runtime;
}

class SamMed2dSessionTest : public ::testing::Test {
 protected:
  infer::SegmentResult run(const infer::ObjectPrompt& prompt,
                           const infer::SegmentOptions& options = {}) {
    session_->set_prompts({prompt});
    return session_->run(options, progress_, stop_);
  }
  static std::vector<int64_t> voxels_by_slice(const infer::SegmentResult& result) {
    const auto& size = result.labels.geometry().size;
    std::vector<int64_t> counts(static_cast<size_t>(size[2]), 0);
    const auto voxels = result.labels.voxels();
    for (size_t i = 0; i < voxels.size(); ++i) {
      counts[i / static_cast<size_t>(size[0] * size[1])] += voxels[i] != 0 ? 1 : 0;
    }
    return counts;
  }

  const torch::NoGradGuard no_grad_;
  const SmallPackage small_, lively_{med2d::shrunken_options(), lively_state()};
  const std::shared_ptr<image::VolumeSource> volume_ = testing::ball();
  const std::unique_ptr<infer::Segmenter> segmenter_ =
      make_sam_med2d_segmenter(lively_.package(), with_engine("torch"));
  const std::unique_ptr<infer::SegmentSession> session_ = segmenter_->open(volume_);
  Progress progress_;
  CancelToken stop_;
};

TEST(SamMed2dInputTest, PixelsAreThoseOfOpenCvsNearest) {
  const std::vector<uint8_t> grey{0, 50, 100, 150, 200, 250};  // 3 x 2
  const auto input = sam_med2d_input(grey, 3, 2, 4);
  ASSERT_EQ(input.sizes(), (std::vector<int64_t>{1, 3, 4, 4}));
  const int64_t columns[] = {0, 0, 1, 2}, rows[] = {0, 0, 1, 1};
  const float mean[] = {123.675F, 116.28F, 103.53F}, deviation[] = {58.395F, 57.12F, 57.375F};
  for (int64_t c = 0; c < 3; ++c) {
    for (int64_t y = 0; y < 4; ++y) {
      for (int64_t x = 0; x < 4; ++x) {
        const float value = grey[static_cast<size_t>(rows[y] * 3 + columns[x])];
        EXPECT_FLOAT_EQ(input[0][c][y][x].item<float>(), (value - mean[c]) / deviation[c]);
      }
    }
  }
  EXPECT_THAT(
      [&] { (void)sam_med2d_input(grey, 4, 2, 4); },
      ThrowsMessage<Error>(HasSubstr("a picture of 4 x 2 must have as many pixels, got 6")));
}

// The same decoder calls by hand: one click; then both clicks with the first answer's
// probabilities.
TEST_F(SamMed2dSessionTest, ClicksRefineTheAnswerBefore) {
  SamMed2dNetwork network(small_.package(), with_engine("torch"));
  auto model = med2d::stand_in_network();
  const auto embedding = med2d::expected("embedding");
  const SlicePrompt one{.boxes = {}, .clicks = {{20, 25, true}}, .mask = {}};
  const auto first = model->decode(embedding, med2d::with_padding_rule({10, 25}, {1}), {});
  const auto low = first.low.slice(1, first.best(), first.best() + 1);
  EXPECT_TRUE(segment_slice(network, embedding, one, 192, 96).allclose(low, 0, 1e-5));

  const SlicePrompt two{.boxes = {}, .clicks = {{20, 25, true}, {100, 80, false}}, .mask = {}};
  const auto second =
      model->decode(embedding, med2d::with_padding_rule({10, 25, 50, 80}, {1, 0}), low.sigmoid());
  const auto refined = second.low.slice(1, second.best(), second.best() + 1);
  EXPECT_TRUE(segment_slice(network, embedding, two, 192, 96).allclose(refined, 0, 1e-5));
  EXPECT_FALSE(refined.allclose(low, 0, 1e-2));
}

TEST_F(SamMed2dSessionTest, NegativeClicksBeforeTheFirstPositiveOneGoWithIt) {
  SamMed2dNetwork network(small_.package(), with_engine("torch"));
  auto model = med2d::stand_in_network();
  const auto embedding = med2d::expected("embedding");
  const SlicePrompt prompt{.boxes = {}, .clicks = {{9, 9, false}, {40, 40, true}}, .mask = {}};
  const auto out = model->decode(embedding, med2d::with_padding_rule({9, 9, 40, 40}, {0, 1}), {});
  EXPECT_TRUE(segment_slice(network, embedding, prompt, 96, 96)
                  .allclose(out.low.slice(1, out.best(), out.best() + 1), 0, 1e-5));
}

TEST_F(SamMed2dSessionTest, BoxAnswersAloneAndMasksAreProbabilities) {
  SamMed2dNetwork network(small_.package(), with_engine("torch"));
  auto model = med2d::stand_in_network();
  const auto embedding = med2d::expected("embedding");
  const SlicePrompt box{.boxes = {{20, 16, 71, 80}}, .clicks = {}, .mask = {}};
  auto out = model->decode(embedding, med2d::with_padding_rule({20, 16, 71, 80}, {2, 3}), {});
  EXPECT_TRUE(segment_slice(network, embedding, box, 96, 96)
                  .allclose(out.low.slice(1, out.best(), out.best() + 1), 0, 1e-5));

  // A mask that covers everything is 1 at every size.
  const SlicePrompt mask{.boxes = {}, .clicks = {}, .mask = std::vector<uint8_t>(50 * 40, 7)};
  out = model->decode(embedding, med2d::with_padding_rule({}, {}), torch::ones({1, 1, 24, 24}));
  EXPECT_TRUE(segment_slice(network, embedding, mask, 50, 40)
                  .allclose(out.low.slice(1, out.best(), out.best() + 1), 0, 1e-5));
}

TEST_F(SamMed2dSessionTest, SlicesWithoutAPromptStayEmpty) {
  infer::ObjectPrompt prompt;
  prompt.points = {{{40, 50, 3}, true}, {{40, 50, 8}, true}};
  const auto result = run(prompt);
  const auto counts = voxels_by_slice(result);
  for (int64_t z = 0; z < testing::kDepth; ++z) {
    if (z != 3 && z != 8) EXPECT_EQ(counts[static_cast<size_t>(z)], 0) << z;
  }
  EXPECT_GT(counts[3], 0);
  EXPECT_GT(counts[8], 0);
  EXPECT_EQ(result.report.slices_encoded, 2);
  EXPECT_EQ(result.report.slices_tracked, 2);
  EXPECT_EQ(result.report.engine, "torch");
  EXPECT_THAT(result.report.notes, ::testing::Contains(HasSubstr("2-D network")));
}

TEST_F(SamMed2dSessionTest, BoxWithDepthIsTakenOnEachOfItsSlices) {
  infer::ObjectPrompt prompt;
  prompt.boxes = {{{25, 35, 4}, {55, 65, 7}}};
  EXPECT_EQ(run(prompt).report.slices_tracked, 4);
  infer::SegmentOptions options;
  options.slice_range = {{6, 20}};
  const auto narrow = run(prompt, options);
  const auto counts = voxels_by_slice(narrow);
  EXPECT_EQ(counts[4] + counts[5], 0);
  EXPECT_EQ(narrow.report.slices_tracked, 0);  // answered before
  options.slice_range = {{0, 1}};
  EXPECT_THAT([&] { (void)run(prompt, options); },
              ThrowsMessage<Error>(HasSubstr("no prompt lies within the slice range")));
}

TEST_F(SamMed2dSessionTest, FurtherClickComputesOnlyItsSlice) {
  infer::ObjectPrompt prompt;
  prompt.points = {{{40, 50, 3}, true}, {{40, 50, 8}, true}};
  (void)run(prompt);
  prompt.points.push_back({{70, 20, 8}, false});
  const auto result = run(prompt);
  EXPECT_EQ(result.report.slices_encoded, 0);
  EXPECT_EQ(result.report.slices_tracked, 1);
}

TEST_F(SamMed2dSessionTest, PreviewIsTheSliceOfTheRun) {
  infer::ObjectPrompt prompt;
  prompt.points = {{{40, 50, 6}, true}};
  infer::SegmentOptions options;
  options.components = infer::Components::kAll;
  const auto result = run(prompt, options);
  const auto preview = session_->preview_slice(0, 6, stop_);
  const auto voxels =
      result.labels.voxels().subspan(6 * testing::kWidth * testing::kHeight, preview.size());
  const auto inside = std::count(preview.begin(), preview.end(), uint8_t{1});
  EXPECT_GT(inside, 0);
  EXPECT_LT(inside, static_cast<int64_t>(preview.size()));
  for (size_t i = 0; i < preview.size(); ++i) ASSERT_EQ(preview[i] != 0, voxels[i] != 0) << i;
  EXPECT_THAT([&] { (void)session_->preview_slice(0, 5, stop_); },
              ThrowsMessage<Error>(HasSubstr("slice 5 must be a key slice")));
}

// Every slice keeps its own largest part: slices are not neighbours of each other.
TEST_F(SamMed2dSessionTest, LargestPartIsThatOfEachSlice) {
  infer::ObjectPrompt prompt;
  prompt.boxes = {{{25, 35, 2}, {55, 65, 2}}, {{25, 35, 9}, {55, 65, 9}}};
  infer::SegmentOptions all;
  all.components = infer::Components::kAll;
  const auto every = voxels_by_slice(run(prompt, all));
  const auto largest = voxels_by_slice(run(prompt));
  for (const size_t z : {size_t{2}, size_t{9}}) {
    ASSERT_GT(every[z], 0);
    EXPECT_GT(largest[z], 0);
    EXPECT_LE(largest[z], every[z]);
  }
}

TEST_F(SamMed2dSessionTest, ScoresAreThereWhenAskedFor) {
  infer::ObjectPrompt prompt;
  prompt.points = {{{40, 50, 6}, true}};
  infer::SegmentOptions options;
  EXPECT_TRUE(run(prompt, options).report.scores.empty());
  options.scores = true;
  const auto result = run(prompt, options);
  ASSERT_EQ(result.report.scores.size(), 1U);
  ASSERT_TRUE(result.report.scores[0].has_value());
  EXPECT_GT(result.report.scores[0]->entropy, 0.0);
}

TEST_F(SamMed2dSessionTest, BadPromptsAreExplained) {
  infer::ObjectPrompt prompt;
  EXPECT_THAT([&] { session_->set_prompts({prompt}); },
              ThrowsMessage<Error>(HasSubstr("must have a positive point, a box or a mask")));
  EXPECT_THAT([&] { (void)session_->run({}, progress_, stop_); },
              ThrowsMessage<Error>(HasSubstr("no prompt selects a slice")));
  for (int64_t i = 0; i < 65; ++i) prompt.points.push_back({{i, 3, 2}, true});
  EXPECT_THAT([&] { session_->set_prompts({prompt}); },
              ThrowsMessage<Error>(HasSubstr("slice 2 must have at most 64 clicks, got 65")));
  prompt.points = {{{40, 50, 6}, true}, {{40, 50, 7}, false}};
  EXPECT_THAT(run(prompt).report.notes,
              ::testing::Contains(HasSubstr("negative clicks alone on slice 7")));
  prompt.points = {{{90, 50, 6}, true}};
  EXPECT_THAT([&] { session_->set_prompts({prompt}); },
              ThrowsMessage<Error>(HasSubstr("must lie inside the volume")));
}

TEST_F(SamMed2dSessionTest, StopIsHeard) {
  session_->set_prompts({testing::box_prompt()});
  stop_.cancel();
  EXPECT_THROW((void)session_->run({}, progress_, stop_), Error);
}

TEST(SamMed2dPackageTest, OptionsOfAnotherNetworkAreRefused) {
  auto options = med2d::shrunken_options();
  options.depth = 4;
  const SmallPackage package(options);
  EXPECT_THAT([&] { (void)make_sam_med2d_segmenter(package.package(), with_engine("torch")); },
              ThrowsMessage<Error>(HasSubstr("missing keys")));
}

TEST(SamMed2dPackageTest, EnginesGiveTheSameEmbedding) {
  if (!engine::has_openvino()) GTEST_SKIP() << "this build has no OpenVINO";
  const torch::NoGradGuard no_grad;
  const SmallPackage package;
  SamMed2dNetwork torch_network(package.package(), with_engine("torch"));
  SamMed2dNetwork openvino_network(
      package.package(), with_engine("openvino"), engine::FileCache({}));
  const auto image = med2d::stand_in_image();
  EXPECT_LE(
      models::sam2::max_difference(torch_network.encode(image), openvino_network.encode(image)),
      1e-4);
  auto runtime = with_engine("torch");
  runtime.device = "cuda";
  EXPECT_THAT([&] { SamMed2dNetwork network(package.package(), runtime); },
              ThrowsMessage<Error>(HasSubstr("device 'cuda'")));
}

}  // namespace
}  // namespace voxloom::infer_ml
