#include "voxloom/infer/ml_library.h"

#include <cstring>
#include <mutex>

#include <dlfcn.h>
#include <stdlib.h>

#include "voxloom/build_id.h"
#include "voxloom/core/error.h"
#include "voxloom/core/parallel.h"
#include "voxloom/core/program_files.h"

namespace voxloom::infer {
namespace {

// libgomp reads these when it is loaded, that is, with libtorch. Spinning at barriers makes a
// shared machine many times slower, so threads sleep unless the user said otherwise.
void prepare_environment() {
  ::setenv("OMP_WAIT_POLICY", "PASSIVE", 0);
  ::setenv("OMP_NUM_THREADS", std::to_string(thread_budget()).c_str(), 0);
}

const MlApi& open_library() {
  prepare_environment();
  const std::filesystem::path path = library_folder() / "libvoxloom_ml.so";
  void* handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  VOXLOOM_CHECK(handle != nullptr,
                ErrorCode::kUnavailable,
                "networks need libvoxloom_ml.so, which cannot be opened: {}; "
                "rebuild with ./dev build, or use --model geodesic",
                ::dlerror());
  using Entry = const MlApi* (*)();
  const auto entry = reinterpret_cast<Entry>(::dlsym(handle, "voxloom_ml_api"));
  VOXLOOM_CHECK(entry != nullptr,
                ErrorCode::kUnavailable,
                "'{}' has no entry voxloom_ml_api; rebuild with ./dev build",
                path.string());
  const MlApi* api = entry();
  VOXLOOM_CHECK(std::strcmp(api->build_id, build_id()) == 0,
                ErrorCode::kUnavailable,
                "'{}' is of another build ({}) than the program ({}); rebuild with ./dev build",
                path.string(),
                api->build_id,
                build_id());
  return *api;
}

}  // namespace

const char* build_id() {
  return VOXLOOM_BUILD_ID;
}

const MlApi& ml_api() {
  static std::mutex mutex;
  static const MlApi* api = nullptr;
  const std::lock_guard lock(mutex);
  if (api == nullptr) api = &open_library();
  return *api;
}

}  // namespace voxloom::infer
