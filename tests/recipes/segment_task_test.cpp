// Fine-tuning at the small configuration: gradients, learning rates, memory, over-fitting from
// random weights, and exact resume.
#include <map>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <torch/torch.h>

#include "voxloom/core/atomic_file.h"
#include "voxloom/models/sam2/memory_bank.h"
#include "voxloom/recipes/segment/clip_loss.h"
#include "voxloom/recipes/segment/clip_memory.h"
#include "voxloom/recipes/segment/parameter_groups.h"
#include "voxloom/recipes/segment/task.h"
#include "voxloom/recipes/train_run.h"
#include "voxloom/tensor/autocast.h"
#include "voxloom/weights/generated.h"

#include "../train/temporary_folder.h"
#include "labelled_balls.h"

namespace voxloom::recipes::segment {
namespace {

namespace sam2 = models::sam2;

/// The network that takes every code path, with random weights.
sam2::Sam2 small_network() {
  const auto options = sam2::shrunken_options();
  std::vector<weights::KeyShape> keys;
  for (const auto& key : sam2::expected_keys(options)) keys.push_back({key.name, key.shape});
  sam2::Sam2 network(options);
  tensor::load_state_dict(*network, weights::make_stand_in_weights(keys), "random weights");
  return network;
}

/// Three slices of two squares, the second of which is on the first slice alone.
Clip squares() {
  Clip clip{
      .name = "squares",
      .images = torch::randn({3, 3, 128, 128}, torch::make_generator<at::CPUGeneratorImpl>(3)),
      .masks = torch::zeros({3, 2, 128, 128})};
  clip.masks.select(1, 0).slice(1, 20, 60).slice(2, 30, 90) = 1;
  clip.masks[0][1].slice(0, 70, 110).slice(1, 40, 80) = 1;
  return clip;
}

PromptPlan mask_plan() {
  return {.points = false, .conditioning = {0, 2}, .boxes = {false, false}, .corrected = {}};
}
PromptPlan point_plan(bool box) {
  return {.points = true, .conditioning = {0}, .boxes = {box}, .corrected = {0, 2}};
}

ClipLoss loss_of(sam2::Sam2& network, const PromptPlan& plan, bool freeze = false) {
  torch::manual_seed(11);
  Rng rng(2);
  return clip_loss(network, squares(), plan, {.clicks = 3}, freeze, rng);
}

TEST(ClipLossTest, EveryTrainableParameterGetsAFiniteGradient) {
  sam2::Sam2 network = small_network();
  network->train();
  std::map<std::string, double> largest;
  const auto collect = [&] {
    for (auto& item : network->named_parameters()) {
      const at::Tensor& gradient = item.value().grad();
      if (!gradient.defined()) continue;
      ASSERT_TRUE(gradient.isfinite().all().item<bool>()) << item.key();
      auto& most = largest[item.key()];
      most = std::max(most, gradient.abs().max().item<double>());
    }
  };
  for (const auto& plan : {mask_plan(), point_plan(true), point_plan(false)}) {
    loss_of(network, plan).total.backward();
    collect();
  }
  // A network that finds nothing: the embeddings of absence.
  {
    const torch::NoGradGuard no_grad;
    network->named_parameters()["sam_mask_decoder.pred_obj_score_head.layers.2.bias"].fill_(-50);
  }
  loss_of(network, point_plan(true)).total.backward();
  collect();
  double competing = 0.0;
  for (const char* mask : {"1", "2", "3"}) {
    competing += largest[std::string("sam_mask_decoder.output_hypernetworks_mlps.") + mask +
                         ".layers.0.weight"];
  }
  EXPECT_GT(competing, 0.0);
  for (const auto& item : network->named_parameters()) {
    if (item.key() == "no_mem_pos_enc") continue;  // the architecture never reads it
    // Of the competing masks the best one alone is judged.
    if (item.key().find("hypernetworks_mlps.") != std::string::npos &&
        item.key().find("hypernetworks_mlps.0") == std::string::npos) {
      continue;
    }
    EXPECT_GT(largest[item.key()], 0.0) << item.key();
  }
}

TEST(ClipLossTest, CountsAnAnswerPerSliceAndClickAndNoneForMasks) {
  sam2::Sam2 network = small_network();
  network->eval();
  const torch::NoGradGuard no_grad;
  EXPECT_EQ(loss_of(network, mask_plan()).answers, 1);  // slice 1 alone
  EXPECT_EQ(loss_of(network, point_plan(true)).answers, 3 + 2 * 3);
  EXPECT_EQ(loss_of(network, point_plan(true)).total.item<double>(),
            loss_of(network, point_plan(true)).total.item<double>());
}

TEST(ClipLossTest, Bfloat16GivesNearlyTheSameLoss) {
  sam2::Sam2 network = small_network();
  network->eval();  // no dropout
  const double full = loss_of(network, mask_plan()).total.item<double>();
  at::Tensor half;
  {
    const tensor::Autocast autocast;
    half = loss_of(network, mask_plan()).total;
  }
  EXPECT_EQ(half.scalar_type(), torch::kFloat);
  EXPECT_NEAR(half.item<double>(), full, 0.1 * full);
  half.backward();
  for (auto& item : network->named_parameters()) {
    if (item.value().grad().defined()) {
      EXPECT_TRUE(item.value().grad().isfinite().all().item<bool>()) << item.key();
    }
  }
}

TEST(ClipLossTest, AFrozenImageEncoderGetsNoGradient) {
  sam2::Sam2 network = small_network();
  network->train();
  infer::SegmentTrainOptions options;
  options.freeze_image_encoder = true;
  static_cast<void>(parameter_groups(network, options));
  loss_of(network, point_plan(true), true).total.backward();
  for (auto& item : network->named_parameters()) {
    if (!item.key().starts_with("image_encoder.")) continue;
    EXPECT_FALSE(item.value().grad().defined()) << item.key();
  }
  EXPECT_TRUE(network->maskmem_tpos_enc.grad().defined());
}

/// What a slice reads is what the tracker reads: same maps, rows, pointers and distances.
TEST(ClipMemoryTest, ReadsLikeTheTracker) {
  sam2::Sam2 network = small_network();
  network->eval();
  const torch::NoGradGuard no_grad;
  constexpr int64_t kFrames = 8;
  auto generator = torch::make_generator<at::CPUGeneratorImpl>(5);
  const auto random = [&](at::IntArrayRef shape) { return torch::randn(shape, generator); };
  ClipMemory memory(network, kFrames);
  sam2::MemoryBank bank(network->options, kFrames);
  for (int64_t t = 0; t < 7; ++t) {
    const auto map = random({1, 16, 8, 8}), pointer = random({1, 64});
    memory.add(t, t == 0, map, pointer);
    (t == 0 ? bank.prompted : bank.tracked)[t] = {
        .memory = std::make_shared<sam2::MemoryFrame>(map, t == 0), .pointer = pointer, .low = {}};
  }
  const auto f2 = random({1, 64, 8, 8});
  sam2::MemoryRead read;
  read.maps = bank.maps_for(7, sam2::Direction::kForward);
  std::vector<at::Tensor> pointers;
  std::vector<double> times;
  for (const auto& pointer : bank.pointers_for(7, sam2::Direction::kForward)) {
    pointers.push_back(pointer.value);
    times.push_back(static_cast<double>(pointer.distance) /
                    static_cast<double>(bank.longest_distance()));
  }
  std::tie(read.pointers, read.pointer_positions) =
      network->pointer_tokens(at::cat(pointers, 0), torch::tensor(times, torch::kDouble));
  const auto wanted = network->condition_on_memory(f2, read);
  EXPECT_LT((memory.condition(7, f2) - wanted).abs().max().item<double>(), 1e-5);
  // Objects don't see each other.
  ClipMemory two(network, kFrames);
  two.add(0, true, random({2, 16, 8, 8}), random({2, 64}));
  const auto both = two.condition(1, f2.expand({2, -1, -1, -1}));
  EXPECT_GT((both[0] - both[1]).abs().max().item<double>(), 1e-3);
}

TEST(ParameterGroupsTest, RatesFallTowardsTheImageAndNormsDontDecay) {
  sam2::Sam2 network = small_network();
  const auto groups = parameter_groups(network, {});
  std::map<const void*, std::pair<double, double>> found;
  for (const auto& group : groups) {
    for (const auto& parameter : group.parameters) {
      found[parameter.unsafeGetTensorImpl()] = {group.lr_factor, group.weight_decay_factor};
    }
  }
  const auto named = network->named_parameters();
  EXPECT_EQ(found.size(), named.size());
  const auto expect = [&](const std::string& name, double rate, double decay) {
    const auto& [lr, wd] = found.at(named[name].unsafeGetTensorImpl());
    EXPECT_NEAR(lr, rate, 1e-12) << name;
    EXPECT_EQ(wd, decay) << name;
  };
  const std::string trunk = "image_encoder.trunk.";  // of 7 blocks
  expect(trunk + "patch_embed.proj.weight", 0.6 * std::pow(0.9, 8), 1);
  expect(trunk + "blocks.0.attn.qkv.weight", 0.6 * std::pow(0.9, 7), 1);
  expect(trunk + "blocks.6.attn.qkv.weight", 0.6 * 0.9, 1);
  expect(trunk + "blocks.6.attn.qkv.bias", 0.6 * 0.9, 0);
  expect(trunk + "blocks.2.norm1.weight", 0.6 * std::pow(0.9, 5), 0);
  expect(trunk + "pos_embed", 0.6, 1);
  expect("image_encoder.neck.convs.0.conv.weight", 0.6, 1);
  expect("sam_mask_decoder.transformer.norm_final_attn.weight", 1, 0);
  expect("memory_encoder.fuser.layers.0.gamma", 1, 1);
  expect("maskmem_tpos_enc", 1, 1);
}

TEST(SplitCasesTest, RolesDecideElseTheShare) {
  std::vector<dataset::LabelledVolume> volumes(10);
  for (size_t i = 0; i < volumes.size(); ++i) volumes[i].id = std::to_string(i);
  const auto drawn = split_cases(volumes, 0.3, 4);
  EXPECT_EQ(drawn.validation.size(), 3U);
  EXPECT_EQ(drawn.training.size(), 7U);
  EXPECT_EQ(split_cases(volumes, 0.3, 4).validation, drawn.validation);
  volumes[2].role = dataset::Role::kTrain;
  volumes[5].role = dataset::Role::kVal;
  const auto given = split_cases(volumes, 0.3, 4);
  EXPECT_EQ(given.training, std::vector<size_t>{2});
  EXPECT_EQ(given.validation, std::vector<size_t>{5});
  volumes[7].role = dataset::Role::kSealed;
  EXPECT_THROW(static_cast<void>(split_cases(volumes, 0.3, 4)), Error);
}

infer::SegmentTrainOptions small_options() {
  infer::SegmentTrainOptions options;
  options.model = "random";
  options.window = "none";
  options.clip = {.frames = 3, .max_objects = 2, .reverse_share = 0.5, .augment = false};
  options.prompts.clicks = 1;
  options.layer_decay = 1.0;
  options.image_encoder_lr_factor = 1.0;
  options.trainer.amp = infer::Amp::kOff;
  options.trainer.accumulation = 1;
  options.trainer.epochs = 1;
  options.trainer.lr = 3e-4;
  options.trainer.warmup_steps = 10;
  options.trainer.weight_decay = 0.01;
  options.trainer.clip_norm = 1.0;
  options.trainer.validate_every = 0;
  options.trainer.checkpoint_every_s = 0;
  options.trainer.histograms = false;
  options.trainer.threads = 1;  // small maps: more cost time
  return options;
}

/// Stops the run after as many updates.
class StopAfter : public Progress {
 public:
  StopAfter(CancelToken stop, int64_t updates) : stop_(std::move(stop)), left_(updates) {}
  void begin(std::string_view stage, int64_t /*total*/) override {
    training_ = stage.starts_with("epoch");
  }
  void advance(int64_t steps) override {
    if (training_ && steps > 0 && --left_ == 0) stop_.cancel();
  }

