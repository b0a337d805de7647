#include "voxloom/serve/interactive/infer_pipeline.h"

#include <cmath>

#include "voxloom/core/error.h"
#include "voxloom/serve/interactive/post_process.h"
#include "voxloom/serve/interactive/read_prompts.h"
#include "voxloom/serve/interactive/run_session.h"
#include "voxloom/serve/interactive/write_mask.h"

namespace voxloom::serve {
namespace {

using Clock = std::chrono::steady_clock;

// Slices made ahead of the first click; a click rarely lies further from the middle.
constexpr int64_t kSlicesAhead = 32;

/// Seconds since the last call, and the times of the answer.
class Latencies {
 public:
  explicit Latencies(double waited_s) : total_(waited_s) { json_["wait"] = rounded(waited_s); }

  void lap(const char* stage) {
    const auto now = Clock::now();
    const double seconds = std::chrono::duration<double>(now - from_).count();
    from_ = now;
    total_ += seconds;
    json_[stage] = rounded(seconds);
  }

  /// The stages of the model's own run.
  void infer_stages(const infer::SegmentReport& report) {
    Json stages = Json::object();
    for (const auto& [name, seconds] : report.times_s) stages[name] = rounded(seconds);
    json_["infer_stages"] = std::move(stages);
  }

  [[nodiscard]] Json finish() {
    json_["total"] = rounded(total_);
    return json_;
  }

 private:
  /// To 0.1 ms: many stages take less than the 10 ms that MONAI Label rounds to.
  static double rounded(double seconds) { return std::round(seconds * 1e4) / 1e4; }

  Clock::time_point from_ = Clock::now();
  double total_;
  Json json_ = Json::object();
};

/// Runs the request in its session. A failure that isn't the request's fault ends the session.
infer::SegmentResult run_in_session(const ServedModel& model,
                                    const InferTask& task,
                                    const PromptRequest& request,
                                    SessionPool& pool,
                                    Progress& progress,
                                    const CancelToken& stop,
                                    std::optional<SessionPool::Origin>& origin) {
  const SessionKey key{task.client, task.image_key, model.name, request.label};
  const auto found = pool.session(key, model.package);
  origin = found.origin;
  try {
    return run_session(*found.session, request, progress, stop);
  } catch (const Error& error) {
    const bool usable =
        error.code() == ErrorCode::kCancelled || error.code() == ErrorCode::kInvalidArgument;
    if (!usable) pool.drop(key);
    throw;
  } catch (...) {
    pool.drop(key);
    throw;
  }
}

}  // namespace

InferOutcome run_pipeline(const ServedModel& model,
                          const InferTask& task,
                          SessionPool& pool,
                          Progress& progress,
                          const CancelToken& stop,
                          double waited_s,
                          std::optional<SessionPool::Origin>& origin) {
  Latencies latencies(waited_s);
  VOXLOOM_CHECK(!task.label_file,
                ErrorCode::kInvalidArgument,
                "label: the model '{}' takes points (foreground, background) and a box (roi), got "
                "a label map of scribbles",
                model.name);
  const auto source = pool.image(task.image_key, task.open);
  const auto request = read_prompts(model, task.params, source->geometry(), task.image_extension);
  latencies.lap("pre");

  auto result = request.objects.empty()
                    ? blank_result(source->geometry())
                    : run_in_session(model, task, request, pool, progress, stop, origin);
  latencies.lap("infer");
  latencies.infer_stages(result.report);
  latencies.lap("invert");  // nothing is resampled, so nothing has to be undone

  InferOutcome outcome;
  outcome.params = post_process(model, request, result);
  latencies.lap("post");
  stop.check();
  if (request.format.write) {
    outcome.mask = write_mask(result.labels, request.format, task.result_folder, stop);
  }
  latencies.lap("write");
  outcome.params["latencies"] = latencies.finish();
  return outcome;
}

bool run_ahead(const ServedModel& model,
               const InferTask& task,
               SessionPool& pool,
               const CancelToken& stop) {
  stop.check();
  auto* const session = pool.warm_session(task.image_key, model.package, task.open);
  if (session == nullptr) return false;
  PromptRequest request;
  read_options(task.params, task.image_extension, request);
  try {
    const int64_t depth = pool.image(task.image_key, task.open)->geometry().size[2];
    const int64_t middle = depth / 2;
    for (int64_t step = 0; step < std::min(depth, kSlicesAhead); ++step) {
      const int64_t offset = (step + 1) / 2;
      const int64_t z = step % 2 == 0 ? middle + offset : middle - offset;
      stop.check();
      if (z >= 0 && z < depth) session->warm(request.options, z, stop);
    }
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kCancelled) pool.drop_spare(task.image_key, model.package);
    throw;
  } catch (...) {
    pool.drop_spare(task.image_key, model.package);
    throw;
  }
  return true;
}

}  // namespace voxloom::serve
