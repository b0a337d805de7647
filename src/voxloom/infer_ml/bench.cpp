#include "voxloom/infer_ml/bench.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include <nlohmann/json.hpp>

#include <torch/torch.h>

#include "voxloom/core/error.h"
#include "voxloom/core/parallel.h"
#include "voxloom/core/random.h"
#include "voxloom/infer_ml/sam2_network.h"
#include "voxloom/weights/generated.h"

namespace voxloom::infer_ml {
namespace {

using nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

constexpr int64_t kSide = 512, kDepth = 16;
constexpr int kRepeats = 3;

/// A bright ellipsoid in noise: 512 x 512 x 16, int16, like a CT slab.
std::shared_ptr<image::VolumeSource> slab() {
  image::Volume volume(
      image::Geometry{.size = {kSide, kSide, kDepth}, .spacing_mm = {0.8, 0.8, 2.5}},
      image::PixelType::kInt16);
  Rng rng(1);
  auto voxels = volume.as<int16_t>();
  size_t i = 0;
  for (int64_t z = 0; z < kDepth; ++z) {
    for (int64_t y = 0; y < kSide; ++y) {
      for (int64_t x = 0; x < kSide; ++x, ++i) {
        const double dx = static_cast<double>(x - 250) / 70, dy = static_cast<double>(y - 240) / 55;
        const double dz = static_cast<double>(z - kDepth / 2) / 10;
        const double value = (dx * dx + dy * dy + dz * dz < 1 ? 90 : 20) + 12 * rng.normal();
        voxels[i] = static_cast<int16_t>(std::lround(value));
      }
    }
  }
  return image::make_source(std::move(volume));
}

std::shared_ptr<Sam2Network> stand_in_network(const infer::RuntimeOptions& runtime) {
  const torch::NoGradGuard no_grad;
  at::set_num_threads(thread_budget());
  const auto& options = models::sam2::variant_options("medsam2_t512");
  std::vector<weights::KeyShape> keys;
  for (const auto& key : models::sam2::expected_keys(options)) {
    keys.push_back({key.name, key.shape});
  }
  const auto state = weights::make_stand_in_weights(keys);
  auto network = std::make_shared<Sam2Network>();
  network->name = "medsam2_t512 with stand-in weights";
  network->model = models::sam2::load_sam2(state, options.variant, "stand-in");
  prepare_encoder(*network, state, "stand-in-medsam2_t512", {}, false, runtime);
  return network;
}

class Stopwatch {
 public:
  template <class Call>
  void time(const std::string& name, Call call) {
    const auto start = Clock::now();
    call();
    seconds_[name].push_back(std::chrono::duration<double>(Clock::now() - start).count());
  }
  void add(const std::string& name, double seconds) { seconds_[name].push_back(seconds); }
  [[nodiscard]] ordered_json medians() const {
    ordered_json result;
    for (auto [name, values] : seconds_) {
      std::sort(values.begin(), values.end());
      result[name] = values[values.size() / 2];
    }
    return result;
  }

 private:
  std::map<std::string, std::vector<double>> seconds_;
};

ordered_json bench_segment(const std::string& package,
                           const infer::RuntimeOptions& runtime,
                           Progress& progress) {
  Stopwatch watch;
  std::shared_ptr<Sam2Network> network;
  watch.time("load_network", [&] {
    network = package.empty() ? stand_in_network(runtime) : load_network(package, runtime);
  });
  const auto volume = slab();
  const infer::SegmentOptions options{.window = "abdomen"};
  Progress silent;
  const CancelToken stop;
  infer::SegmentReport report;
  progress.begin("bench segment", kRepeats);
  for (int repeat = 0; repeat < kRepeats; ++repeat) {
    // A segmenter of its own: features of the repeat before would be found again.
    const auto session = make_sam2_segmenter(network, runtime)->open(volume);
    infer::ObjectPrompt box;
    box.boxes = {{{180, 185, kDepth / 2}, {320, 295, kDepth / 2}}};
    session->set_prompts({box});
    // The first preview works out the window, encodes one slice and decodes it.
    watch.time("key_slice",
               [&] { static_cast<void>(session->preview_slice(0, kDepth / 2, stop)); });

    infer::ObjectPrompt ends;
    ends.points = {{{180, 185, 0}, true}, {{320, 295, kDepth - 1}, true}};
    session->set_prompts({ends});
    watch.time("two_ended_first", [&] { report = session->run(options, silent, stop).report; });

    for (const auto& [stage, seconds] : report.times_s) {
      if (stage == "encode") watch.add("two_ended_first_encoder", seconds);
    }

    ends.points.push_back({{200, 200, 0}, false});
    session->set_prompts({ends});
    const int64_t key = (kDepth - 1) / 2;
    watch.time("further_click_shown",
               [&] { static_cast<void>(session->preview_slice(0, key, stop)); });
    infer::SegmentReport further;
    watch.time("further_click_whole",
               [&] { further = session->run(options, silent, stop).report; });
    VOXLOOM_CHECK(further.slices_encoded == 0,
                  ErrorCode::kInternal,
                  "a further click encoded {} slices",
                  further.slices_encoded);
    progress.advance(1);
  }
  progress.end();
  return {{"bench", "segment"},
          {"network", network->name},
          {"engine", report.engine},
          {"precision", report.precision},
          {"threads", thread_budget()},
          {"volume", format("{}x{}x{}", kSide, kSide, kDepth)},
          {"repeats", kRepeats},
          {"median_s", watch.medians()}};
}

}  // namespace

ordered_json bench(const std::string& name,
                   const std::string& package,
                   const infer::RuntimeOptions& runtime,
                   Progress& progress) {
  VOXLOOM_CHECK(
      name == "segment", ErrorCode::kInvalidArgument, "bench '{}': must be segment", name);
  return bench_segment(package, runtime, progress);
}

}  // namespace voxloom::infer_ml
