#include "voxloom/serve/datastore/datastore.h"

#include <algorithm>

#include "voxloom/core/error.h"
#include "voxloom/core/utf8.h"

namespace voxloom::serve {

const LabelRecord* ImageRecord::label(std::string_view tag) const {
  const auto it =
      std::find_if(labels.begin(), labels.end(), [&](const auto& l) { return l.tag == tag; });
  return it == labels.end() ? nullptr : &*it;
}

void check_name(std::string_view name, std::string_view what) {
  const auto refuse = [&](std::string_view must) {
    throw Error(ErrorCode::kInvalidArgument, format("{}: {}", what, must));
  };
  if (name.empty()) refuse("must not be empty");
  if (name.size() > 255) {
    refuse(format("must have at most 255 bytes, got {}", name.size()));
  }
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) refuse("must hold no control characters");
    if (c == '/' || c == '\\') refuse("must be a plain name without separators");
  }
  // Hidden files are passed over when a folder is read, so such a name would not be found again.
  if (name.front() == '.') refuse("must not begin with a dot");
  if (!is_utf8(name)) refuse("must be UTF-8 text");
}

}  // namespace voxloom::serve
