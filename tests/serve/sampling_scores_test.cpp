// Scores for active learning: what an image is prompted with, the cache on disk, the background
// work, the strategies that use them, and Dice scoring.
#include <algorithm>
#include <chrono>
#include <fstream>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "voxloom/serve/sampling/sampler.h"
#include "voxloom/serve/sampling/score_strategies.h"
#include "voxloom/serve/sampling/score_with_model.h"
#include "voxloom/serve/sampling/scorer.h"
#include "voxloom/serve/sampling/scoring.h"
#include "voxloom/serve/tasks/scoring_job.h"

#include "memory_datastore.h"

using namespace voxloom;         // NOLINT(*-using-namespace)
using namespace voxloom::serve;  // NOLINT(*-using-namespace)
using testing_store::MemoryDatastore;
using testing_store::TemporaryFolder;

namespace {

image::Geometry grid(const image::Index3& size) {
  image::Geometry geometry;
  geometry.size = size;
  return geometry;
}

image::LabelVolume labels_with(const image::Geometry& geometry,
                               const infer::BoxPrompt& box,
                               uint16_t value) {
  image::LabelVolume labels(geometry);
  auto voxels = labels.voxels();
  for (int64_t z = box.lo[2]; z <= box.hi[2]; ++z) {
    for (int64_t y = box.lo[1]; y <= box.hi[1]; ++y) {
      for (int64_t x = box.lo[0]; x <= box.hi[0]; ++x) {
        voxels[static_cast<size_t>((z * geometry.size[1] + y) * geometry.size[0] + x)] = value;
      }
    }
  }
  return labels;
}

class ScorerTest : public testing::Test {
 protected:
  struct Call {
    std::string id;
    infer::BoxPrompt box;
  };

  void image(const std::string& id, const image::Geometry& geometry) {
    const auto file = folder_ / (id + ".nrrd");
    io::write_volume(image::Volume(geometry, image::PixelType::kUint8), file, Overwrite::kReplace);
    store_->put(id, file);
  }
  void image(const std::string& id) { image(id, grid({20, 20, 10})); }
  void label(const std::string& id, const std::string& tag, const image::LabelVolume& labels) {
    const auto file = folder_ / (id + "-" + tag + std::to_string(files_++) + ".nrrd");
    io::write_labels(labels, file, Overwrite::kReplace);
    store_->put_label(id, tag, file);
  }
  void label(const std::string& id, const std::string& tag, const infer::BoxPrompt& box) {
    label(id, tag, labels_with(grid({20, 20, 10}), box, 1));
  }
  std::unique_ptr<Scorer> make(const std::string& model = "m1") {
    return std::make_unique<Scorer>(
        store_,
        ScorerOptions{.cache_file = folder_ / ".voxloom/scores.jsonl",
                      .model = model,
                      .label = 1,
                      .rescan_ms = 0,
                      .busy = nullptr},
        [this](const std::string& id, const infer::BoxPrompt& box, const CancelToken& stop) {
          stop.check();
          calls_.push_back({id, box});
          if (on_score_) return on_score_(id);
          return std::optional(ImageScores{0.5, std::nullopt, 0.1});
        });
  }
  /// Everything that is pending; the ids in the order in which they were scored.
  std::vector<std::string> work(Scorer& scorer) {
    calls_.clear();
    scorer.scan(CancelToken());
    while (scorer.score_next(CancelToken())) {
    }
    std::vector<std::string> ids;
    for (const auto& call : calls_) ids.push_back(call.id);
    return ids;
  }

  TemporaryFolder folder_;
  std::shared_ptr<MemoryDatastore> store_ = std::make_shared<MemoryDatastore>();
  std::vector<Call> calls_;
  std::function<std::optional<ImageScores>(const std::string&)> on_score_;
  int files_ = 0;
};

const infer::BoxPrompt kBoxA{{2, 4, 1}, {9, 11, 6}};
const infer::BoxPrompt kBoxB{{4, 6, 3}, {11, 13, 8}};

}  // namespace

TEST(BoxTest, ARelativeBoxComesBackOnTheSameGrid) {
  auto geometry = grid({20, 30, 10});
  EXPECT_EQ(voxel_box(geometry, relative_box(geometry, kBoxA)), kBoxA);
  geometry.direction = {0, -1, 0, 0, 0, 1, -1, 0, 0};
  EXPECT_EQ(voxel_box(geometry, relative_box(geometry, kBoxA)), kBoxA);
}

