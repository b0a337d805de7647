// ImageRecord's one function, for test programs of a build whose library has no datastore yet.
#include "voxloom/serve/datastore/datastore.h"

namespace voxloom::serve {

[[gnu::weak]] const LabelRecord* ImageRecord::label(std::string_view tag) const {
  for (const auto& label : labels) {
    if (label.tag == tag) return &label;
  }
  return nullptr;
}

}  // namespace voxloom::serve
