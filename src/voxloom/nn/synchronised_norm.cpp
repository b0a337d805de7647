#include "voxloom/nn/synchronised_norm.h"

#include <array>
#include <utility>

#include "voxloom/core/error.h"
#include "voxloom/nn/batch_norm.h"
#include "voxloom/nn/full_precision.h"

namespace voxloom::nn {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr std::array<int64_t, 3> kAllButChannels{0, 2, 3};

/// Carries the function from the forward pass to the backward pass.
struct Summer : torch::CustomClassHolder {
  explicit Summer(SumOverRanks function) : sum(std::move(function)) {}
  SumOverRanks sum;
};

at::Tensor per_channel(const at::Tensor& values) {
  return values.view({1, -1, 1, 1});
}

struct Statistics {
  at::Tensor mean, variance;  ///< [C] float64, over all processes; the variance of the sample.
  double count = 0.0;         ///< Values a channel.
};

/// Sums of x and x^2 are taken around 0 from each process's own mean and variance: in float64 the
/// difference of two large numbers loses nothing that float32 has.
Statistics statistics_of(const at::Tensor& x, const SumOverRanks& sum) {
  const int64_t channels = x.size(1);
  const auto own = static_cast<double>(x.numel() / channels);
  const auto [var, mean] = at::var_mean(x, kAllButChannels, /*correction=*/0);
  const at::Tensor m = mean.to(at::kDouble);
  const at::Tensor sums = at::empty({2 * channels + 1}, m.options());
  sums.narrow(0, 0, channels).copy_(m * own);
  sums.narrow(0, channels, channels).copy_((var.to(at::kDouble) + m * m) * own);
  sums.narrow(0, 2 * channels, 1).fill_(own);
  sum(sums);
  Statistics out;
  out.count = sums[2 * channels].item<double>();
  out.mean = sums.narrow(0, 0, channels) / out.count;
  out.variance =
      (sums.narrow(0, channels, channels) / out.count - out.mean * out.mean).clamp_min(0.0);
  return out;
}

class SynchronisedNorm : public torch::autograd::Function<SynchronisedNorm> {
 public:
  static at::Tensor forward(AutogradContext* context,
                            const at::Tensor& x,
                            const at::Tensor& weight,
                            const at::Tensor& bias,
                            at::Tensor running_mean,
                            at::Tensor running_var,
                            double momentum,
                            double eps,
                            const c10::intrusive_ptr<Summer>& summer) {
    const FullPrecisionGuard guard;
    const at::Tensor full = to_full(x);
    const Statistics s = statistics_of(full, summer->sum);
    running_mean.mul_(1.0 - momentum).add_(s.mean.to(running_mean.scalar_type()), momentum);
    // As PyTorch: the running variance is the unbiased one.
    const double unbiased = s.count > 1.0 ? s.count / (s.count - 1.0) : 1.0;
    running_var.mul_(1.0 - momentum)
        .add_((s.variance * unbiased).to(running_var.scalar_type()), momentum);
    const at::Tensor mean = s.mean.to(full.scalar_type());
    const at::Tensor variance = s.variance.to(full.scalar_type());
    const at::Tensor inverse = (s.variance + eps).rsqrt().to(full.scalar_type());
    context->save_for_backward({x, weight, mean, inverse});
    context->saved_data["count"] = s.count;
    context->saved_data["sum"] = c10::IValue::make_capsule(summer);
    const at::Tensor y = std::get<0>(
        at::native_batch_norm(full, weight, bias, mean, variance, /*training=*/false, 0.0, eps));
    return y.to(x.scalar_type());
  }

  static variable_list backward(AutogradContext* context, variable_list outputs) {
    const FullPrecisionGuard guard;
    const auto saved = context->get_saved_variables();
    const at::Tensor& weight = saved[1];
    const at::Tensor& inverse = saved[3];
    const at::Tensor dy = to_full(outputs[0]);
    const at::Tensor centred = to_full(saved[0]) - per_channel(saved[2]);
    const at::Tensor sum_dy = dy.sum(kAllButChannels);
    const at::Tensor sum_dy_x = (dy * centred).sum(kAllButChannels);
    const at::Tensor d_weight = sum_dy_x * inverse;

    const at::Tensor sums = at::stack({sum_dy, sum_dy_x}).to(at::kDouble);
    const auto summer =
        c10::static_intrusive_pointer_cast<Summer>(context->saved_data["sum"].toCapsule());
    summer->sum(sums);
    const double count = context->saved_data["count"].toDouble();
    const at::Tensor means = (sums / count).to(dy.scalar_type());
    const at::Tensor slope = means[1] * inverse * inverse;
    const at::Tensor dx =
        (dy - per_channel(means[0]) - centred * per_channel(slope)) * per_channel(inverse * weight);
    return {dx.to(saved[0].scalar_type()), d_weight, sum_dy, {}, {}, {}, {}, {}};
  }
};

}  // namespace

at::Tensor synchronised_batch_norm(const at::Tensor& x,
                                   const at::Tensor& weight,
                                   const at::Tensor& bias,
                                   at::Tensor running_mean,
                                   at::Tensor running_var,
                                   double momentum,
                                   double eps,
                                   const SumOverRanks& sum) {
  return SynchronisedNorm::apply(x,
                                 weight,
                                 bias,
                                 std::move(running_mean),
                                 std::move(running_var),
                                 momentum,
                                 eps,
                                 c10::make_intrusive<Summer>(sum));
}

void synchronise_batch_norms(torch::nn::Module& network, const SumOverRanks& sum) {
  for (const auto& item : network.named_modules()) {
    const auto& module = item.value();
    if (auto* norm = module->as<BatchNorm2dImpl>()) norm->sum_over_ranks = sum;
    VOXLOOM_CHECK(module->as<torch::nn::BatchNorm1dImpl>() == nullptr &&
                      module->as<torch::nn::BatchNorm2dImpl>() == nullptr &&
                      module->as<torch::nn::BatchNorm3dImpl>() == nullptr,
                  ErrorCode::kUnsupported,
                  "distributed: batch statistics of '{}' can't be taken over all ranks",
                  item.key());
  }
}

}  // namespace voxloom::nn