TEST(BoxTest, TheSameRegionOfAFlippedImageHasTheSameRelativeBox) {
  const auto plain = grid({20, 20, 10});
  auto flipped = plain;
  flipped.direction = {-1, 0, 0, 0, 1, 0, 0, 0, -1};
  const infer::BoxPrompt mirrored{{19 - 9, 4, 9 - 6}, {19 - 2, 11, 9 - 1}};
  EXPECT_EQ(voxel_box(flipped, relative_box(plain, kBoxA)), mirrored);
}

TEST(BoxTest, ABoxScalesWithTheImage) {
  EXPECT_EQ(voxel_box(grid({40, 40, 20}), relative_box(grid({20, 20, 10}), kBoxA)),
            (infer::BoxPrompt{{4, 8, 2}, {19, 23, 13}}));
}

TEST(BoxTest, TheMedianTakesEachEndByItself) {
  const auto box = median_box({{{0.1, 0.2, 0.3}, {0.5, 0.6, 0.7}},
                               {{0.2, 0.1, 0.3}, {0.9, 0.6, 0.7}},
                               {{0.3, 0.3, 0.0}, {0.6, 0.9, 1.0}}});
  EXPECT_EQ(box.lo, (image::Vec3{0.2, 0.2, 0.3}));
  EXPECT_EQ(box.hi, (image::Vec3{0.6, 0.6, 0.7}));
}

TEST(BoxTest, OverlapIsSharedOverJointVolume) {
  EXPECT_DOUBLE_EQ(box_overlap(kBoxA, kBoxA), 1.0);
  EXPECT_DOUBLE_EQ(box_overlap({{0, 0, 0}, {1, 1, 1}}, {{1, 0, 0}, {2, 1, 1}}), 4.0 / 12.0);
  EXPECT_DOUBLE_EQ(box_overlap({{0, 0, 0}, {1, 1, 1}}, {{2, 0, 0}, {3, 1, 1}}), 0.0);
}

TEST_F(ScorerTest, ThePromptIsThePredictionElseTheMedianOfLabelledCasesElseNone) {
  for (const char* id : {"a", "b", "c"}) image(id);
  label("b", "original", kBoxB);
  auto scorer = make();
  EXPECT_THAT(work(*scorer), testing::ElementsAre("b"));
  EXPECT_EQ(calls_[0].box, kBoxB);
  EXPECT_EQ(scorer->stats(), (ScorerStats{.scored = 1, .without_prompt = 2, .from_prediction = 1}));

  label("c", "final", kBoxA);
  EXPECT_THAT(work(*scorer), testing::ElementsAre("a"));
  EXPECT_EQ(calls_[0].box, kBoxA);
  EXPECT_EQ(scorer->stats(), (ScorerStats{.scored = 2, .from_prediction = 1, .from_cases = 1}));

  label("a", "original", kBoxB);
  EXPECT_THAT(work(*scorer), testing::ElementsAre("a")) << "a better prompt makes a new score";
  EXPECT_EQ(calls_[0].box, kBoxB);
}

TEST_F(ScorerTest, ImagesWithAPredictionAreScoredFirst) {
  for (const char* id : {"a", "b", "c", "d"}) image(id);
  label("d", "final", kBoxA);
  label("c", "original", kBoxB);
  auto scorer = make();
  EXPECT_THAT(work(*scorer), testing::ElementsAre("c", "a", "b"));
}

TEST_F(ScorerTest, OtherLabelValuesMakeNoPrompt) {
  image("a");
  label("a", "original", labels_with(grid({20, 20, 10}), kBoxA, 2));
  auto scorer = make();
  EXPECT_TRUE(work(*scorer).empty());
  EXPECT_EQ(scorer->stats(), (ScorerStats{.without_prompt = 1}));
}

TEST_F(ScorerTest, AMedianBoxThatHardlyMovesMakesNoNewScores) {
  for (const char* id : {"a", "b", "c"}) image(id);
  label("b", "final", kBoxA);
  auto scorer = make();
  EXPECT_THAT(work(*scorer), testing::ElementsAre("a", "c"));
  label("c", "final", {{2, 4, 1}, {10, 11, 6}});
  EXPECT_TRUE(work(*scorer).empty());
  label("b", "final", {{12, 14, 5}, {19, 19, 9}});
  label("c", "final", {{12, 14, 5}, {19, 19, 9}});
  EXPECT_THAT(work(*scorer), testing::ElementsAre("a"));
}

