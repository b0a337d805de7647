#pragma once

#include <ATen/ATen.h>
#include <c10/core/DispatchKeySet.h>
#include <c10/core/impl/LocalDispatchKeySet.h>

namespace voxloom::nn {

/// While it lives, autocast changes nothing on this thread: losses and derivative filters need
/// more digits than half precision has.
class FullPrecisionGuard {
 private:
  const c10::impl::ExcludeDispatchKeyGuard guard_{c10::autocast_dispatch_keyset};
};

/// float64 stays; everything else (half precision, masks, counts) becomes float32.
[[nodiscard]] inline at::Tensor to_full(const at::Tensor& x) {
  return x.scalar_type() == at::kDouble ? x : x.to(at::kFloat);
}

}  // namespace voxloom::nn
