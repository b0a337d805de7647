#include "voxloom/infer/ml_library.h"
#include "voxloom/infer/wire_segmenter.h"
#include "voxloom/weights/package.h"

namespace voxloom::infer {

std::unique_ptr<WireSegmenter> make_wire_segmenter(const std::string& model,
                                                   const RuntimeOptions& runtime,
                                                   TestAugmentation augmentation) {
  // A wrong name or a damaged package is said before the ML library is opened.
  const auto package = weights::find_package(model);
  VOXLOOM_CHECK(package.info.task == "wire",
                ErrorCode::kInvalidArgument,
                "model '{}': must be for the task wire, got {}",
                model,
                package.info.task);
  return ml_api().make_wire_segmenter(package.folder.string(), runtime, augmentation);
}

}  // namespace voxloom::infer