TEST_F(ScorerTest, ScoresAreKeptOverARestart) {
  for (const char* id : {"a", "b", "c"}) {
    image(id);
    label(id, "original", kBoxA);
  }
  {
    auto scorer = make();
    scorer->scan(CancelToken());
    ASSERT_TRUE(scorer->score_next(CancelToken()));
    ASSERT_TRUE(scorer->score_next(CancelToken()));
  }
  // Killed while it wrote: the last line is cut.
  const auto file = folder_ / ".voxloom/scores.jsonl";
  std::filesystem::resize_file(file, std::filesystem::file_size(file) - 9);
  {
    auto scorer = make();
    EXPECT_THAT(work(*scorer), testing::ElementsAre("b", "c"));
    EXPECT_EQ(scorer->find("a"), (ImageScores{0.5, std::nullopt, 0.1}));
  }
  auto scorer = make();
  EXPECT_TRUE(work(*scorer).empty());
  EXPECT_EQ(scorer->stats().scored, 3);
}

TEST_F(ScorerTest, AnotherModelOrImageFileMakesScoresStale) {
  for (const char* id : {"a", "b"}) {
    image(id);
    label(id, "original", kBoxA);
  }
  auto scorer = make();
  EXPECT_EQ(work(*scorer).size(), 2U);
  image("b", grid({20, 20, 11}));
  label("b", "original", kBoxA);
  EXPECT_THAT(work(*scorer), testing::ElementsAre("b"));
  scorer.reset();
  scorer = make("m2");
  scorer->scan(CancelToken());
  EXPECT_FALSE(scorer->find("a"));
  EXPECT_EQ(work(*scorer).size(), 2U);
}

TEST_F(ScorerTest, AnImageThatFailsIsCountedAndTriedAgainWhenItChanges) {
  for (const char* id : {"a", "b"}) {
    image(id);
    label(id, "original", kBoxA);
  }
  on_score_ = [](const std::string& id) -> std::optional<ImageScores> {
    if (id == "a") throw Error(ErrorCode::kDataCorrupt, "bad");
    return std::nullopt;
  };
  auto scorer = make();
  EXPECT_EQ(work(*scorer).size(), 2U);
  EXPECT_EQ(scorer->stats(), (ScorerStats{.nothing_found = 1, .failed = 1}));
  EXPECT_TRUE(work(*scorer).empty());
  image("a", grid({20, 20, 12}));
  label("a", "original", kBoxA);
  EXPECT_THAT(work(*scorer), testing::ElementsAre("a"));
}

TEST_F(ScorerTest, AMissingFileAndABrokenLabelAreNoReasonToStop) {
  store_->put("a", folder_ / "none.nrrd");
  image("b");
  std::ofstream(folder_ / "broken.nrrd") << "NRRD0004\nnonsense";
  store_->put_label("b", "original", folder_ / "broken.nrrd");
  image("c");
  label("c", "original", kBoxA);
  auto scorer = make();
  EXPECT_THAT(work(*scorer), testing::ElementsAre("c"));
  EXPECT_EQ(scorer->stats(),
            (ScorerStats{.scored = 1, .without_prompt = 1, .failed = 1, .from_prediction = 1}));
}

TEST_F(ScorerTest, CancellingLeavesTheImagePending) {
  image("a");
  label("a", "original", kBoxA);
  auto scorer = make();
  scorer->scan(CancelToken());
  const CancelToken stop;
  stop.cancel();
  EXPECT_THROW(scorer->score_next(stop), Error);
  EXPECT_EQ(scorer->stats().pending, 1);
  EXPECT_TRUE(scorer->score_next(CancelToken()));
}