 private:
  CancelToken stop_;
  int64_t left_;
  bool training_ = false;
};

class SegmentTaskTest : public ::testing::Test {
 protected:
  nlohmann::ordered_json train(const infer::SegmentTrainOptions& options,
                               const std::string& name,
                               bool resume,
                               Progress& progress,
                               const CancelToken& stop) {
    Progress quiet;
    auto cases = std::make_shared<CaseStore>(volumes_, options.window, 1 << 24, quiet, stop);
    weights::PackageInfo base{.task = "segment",
                              .architecture = "sam2.1-hiera",
                              .variant = "shrunken",
                              .licence = "none",
                              .created_by = "test"};
    // Validated on what it trains on: this is over-fitting.
    SegmentTask task(options,
                     small_network(),
                     cases,
                     {.training = {0, 1}, .validation = {0, 1}},
                     std::move(base));
    train::RunInfo info{.command_line = "test",
                        .version = "test",
                        .data_fingerprint = cases->fingerprint(),
                        .threads = options.trainer.threads};
    train::Run run = open_run((folder_.path() / name).string(), resume, false, std::move(info));
    return run_training(task, &run, options.trainer, nullptr, progress, stop);
  }
  [[nodiscard]] std::string file(const std::string& name) const {
    return read_text_file(folder_.path() / name);
  }

