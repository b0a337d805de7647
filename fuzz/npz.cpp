#include "voxloom/io/npz_volume.h"

#include "volume_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto file = voxloom::fuzz::input_file("case.npz", data, size);
  for (const auto role : {voxloom::io::NpzRole::kImage, voxloom::io::NpzRole::kLabels}) {
    voxloom::fuzz::read_volume_input([&] { return voxloom::io::open_npz_volume(file, role); });
  }
  return 0;
}
