#include "voxloom/infer/geodesic.h"
#include "voxloom/infer/ml_library.h"
#include "voxloom/infer/segmenter.h"
#include "voxloom/weights/package.h"

namespace voxloom::infer {

std::unique_ptr<Segmenter> make_segmenter(const std::string& model, const RuntimeOptions& runtime) {
  if (model == "geodesic") return make_geodesic_segmenter();
  // A wrong name or a damaged package is said before the ML library is opened.
  const auto package = weights::find_package(model);
  VOXLOOM_CHECK(package.info.task == "segment",
                ErrorCode::kInvalidArgument,
                "model '{}': must be for the task segment, got {}",
                model,
                package.info.task);
  return ml_api().make_segmenter(package.folder.string(), runtime);
}

}  // namespace voxloom::infer
