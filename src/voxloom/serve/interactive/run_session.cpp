#include "voxloom/serve/interactive/run_session.h"

namespace voxloom::serve {

infer::SegmentResult run_session(infer::SegmentSession& session,
                                 const PromptRequest& request,
                                 Progress& progress,
                                 const CancelToken& stop) {
  stop.check();
  session.set_prompts(request.objects);
  return session.run(request.options, progress, stop);
}

infer::SegmentResult blank_result(const image::Geometry& geometry) {
  infer::SegmentResult result;
  result.labels = image::LabelVolume(geometry);
  return result;
}

}  // namespace voxloom::serve
