#include "voxloom/io/nifti.h"

#include "volume_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto file = voxloom::fuzz::input_file("case.nii", data, size);
  voxloom::fuzz::read_volume_input([&] { return voxloom::io::open_nifti(file); });
  return 0;
}
