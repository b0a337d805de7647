#include "voxloom/io/path_suffix.h"

#include <algorithm>
#include <string>

namespace voxloom::io {

bool has_suffix(const std::filesystem::path& path, std::string_view suffix) {
  const std::string name = path.filename().string();
  if (name.size() < suffix.size()) return false;
  return std::equal(suffix.begin(),
                    suffix.end(),
                    name.end() - static_cast<ptrdiff_t>(suffix.size()),
                    [](char want, char got) {
                      return want == (got >= 'A' && got <= 'Z' ? static_cast<char>(got + 32) : got);
                    });
}

}  // namespace voxloom::io
