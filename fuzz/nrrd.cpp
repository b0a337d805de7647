#include "voxloom/io/nrrd.h"

#include "volume_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto file = voxloom::fuzz::input_file("case.nrrd", data, size);
  voxloom::fuzz::read_volume_input([&] {
    auto source = voxloom::io::open_nrrd(file);
    static_cast<void>(voxloom::io::read_nrrd_labels(file));
    return source;
  });
  return 0;
}
