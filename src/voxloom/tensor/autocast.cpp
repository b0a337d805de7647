#include "voxloom/tensor/autocast.h"

#include <ATen/autocast_mode.h>

namespace voxloom::tensor {

Autocast::Autocast(std::optional<at::ScalarType> type, c10::DeviceType device)
    : device_(device),
      was_enabled_(at::autocast::is_autocast_enabled(device)),
      old_type_(at::autocast::get_autocast_dtype(device)) {
  if (type) at::autocast::set_autocast_dtype(device_, *type);
  at::autocast::set_autocast_enabled(device_, type.has_value());
}

Autocast::~Autocast() {
  at::autocast::clear_cache();
  at::autocast::set_autocast_enabled(device_, was_enabled_);
  at::autocast::set_autocast_dtype(device_, old_type_);
}

}  // namespace voxloom::tensor
