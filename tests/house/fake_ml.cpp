// A library that is named like the ML library. It says when it is opened, so that a test sees
// whether a command opened it.
#include <cstdio>

#include "voxloom/infer/ml_library.h"

namespace {

struct Opened {
  Opened() { std::fputs("the ml library was opened\n", stderr); }
};
const Opened opened;

}  // namespace

#ifdef FAKE_ENTRY
extern "C" __attribute__((visibility("default"))) const voxloom::infer::MlApi* voxloom_ml_api() {
  static const voxloom::infer::MlApi api{.build_id = "0.0.1+of-another-build",
                                         .make_segmenter = nullptr,
                                         .convert_model = nullptr,
                                         .export_model = nullptr,
                                         .bench = nullptr,
                                         .describe = nullptr};
  return &api;
}
#endif
