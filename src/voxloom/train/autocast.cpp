#include "voxloom/train/autocast.h"

#include <ATen/autocast_mode.h>

namespace voxloom::train {

AutocastScope::AutocastScope(c10::DeviceType device, Amp amp)
    : device_(device),
      before_(at::autocast::is_autocast_enabled(device)),
      dtype_before_(at::autocast::get_autocast_dtype(device)) {
  if (amp != Amp::kOff) {
    at::autocast::set_autocast_dtype(device_, amp == Amp::kBf16 ? at::kBFloat16 : at::kHalf);
  }
  at::autocast::set_autocast_enabled(device_, amp != Amp::kOff);
}

AutocastScope::~AutocastScope() {
  at::autocast::clear_cache();
  at::autocast::set_autocast_enabled(device_, before_);
  at::autocast::set_autocast_dtype(device_, dtype_before_);
}

}  // namespace voxloom::train
