#include "voxloom/models/wire/detector.h"

#include <algorithm>
#include <cmath>

#include "voxloom/core/error.h"
#include "voxloom/models/wire/wire_options.h"
#include "voxloom/models/wire/wire_parts.h"
#include "voxloom/tensor/view.h"

namespace voxloom::models::wire {

namespace {

// Objects expected in an image of this side when training begins.
constexpr double kFirstObjects = 8.0, kFirstSide = 640.0;
constexpr double kFirstClassShare = 0.6;

}  // namespace

void DetectorOptions::visit(OptionList& list) {
  list.option("--width", width, "Factor of the channels.").with_range(0.05, 2.0);
  list.option("--depth", depth, "Factor of the blocks a stage.").with_range(0.05, 2.0);
  list.option("--classes", classes, "Kinds of objects.").with_range(1, 250);
  list.option("--frames", frames, "Frames of the input, the current one first.").with_range(1, 16);
  list.option("--previous", previous, "The heads see the previous frame's features too.");
}

void DetectorOptions::validate() const {
  VOXLOOM_CHECK(width >= 0.05 && width <= 2.0 && depth >= 0.05 && depth <= 2.0,
                ErrorCode::kInvalidArgument,
                "detector: width and depth must lie within [0.05, 2], got {} and {}",
                width,
                depth);
  VOXLOOM_CHECK(classes >= 1 && classes <= 250 && frames >= 1 && frames <= 16,
                ErrorCode::kInvalidArgument,
                "detector: classes must be 1 to 250 and frames 1 to 16, got {} and {}",
                classes,
                frames);
}

int64_t DetectorOptions::channels(int64_t full) const {
  return static_cast<int64_t>(std::ceil(static_cast<double>(full) * width / 8.0)) * 8;
}

Detector::Detector(const DetectorOptions& options) : options_(options) {
  options_.validate();
  const auto channels = [&](int64_t full) { return options_.channels(full); };
  const auto blocks = [&](int64_t full) {
    return std::max<int64_t>(1, std::lround(static_cast<double>(full) * options_.depth));
  };
  const int64_t c1 = channels(64), c2 = channels(128), c3 = channels(256), c4 = channels(512),
                c5 = channels(1024);
  const auto list = [&](const char* name) {
    return register_module(name, torch::nn::ModuleList());
  };
  const auto add_unit = [](torch::nn::ModuleList& to,
                           std::vector<SiluUnit>& units,
                           int64_t in,
                           int64_t out,
                           int64_t kernel,
                           int64_t stride) {
    units.emplace_back(in, out, kernel, stride);
    to->push_back(units.back());
  };
  const auto add_stage = [](torch::nn::ModuleList& to,
                            std::vector<CrossStage>& stages,
                            int64_t in,
                            int64_t out,
                            int64_t count,
                            bool add) {
    stages.emplace_back(in, out, count, add);
    to->push_back(stages.back());
  };

  stem_ = register_module("stem", SiluUnit(options_.frames, c1, 6, 2, 2));
  torch::nn::ModuleList down = list("down"), stage = list("stage");
  const std::array<int64_t, 5> widths{c1, c2, c3, c4, c5};
  constexpr std::array<int64_t, 4> kBlocks{3, 6, 9, 3};
  for (size_t n = 0; n < kBlocks.size(); ++n) {
    add_unit(down, down_, widths[n], widths[n + 1], 3, 2);
    add_stage(stage, stage_, widths[n + 1], widths[n + 1], blocks(kBlocks[n]), true);
  }
  pyramid_ = register_module("pyramid", PoolPyramid(c5));
  torch::nn::ModuleList narrow = list("narrow"), top_down = list("top_down"),
                        neck_down = list("neck_down"), bottom_up = list("bottom_up");
  add_unit(narrow, narrow_, c5, c4, 1, 1);
  add_stage(top_down, top_down_, 2 * c4, c4, blocks(3), false);
  add_unit(narrow, narrow_, c4, c3, 1, 1);
  add_stage(top_down, top_down_, 2 * c3, c3, blocks(3), false);
  add_unit(neck_down, neck_down_, c3, c3, 3, 2);
  add_stage(bottom_up, bottom_up_, 2 * c3, c4, blocks(3), false);
  add_unit(neck_down, neck_down_, c4, c4, 3, 2);
  add_stage(bottom_up, bottom_up_, 2 * c4, c5, blocks(3), false);

  torch::nn::ModuleList join = list("join"), head = list("head");
  for (const DetectorLevel& level : kDetectorLevelList) {
    const int64_t width = channels(level.full_channels);
    if (options_.previous) add_unit(join, join_, 2 * width, width, 1, 1);
    head_.emplace_back(
        width, static_cast<int64_t>(kDetectorAnchors) * (5 + options_.classes), nn::ConvOptions{});
    head->push_back(head_.back());
  }
}

DetectorMaps Detector::features(const at::Tensor& x) {
  VOXLOOM_CHECK(x.dim() == 4 && x.size(1) == options_.frames && x.size(2) > 0 && x.size(3) > 0 &&
                    x.size(2) % size_multiple() == 0 && x.size(3) % size_multiple() == 0,
                ErrorCode::kInvalidArgument,
                "detector: input must be [B, {}, H, W] with H and W multiples of {}, got {}",
                options_.frames,
                size_multiple(),
                tensor::shape_str(x));
  at::Tensor y = stem_(x);
  std::array<at::Tensor, 4> stages;
  for (size_t n = 0; n < stages.size(); ++n) {
    y = stage_[n](down_[n](y));
    stages[n] = y;
  }
  const auto enlarged = [](const at::Tensor& map, const at::Tensor& like) {
    return at::upsample_nearest2d(map, like.sizes().slice(2));
  };
  const at::Tensor deep = narrow_[0](pyramid_(y));
  const at::Tensor middle =
      narrow_[1](top_down_[0](at::cat({enlarged(deep, stages[2]), stages[2]}, 1)));
  DetectorMaps maps;
  maps[0] = top_down_[1](at::cat({enlarged(middle, stages[1]), stages[1]}, 1));
  maps[1] = bottom_up_[0](at::cat({neck_down_[0](maps[0]), middle}, 1));
  maps[2] = bottom_up_[1](at::cat({neck_down_[1](maps[1]), deep}, 1));
  return maps;
}

DetectorMaps Detector::detect(const DetectorMaps& current, const DetectorMaps& previous) {
  DetectorMaps raw;
  for (size_t level = 0; level < kDetectorLevels; ++level) {
    const at::Tensor& map = current[level];
    raw[level] =
        head_[level](options_.previous ? join_[level](at::cat({map, previous[level]}, 1)) : map);
  }
  return raw;
}

DetectorMaps Detector::forward(const at::Tensor& x) {
  const DetectorMaps maps = features(x);
  return detect(maps, maps);
}

void Detector::initialise(at::Generator generator) {
  initialise_convolutions(*this, generator);
  const torch::NoGradGuard no_grad;
  for (size_t level = 0; level < kDetectorLevels; ++level) {
    const double cells = kFirstSide / static_cast<double>(kDetectorLevelList[level].stride);
    head_[level]->weight.normal_(0.0, 0.01, generator);
    const at::Tensor bias =
        head_[level]->bias.view({static_cast<int64_t>(kDetectorAnchors), 5 + options_.classes});
    bias.zero_();
    bias.select(1, 4).fill_(std::log(kFirstObjects / (cells * cells)));
    bias.slice(1, 5).fill_(
        std::log(kFirstClassShare / (static_cast<double>(options_.classes) - 0.99999)));
  }
}

WireArchitecture detector_architecture() {
  return {kDetectorName,
          "boxes round devices, for the cascade (YOLOv5s size, previous frame's features)",
          "own code from the published facts of YOLOv5s",
          options_json(DetectorOptions{})};
}

std::shared_ptr<Detector> make_detector(const nlohmann::ordered_json& options, uint64_t seed) {
  auto network = std::make_shared<Detector>(read_options<DetectorOptions>(options, kDetectorName));
  network->initialise(at::make_generator<at::CPUGeneratorImpl>(seed));
  return network;
}

}  // namespace voxloom::models::wire
