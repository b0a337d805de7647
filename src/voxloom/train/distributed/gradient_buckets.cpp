#include "voxloom/train/distributed/gradient_buckets.h"

#include <utility>

#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include "voxloom/core/error.h"

namespace voxloom::train {

std::vector<std::vector<size_t>> plan_buckets(const std::vector<at::Tensor>& parameters,
                                              const BucketSizes& sizes) {
  std::vector<std::vector<size_t>> plan;
  int64_t left = 0;
  for (size_t i = parameters.size(); i-- > 0;) {
    const at::Tensor& parameter = parameters[i];
    const auto bytes = static_cast<int64_t>(parameter.nbytes());
    const bool fits = !plan.empty() && bytes <= left &&
                      parameters[plan.back().front()].scalar_type() == parameter.scalar_type() &&
                      parameters[plan.back().front()].device() == parameter.device();
    if (!fits) {
      left = plan.empty() ? sizes.first_bytes : sizes.bytes;
      plan.emplace_back();
    }
    plan.back().push_back(i);
    left -= bytes;
  }
  return plan;
}

/// Called by autograd when a parameter's gradient is complete.
class GradientBuckets::Hook final : public torch::autograd::PostAccumulateGradHook {
 public:
  Hook(GradientBuckets& owner, size_t parameter) : owner_(owner), parameter_(parameter) {}
  void operator()(const torch::autograd::Variable& /*tensor*/) override {
    owner_.ready(parameter_);
  }

 private:
  GradientBuckets& owner_;
  size_t parameter_;
};

GradientBuckets::GradientBuckets(std::vector<at::Tensor> parameters,
                                 Communicator& ranks,
                                 const BucketSizes& sizes)
    : parameters_(std::move(parameters)), ranks_(ranks), bucket_of_(parameters_.size()) {
  for (auto& members : plan_buckets(parameters_, sizes)) {
    Bucket bucket{.members = std::move(members)};
    int64_t total = 0;
    for (const size_t i : bucket.members) total += parameters_[i].numel();
    bucket.flat = at::zeros({total}, parameters_[bucket.members.front()].options());
    bucket.flat.set_requires_grad(false);
    int64_t offset = 0;
    for (const size_t i : bucket.members) {
      const at::Tensor& parameter = parameters_[i];
      const at::Tensor part = bucket.flat.narrow(0, offset, parameter.numel());
      bucket.views.push_back(
          parameter.is_non_overlapping_and_dense()
              ? part.as_strided(parameter.sizes(), parameter.strides(), part.storage_offset())
              : part.view(parameter.sizes()));
      offset += parameter.numel();
      bucket_of_[i] = buckets_.size();
    }
    buckets_.push_back(std::move(bucket));
  }
  for (size_t i = 0; i < parameters_.size(); ++i) {
    torch::autograd::impl::set_post_acc_grad_hooks(parameters_[i],
                                                   std::make_unique<Hook>(*this, i));
  }
}

GradientBuckets::~GradientBuckets() {
  for (const at::Tensor& parameter : parameters_) {
    torch::autograd::impl::set_post_acc_grad_hooks(parameter, nullptr);
  }
}

void GradientBuckets::arm() {
  armed_ = true;
  next_ = 0;
  sent_early_ = 0;
  for (Bucket& bucket : buckets_) {
    bucket.missing = bucket.members.size();
    bucket.pending.reset();
  }
}

void GradientBuckets::ready(size_t parameter) {
  if (!armed_) return;
  Bucket& bucket = buckets_[bucket_of_[parameter]];
  VOXLOOM_CHECK(bucket.missing > 0,
                ErrorCode::kInternal,
                "gradients: each must be complete once a step, got parameter {} twice",
                parameter);
  --bucket.missing;
  for (; next_ < buckets_.size() && buckets_[next_].missing == 0; ++next_, ++sent_early_) {
    send(buckets_[next_]);
  }
}

void GradientBuckets::send(Bucket& bucket) {
  const torch::NoGradGuard no_grad;
  for (size_t k = 0; k < bucket.members.size(); ++k) {
    const at::Tensor& gradient = parameters_[bucket.members[k]].grad();
    if (gradient.defined()) {
      bucket.views[k].copy_(gradient);
    } else {
      bucket.views[k].zero_();
    }
  }
  bucket.pending = ranks_.start_sum(bucket.flat);
}

std::string GradientBuckets::used() const {
  std::string out;
  for (const at::Tensor& parameter : parameters_) out += parameter.grad().defined() ? '1' : '0';
  return out;
}

void GradientBuckets::finish(const std::string& used_by_any_rank) {
  const torch::NoGradGuard no_grad;
  armed_ = false;
  for (; next_ < buckets_.size(); ++next_) send(buckets_[next_]);
  const double share = 1.0 / static_cast<double>(ranks_.size());
  for (Bucket& bucket : buckets_) {
    bucket.pending->wait();
    bucket.pending.reset();
    bucket.flat.mul_(share);
    for (size_t k = 0; k < bucket.members.size(); ++k) {
      const size_t i = bucket.members[k];
      if (used_by_any_rank.at(i) == '0') continue;
      at::Tensor& gradient = parameters_[i].mutable_grad();
      if (!gradient.defined()) gradient = at::empty_like(parameters_[i]);
      gradient.copy_(bucket.views[k]);
    }
  }
}

}  // namespace voxloom::train
