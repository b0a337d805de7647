#include "tiny_task.h"

#include <utility>

#include "voxloom/core/format.h"
#include "voxloom/core/random.h"
#include "voxloom/nn/batch_norm.h"
#include "voxloom/tensor/load.h"
#include "voxloom/weights/package.h"

namespace voxloom::train {
namespace {

constexpr uint64_t kValidation = uint64_t{1} << 40;  // an epoch that training never reaches

}  // namespace

TinyTask::TinyTask(TinyTaskOptions options) : options_(std::move(options)) {
  torch::manual_seed(options_.seed);
  const int64_t c = options_.channels;
  network_->push_back("conv1", torch::nn::Conv2d(torch::nn::Conv2dOptions(1, c, 3).padding(1)));
  if (options_.norm) network_->push_back("norm1", nn::BatchNorm2d(c));
  network_->push_back("act1", torch::nn::ReLU());
  if (options_.dropout > 0) network_->push_back("drop1", torch::nn::Dropout(options_.dropout));
  network_->push_back("conv2", torch::nn::Conv2d(torch::nn::Conv2dOptions(c, 1, 3).padding(1)));
}

TinyTask::Batch TinyTask::make_batch(uint64_t epoch, int64_t first, int64_t count) const {
  const int64_t side = options_.side;
  Batch batch{torch::empty({count, 1, side, side}), torch::zeros({count, 1, side, side})};
  auto image = batch.image.accessor<float, 4>();
  auto target = batch.target.accessor<float, 4>();
  for (int64_t i = 0; i < count; ++i) {
    Rng rng(options_.seed, epoch << 20 ^ static_cast<uint64_t>(first + i));
    const double x0 = rng.uniform(0, static_cast<double>(side));
    const double y0 = rng.uniform(0, static_cast<double>(side));
    for (int64_t y = 0; y < side; ++y) {
      for (int64_t x = 0; x < side; ++x) {
        const double dx = static_cast<double>(x) - x0, dy = static_cast<double>(y) - y0;
        const bool inside = dx * dx + dy * dy < 9.0;
        image[i][0][y][x] = static_cast<float>(rng.normal(inside ? 1.0 : 0.0, 0.4));
        target[i][0][y][x] = inside ? 1.0F : 0.0F;
      }
    }
  }
  return batch;
}

void TinyTask::begin_epoch(int64_t epoch, int64_t /*epochs*/, int64_t first_step) {
  epoch_ = epoch;
  batch_ = first_step;
  first_steps.push_back(first_step);
}

Step TinyTask::step() {
  ++steps_taken;
  const int64_t n = options_.batch_size;
  const Batch batch =
      make_batch(static_cast<uint64_t>(epoch_), (batch_ * options_.ranks + options_.rank) * n, n);
  const at::Tensor logits = network_->forward(batch.image).to(at::kFloat);
  Step step;
  step.loss = torch::binary_cross_entropy_with_logits(logits, batch.target);
  step.terms = {{"bce", step.loss.item<double>()}};
  if (options_.on_loss) step.loss = options_.on_loss(epoch_, batch_, step.loss);
  step.items = n;
  step.batch = format("{}/{}", epoch_, batch_);
  ++batch_;
  return step;
}

Metrics TinyTask::validate(Progress& progress, const CancelToken& stop) {
  if (options_.on_validate) options_.on_validate();
  stop.check();
  progress.begin("validate", 1);
  const Batch batch = make_batch(kValidation, 0, 8);
  const at::Tensor logits = network_->forward(batch.image);
  const at::Tensor found = (logits > 0).to(at::kFloat);
  const double both = (found * batch.target).sum().item<double>();
  const double all = (found.sum() + batch.target.sum()).item<double>();
  Metrics metrics{
      {"loss", torch::binary_cross_entropy_with_logits(logits, batch.target).item<double>()},
      {"dice", (2.0 * both + 1.0) / (all + 1.0)}};
  if (!options_.scripted_score.empty()) {
    metrics["score"] = options_.scripted_score.at(static_cast<size_t>(validations));
  }
  ++validations;
  progress.advance(1);
  progress.end();
  return metrics;
}

std::vector<Picture> TinyTask::pictures() {
  const int64_t side = options_.side;
  const at::Tensor grey = make_batch(kValidation, 0, 1)
                              .image[0][0]
                              .mul(120)
                              .add(60)
                              .clamp(0, 255)
                              .to(at::kByte)
                              .unsqueeze(-1)
                              .expand({side, side, 3})
                              .contiguous();
  const auto* bytes = grey.const_data_ptr<uint8_t>();
  return {Picture{"disc <1>", side, side, std::vector<uint8_t>(bytes, bytes + grey.numel())}};
}

void TinyTask::write_model(const std::filesystem::path& folder, const Metrics& /*metrics*/) {
  ++models_written;
  weights::PackageInfo info;
  info.task = "wire";
  info.architecture = "tiny";
  info.variant = "test";
  info.labels = {{1, "disc"}};
  info.licence = "Apache-2.0";
  info.created_by = "voxloom test";
  weights::write_package(
      folder, info, tensor::state_dict(*network_), "A test.\n", Overwrite::kReplace);
}

}  // namespace voxloom::train
