#include "voxloom/tensor/autocast.h"

#include <ATen/autocast_mode.h>

namespace voxloom::tensor {

Autocast::Autocast(at::ScalarType type)
    : was_enabled_(at::autocast::is_autocast_enabled(at::kCPU)),
      old_type_(at::autocast::get_autocast_dtype(at::kCPU)) {
  at::autocast::set_autocast_enabled(at::kCPU, true);
  at::autocast::set_autocast_dtype(at::kCPU, type);
}

Autocast::~Autocast() {
  at::autocast::clear_cache();
  at::autocast::set_autocast_enabled(at::kCPU, was_enabled_);
  at::autocast::set_autocast_dtype(at::kCPU, old_type_);
}

}  // namespace voxloom::tensor
