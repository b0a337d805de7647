#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

#include <nlohmann/json.hpp>

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/error.h"
#include "voxloom/dataset/manifest.h"
#include "voxloom/dataset/sealed.h"
#include "voxloom/infer/wire_overlay.h"
#include "voxloom/infer_ml/wire_network.h"
#include "voxloom/io/raster.h"
#include "voxloom/recipes/wire/commands.h"
#include "voxloom/video/picture.h"

namespace voxloom::recipes::wire {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

struct Input {
  std::string name;  ///< Of the outputs, without suffix.
  fs::path file;
};

std::vector<Input> inputs_of(const std::vector<std::string>& sources) {
  std::vector<Input> out;
  for (const auto& source : sources) {
    if (fs::is_directory(source)) {
      for (auto& file : video::list_pictures(source)) {
        out.push_back({file.stem().string(), std::move(file)});
      }
    } else if (video::is_picture(source)) {
      out.push_back({fs::path(source).stem().string(), source});
    } else {
      for (const auto& sample : dataset::read_manifest(source).samples) {
        auto name = sample.id;
        std::replace(name.begin(), name.end(), '/', '_');
        VOXLOOM_CHECK(sample.role != dataset::Role::kSealed,
                      ErrorCode::kInvalidArgument,
                      "sample '{}': is sealed; only 'wire eval --unseal' opens it",
                      sample.id);
        out.push_back({std::move(name), sample.image});
      }
    }
  }
  VOXLOOM_CHECK(!out.empty(), ErrorCode::kNotFound, "inputs: hold no PNG or JPEG images");
  std::vector<fs::path> files;
  for (const auto& input : out) files.push_back(input.file);
  dataset::SealedRegister().refuse_files(files);
  std::set<std::string> names;
  for (const auto& input : out) {
    VOXLOOM_CHECK(names.insert(input.name).second,
                  ErrorCode::kInvalidArgument,
                  "inputs: two images are called '{}', their outputs would be one",
                  input.name);
  }
  return out;
}

void write_grey(const fs::path& path,
                const std::vector<uint8_t>& mask,
                int64_t width,
                int64_t height,
                Overwrite overwrite) {
  io::Raster raster{.width = width, .height = height};
  raster.pixels.resize(mask.size());
  for (size_t i = 0; i < mask.size(); ++i)
    raster.pixels[i] = mask[i] != 0 ? std::byte{255} : std::byte{0};
  io::write_png(raster, path, overwrite);
}

void write_probability(const fs::path& path,
                       const std::vector<float>& probability,
                       int64_t width,
                       int64_t height,
                       Overwrite overwrite) {
  io::Raster raster{.width = width, .height = height, .type = image::PixelType::kUint16};
  raster.pixels.resize(probability.size() * 2);
  auto* words = reinterpret_cast<uint16_t*>(raster.pixels.data());
  for (size_t i = 0; i < probability.size(); ++i) {
    words[i] = static_cast<uint16_t>(std::lround(probability[i] * 65535.0F));
  }
  io::write_png(raster, path, overwrite);
}

/// Hands out what a network made of a frame before: the tracker then works on the same map.
class GivenProbability final : public infer::WireSegmenter {
 public:
  GivenProbability(const infer::WireModelInfo& info, const std::vector<float>& map)
      : info_(info), map_(map) {}
  [[nodiscard]] const infer::WireModelInfo& info() const override { return info_; }
  void segment(const image::Frame&, std::vector<float>& probability) override {
    probability = map_;
  }

 private:
  infer::WireModelInfo info_;
  const std::vector<float>& map_;
};

}  // namespace

ordered_json predict(const infer::WirePredictOptions& options,
                     const std::function<void(const std::string&)>& line,
                     Progress& progress,
                     const CancelToken& stop) {
  const auto overwrite = options.force ? Overwrite::kReplace : Overwrite::kRefuse;
  const auto inputs = inputs_of(options.inputs);
  const fs::path folder = options.output;
  make_output_folder(folder);
  for (const auto& input : inputs) check_output(folder / (input.name + "_mask.png"), overwrite);

  auto model = infer_ml::make_wire_segmenter(options.model, options.runtime, options.augmentation);
  const double threshold = options.threshold > 0.0 ? options.threshold : model->info().threshold;
  std::vector<float> probability;
  auto tracker =
      infer::make_wire_tracker(std::make_unique<GivenProbability>(model->info(), probability),
                               {.high_threshold = std::max(threshold, 0.01),
                                .low_threshold = std::max(0.5 * threshold, 0.005),
                                .temporal = false});
  progress.begin("predict", static_cast<int64_t>(inputs.size()));
  for (const auto& input : inputs) {
    stop.check();
    auto frame = video::picture_frame(io::read_raster(input.file));
    model->reset();
    model->segment(frame, probability);
    std::vector<uint8_t> mask(probability.size());
    for (size_t i = 0; i < mask.size(); ++i) {
      mask[i] = probability[i] > static_cast<float>(threshold);
    }
    write_grey(folder / (input.name + "_mask.png"), mask, frame.width, frame.height, overwrite);
    if (options.probabilities) {
      write_probability(folder / (input.name + "_probability.png"),
                        probability,
                        frame.width,
                        frame.height,
                        overwrite);
    }
    tracker->reset();
    auto result = tracker->step(frame);
    result.mask = std::move(mask);
    if (options.overlays) {
      const auto canvas = infer::draw_wire_overlay(frame, result);
      io::write_png(io::rgb_raster(canvas.width(), canvas.height(), canvas.pixels()),
                    folder / (input.name + "_overlay.png"),
                    overwrite);
    }
    ordered_json json{{"image", input.file.string()}};
    json.update(infer::wire_result_to_json(result));
    line(json.dump());
    progress.advance(1);
  }
  progress.end();
  return {{"images", inputs.size()},
          {"output", folder.string()},
          {"model", model->info().name},
          {"threshold", threshold},
          {"engine", model->info().engine},
          {"precision", model->info().precision}};
}

}  // namespace voxloom::recipes::wire
