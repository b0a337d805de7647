#include "voxloom/data/loader.h"

#include <chrono>
#include <utility>

#include <ATen/ATen.h>

#include "voxloom/core/error.h"
#include "voxloom/data/batch_maker.h"
#include "voxloom/data/batch_queue.h"

namespace voxloom::data {

struct Loader::State {
  State(std::vector<dataset::Sample> samples, const LoaderOptions& options)
      : maker(std::move(samples), options),
        queue([this](int64_t epoch, int64_t batch) { return maker.make(epoch, batch); },
              options.workers,
              options.prefetch) {}

  BatchMaker maker;
  BatchQueue queue;  ///< Behind the maker, so that its threads end first.
};

Loader::Loader(std::vector<dataset::Sample> samples, const LoaderOptions& options)
    : state_(std::make_unique<State>(std::move(samples), options)) {}

Loader::~Loader() = default;

int64_t Loader::batches_per_epoch() const {
  return state_->maker.batches_per_epoch();
}

void Loader::begin_epoch(int64_t epoch, int64_t first_batch) {
  const int64_t total = batches_per_epoch();
  VOXLOOM_CHECK(epoch >= 0 && first_batch >= 0 && first_batch <= total,
                ErrorCode::kInvalidArgument,
                "loader: an epoch must begin within its {} batches, got batch {} of epoch {}",
                total,
                first_batch,
                epoch);
  state_->queue.begin(epoch, first_batch, total);
}

std::optional<Batch> Loader::next() {
  const auto start = std::chrono::steady_clock::now();
  const std::shared_ptr<RawBatch> raw = state_->queue.next();
  if (!raw) return std::nullopt;
  Batch out;
  out.wait_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  // The tensors share the batch's memory and keep it alive.
  const auto keep = [raw](void*) {};
  out.image = at::from_blob(
      raw->image.data(), {raw->count, raw->channels, raw->height, raw->width}, keep, at::kFloat);
  out.target =
      at::from_blob(raw->target.data(), {raw->count, raw->height, raw->width}, keep, at::kByte);
  out.items = std::move(raw->items);
  return out;
}

}  // namespace voxloom::data