TEST_F(ScorerTest, TheThreadFindsNewImagesAndStopsInTheMiddle) {
  image("a");
  label("a", "original", kBoxA);
  std::atomic<bool> inside{false};
  Scorer scorer(store_,
                {.cache_file = folder_ / "s.jsonl",
                 .model = "m",
                 .label = 1,
                 .rescan_ms = 0,
                 .busy = nullptr},
                [&](const std::string& id, const infer::BoxPrompt&, const CancelToken& stop) {
                  if (id == "b") {
                    inside = true;
                    while (!stop.cancelled())
                      std::this_thread::sleep_for(std::chrono::milliseconds(1));
                    stop.check();
                  }
                  return std::optional(ImageScores{1.0, 1.0, 1.0});
                });
  scorer.start();
  const auto wait = [](const std::function<bool()>& done) {
    for (int i = 0; i < 20000 && !done(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return done();
  };
  EXPECT_TRUE(wait([&] { return scorer.find("a").has_value(); }));
  image("b");
  label("b", "original", kBoxA);
  EXPECT_TRUE(wait([&] { return inside.load(); }));
  EXPECT_FALSE(scorer.find("b"));
}

TEST_F(ScorerTest, NothingIsScoredWhileTheServerIsBusy) {
  image("a");
  label("a", "original", kBoxA);
  std::atomic<int> asked{0}, scored{0};
  std::atomic<bool> busy{true};
  Scorer scorer(store_,
                {.cache_file = folder_ / "s.jsonl",
                 .model = "m",
                 .label = 1,
                 .rescan_ms = 0,
                 .busy =
                     [&] {
                       ++asked;
                       return busy.load();
                     }},
                [&](const std::string&, const infer::BoxPrompt&, const CancelToken&) {
                  ++scored;
                  return std::optional(ImageScores{1.0, 1.0, 1.0});
                });
  scorer.start();
  const auto wait = [](const std::function<bool()>& done) {
    for (int i = 0; i < 20000 && !done(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return done();
  };
  EXPECT_TRUE(wait([&] { return asked >= 2; }));
  EXPECT_EQ(scored, 0);
  EXPECT_EQ(scorer.stats().pending, 1) << "it is seen, and waits";
  busy = false;
  EXPECT_TRUE(wait([&] { return scorer.find("a").has_value(); }));
}

TEST(ScoreLineTest, ALineComesBackAndDamageIsNoticed) {
  const ScoreEntry entry{.id = "case \"1\" \xC3\xA9",
                         .stamp = "12:34",
                         .model = "m 1",
                         .label = 3,
                         .origin = PromptOrigin::kCases,
                         .box = kBoxA,
                         .scores = {0.1 + 0.2, std::nullopt, 1e-7}};
  const auto line = score_line(entry);
  EXPECT_EQ(parse_score_line(line), entry);
  for (size_t cut = 0; cut < line.size(); ++cut) {
    EXPECT_FALSE(parse_score_line(line.substr(0, cut))) << cut;
  }
  for (const auto& [from, to] :
       std::vector<std::pair<std::string, std::string>>{{"\"label\":3", "\"label\":70000"},
                                                        {"\"label\":3", "\"label\":-1"},
                                                        {"\"cases\"", "\"elsewhere\""},
                                                        {"[2,4,1,", "[2,4,-1,"},
                                                        {"[2,4,1,", "[18446744073709551615,4,1,"},
                                                        {"[2,4,1,", "[12,4,1,"},
                                                        {"[2,4,1,", "[4,1,"},
                                                        {"\"stamp\":\"12:34\"", "\"stamp\":12"},
                                                        {"1e-07", "\"much\""}}) {
    auto changed = line;
    const auto at = changed.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    changed.replace(at, from.size(), to);
    EXPECT_FALSE(parse_score_line(changed)) << changed;
  }
}

TEST(ScoreCacheTest, TheLastLineOfAnIdCountsAndAFullFileIsWrittenAnew) {
  const TemporaryFolder folder;
  const auto file = folder / "scores.jsonl";
  ScoreEntry entry{.id = "a",
                   .stamp = "1:1",
                   .model = "m",
                   .label = 1,
                   .origin = PromptOrigin::kCases,
                   .box = kBoxA,
                   .scores = {}};
  {
    ScoreCache cache(file);
    for (int i = 0; i < 40; ++i) {
      entry.scores.entropy = i;
      cache.put(entry);
    }
  }
  {
    std::ofstream(file, std::ios::app) << "garbage\n\n{\"id\": 1}\n";
    const ScoreCache cache(file);
    EXPECT_EQ(cache.size(), 1U);
    EXPECT_EQ(cache.find("a"), entry);
  }
  std::ifstream in(file);
  std::string line, rest;
  std::getline(in, line);
  EXPECT_EQ(parse_score_line(line), entry);
  EXPECT_FALSE(std::getline(in, rest)) << "only the line in use is left";
}

TEST_F(ScorerTest, StrategiesTakeTheHighestScoreThenImagesWithoutOneById) {
  for (const char* id : {"a", "b", "c", "d"}) image(id);
  for (const char* id : {"b", "c", "d"}) label(id, "original", kBoxA);
  on_score_ = [](const std::string& id) {
    if (id == "b") return std::optional(ImageScores{0.2, 0.9, 0.1});
    if (id == "c") return std::optional(ImageScores{0.8, std::nullopt, 0.2});
    return std::optional(ImageScores{0.5, 0.1, 0.3});
  };
  std::shared_ptr<Scorer> scorer = make();
  SamplerOptions options;
  options.scorer = scorer;
  options.taken_timeout_s = 1000;
  Sampler sampler(options);
  const auto order = [&](const std::string& strategy) {
    std::string ids;
    for (int i = 0; i < 4; ++i) {
      // Another client each time: the ones before are taken.
      const Json body{{"client_id", strategy + std::to_string(i)}};
      ids += sampler.next_sample(*store_, strategy, body, "", nullptr, CancelToken())["id"]
                 .get<std::string>();
    }
    for (const char* id : {"a", "b", "c", "d"}) {
      store_->update_image_info(id, {{"strategy", Json::object()}});
    }
    return ids;
  };
  EXPECT_EQ(order("hard"), "abcd") << "nothing is known yet";
  work(*scorer);
  EXPECT_EQ(order("uncertain"), "cdba");
  EXPECT_EQ(order("disagree"), "bdac");
  EXPECT_EQ(order("hard"), "dcba");
  const auto answer =
      sampler.next_sample(*store_, "uncertain", nullptr, "", nullptr, CancelToken());
  EXPECT_EQ(answer["score"], 0.8);
  EXPECT_EQ(answer["scored"], 3);
  const auto info = (*sampler.info(*store_))["uncertain"];
  EXPECT_EQ(info["scores"]["scored"], 3);
  EXPECT_EQ(info["scores"]["without_prompt"], 1);
  EXPECT_THAT(info["description"].get<std::string>(),
              testing::HasSubstr("3 scored (3 prompted by their prediction"));
}

TEST_F(ScorerTest, InfoFollowsTheScores) {
  image("a");
  label("a", "original", kBoxA);
  std::shared_ptr<Scorer> scorer = make();
  SamplerOptions options;
  options.scorer = scorer;
  Sampler sampler(options);
  EXPECT_EQ((*sampler.info(*store_))["hard"]["scores"]["scored"], 0);
  work(*scorer);
  EXPECT_EQ((*sampler.info(*store_))["hard"]["scores"]["scored"], 1);
}

TEST_F(ScorerTest, WithoutAScorerItsStrategiesDoNotExist) {
  Sampler sampler(SamplerOptions{});
  EXPECT_FALSE(sampler.info(*store_)->contains("uncertain"));
}

TEST(ScoringTest, DiceComparesTheValuesOfTheFinalLabel) {
  const TemporaryFolder folder;
  const auto g = grid({20, 20, 10});
  const infer::BoxPrompt half{{2, 4, 1}, {5, 11, 6}};
  const auto dice = [&](const image::LabelVolume& truth, const image::LabelVolume& predicted) {
    io::write_labels(truth, folder / "truth.nrrd", Overwrite::kReplace);
    io::write_labels(predicted, folder / "predicted.nrrd", Overwrite::kReplace);
    return dice_of_files(folder / "truth.nrrd", folder / "predicted.nrrd");
  };
  const auto truth = labels_with(g, kBoxA, 1);
  EXPECT_NEAR(dice(truth, labels_with(g, half, 1)).get<double>(), 2.0 * 4 / (4 + 8), 1e-12);
  // Value 2 is in the prediction only ("uncertain"): not counted.
  auto predicted = truth;
  predicted.voxels()[0] = 2;
  EXPECT_EQ(dice(truth, predicted), 1.0);
  EXPECT_TRUE(dice(truth, labels_with(grid({20, 20, 9}), half, 1)).is_null());
  EXPECT_EQ(dice(image::LabelVolume(g), truth), 0.0);
  EXPECT_EQ(dice(image::LabelVolume(g), image::LabelVolume(g)), 1.0);
  EXPECT_THROW(static_cast<void>(dice_of_files(folder / "absent.nrrd", folder / "truth.nrrd")),
               Error);
  EXPECT_TRUE(scoring_methods().contains("dice"));
}

TEST(ScoringTest, ADamagedLabelDoesNotEndTheOthers) {
  const TemporaryFolder folder;
  io::write_labels(
      labels_with(grid({20, 20, 10}), kBoxA, 1), folder / "a.nrrd", Overwrite::kReplace);
  std::ofstream(folder / "damaged.nrrd") << "NRRD0004\n";
  const auto pair = [&](const char* id, const char* predicted) {
    return Json{{"id", id},
                {"truth", (folder / "a.nrrd").string()},
                {"predicted", (folder / predicted).string()}};
  };
  std::vector<Json> lines;
  run_scoring({{"scoring", "dice"},
               {"pairs", Json::array({pair("x", "damaged.nrrd"), pair("y", "a.nrrd")})}},
              CancelToken(),
              [&](const Json& line) { lines.push_back(line); });
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_TRUE(lines[0]["dice"].is_null());
  EXPECT_TRUE(lines[0].contains("error"));
  EXPECT_EQ(lines[1].dump(), R"({"case":"y","dice":1.0,"progress":1.0})");
}