  train::TemporaryFolder folder_;
  std::vector<dataset::LabelledVolume> volumes_ = write_balls(folder_.path() / "set", {.cases = 2});
};

TEST_F(SegmentTaskTest, OverfitsASmallSetFromRandomWeights) {
  auto options = small_options();
  options.clips_per_case = 100;
  options.trainer.log_every = 10;
  Progress progress;
  const auto result = train(options, "run", false, progress, {});
  EXPECT_GT(result["metrics"]["dice"].get<double>(), 0.9) << result.dump();
  std::vector<double> losses;
  std::istringstream lines(file("run/metrics.jsonl"));
  for (std::string line; std::getline(lines, line);) {
    const auto json = nlohmann::ordered_json::parse(line);
    if (json["kind"] == "train") losses.push_back(json["loss"].get<double>());
  }
  ASSERT_EQ(losses.size(), 20U);
  EXPECT_LT(losses.back(), 0.5 * losses.front());
  const auto package = weights::read_package(result["model"].get<std::string>());
  EXPECT_TRUE(weights::verify_package(package).intact);
  EXPECT_EQ(package.info.variant, "shrunken");
}

TEST_F(SegmentTaskTest, AStoppedRunGoesOnToTheSameBytes) {
  auto options = small_options();
  options.clips_per_case = 3;
  options.clip.augment = true;
  options.trainer.log_every = 1;
  options.trainer.ema_decay = 0.9;
  Progress progress;
  static_cast<void>(train(options, "whole", false, progress, {}));
  const CancelToken stop;
  StopAfter stopper(stop, 2);
  EXPECT_THROW(static_cast<void>(train(options, "broken", false, stopper, stop)), Error);
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "broken/model"));
  static_cast<void>(train(options, "broken", true, progress, {}));
  EXPECT_EQ(file("whole/metrics.jsonl"), file("broken/metrics.jsonl"));
  EXPECT_EQ(file("whole/model/weights.safetensors"), file("broken/model/weights.safetensors"));
}

}  // namespace
}  // namespace voxloom::recipes::segment
