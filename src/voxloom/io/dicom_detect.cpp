#include <array>
#include <cstring>
#include <fstream>

#include "voxloom/io/dicom_series.h"

namespace voxloom::io {

bool is_dicom_file(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) return false;
  std::array<char, 132> head{};
  std::ifstream file(path, std::ios::binary);
  file.read(head.data(), head.size());
  const auto got = file.gcount();
  if (got == 132 && std::memcmp(head.data() + 128, "DICM", 4) == 0) return true;
  if (got < 16) return false;
  // Files from before part 10 of the standard start with the first element: group 8 (or the file
  // meta group), a low element number, and either a value representation or a short length.
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(head[i]); };
  if (!((byte(0) == 0x08 || byte(0) == 0x02) && byte(1) == 0 && byte(2) <= 0x18 && byte(3) == 0)) {
    return false;
  }
  const bool explicit_vr = byte(4) >= 'A' && byte(4) <= 'Z' && byte(5) >= 'A' && byte(5) <= 'Z';
  const bool short_length = byte(5) == 0 && byte(6) == 0 && byte(7) == 0;
  return explicit_vr || short_length;
}

}  // namespace voxloom::io
