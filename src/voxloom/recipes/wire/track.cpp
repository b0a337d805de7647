#include "voxloom/recipes/wire/track.h"

#include <chrono>
#include <map>

#include <nlohmann/json.hpp>

#include "voxloom/core/error.h"
#include "voxloom/infer/wire_overlay.h"
#include "voxloom/infer_ml/wire_network.h"
#include "voxloom/metrics/latency.h"
#include "voxloom/recipes/wire/samples.h"
#include "voxloom/video/open_video.h"
#include "voxloom/video/video_writer.h"

namespace voxloom::recipes::wire {
namespace {

using Clock = std::chrono::steady_clock;
using nlohmann::ordered_json;

double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

video::OpenOptions open_options(const infer::WireTrackCommand& command) {
  video::OpenOptions options{.pixel_mm = command.pixel_mm};
  if (!command.raw.empty()) {
    const auto cross = command.raw.find('x');
    try {
      options.raw.width = std::stoll(command.raw.substr(0, cross));
      options.raw.height = std::stoll(command.raw.substr(cross + 1));
    } catch (const std::exception&) {
      throw Error(ErrorCode::kInvalidArgument,
                  format("--raw: must be WIDTHxHEIGHT in px, got '{}'", command.raw));
    }
  }
  options.raw.bits = static_cast<int>(command.raw_bits);
  if (command.frames_per_s > 0.0) options.raw.frames_per_s = command.frames_per_s;
  return options;
}

ordered_json latency_json(const std::vector<double>& ms) {
  const auto summary = metrics::summarize_latency(ms, /*warm_up=*/0);
  return {{"median", summary.p50_ms},
          {"p95", summary.p95_ms},
          {"p99", summary.p99_ms},
          {"max", summary.max_ms}};
}

}  // namespace

ordered_json track(const infer::WireTrackCommand& command,
                   const std::function<void(const std::string& line)>& line,
                   Progress& progress,
                   const CancelToken& stop) {
  const auto overwrite = command.force ? Overwrite::kReplace : Overwrite::kRefuse;
  if (!command.overlay.empty()) check_output(command.overlay, overwrite);
  refuse_sealed_source(command.source);
  auto reader = video::newest_frame_only(video::open_video(command.source, open_options(command)));
  const auto& source = reader->info();
  auto tracker = infer::make_wire_tracker(
      infer_ml::make_wire_segmenter(command.model, command.runtime, infer::TestAugmentation::kNone),
      command.tracking);
  std::unique_ptr<video::VideoWriter> overlay;
  if (!command.overlay.empty()) {
    const double rate = command.frames_per_s > 0.0
                            ? command.frames_per_s
                            : (source.frames_per_s > 0.0 ? source.frames_per_s : 15.0);
    overlay = std::make_unique<video::VideoWriter>(
        command.overlay,
        video::WriterOptions{.width = source.width, .height = source.height, .frames_per_s = rate},
        overwrite);
  }

  std::map<std::string, std::vector<double>> latency;
  std::map<std::string, int64_t> states;
  int64_t frames = 0;
  const auto start = Clock::now();
  progress.begin("track", command.frames > 0 ? command.frames : source.frames);
  while (!stop.cancelled() && (command.frames == 0 || frames < command.frames)) {
    const auto arrived = Clock::now();
    auto frame = reader->next();
    if (!frame) break;
    latency["decode"].push_back(ms_since(arrived));
    if (command.polarity_bright) {
      for (float& v : frame->pixels) v = 1.0F - v;
    }
    const auto result = tracker->step(*frame);
    const auto encoding = Clock::now();
    const auto text = infer::wire_result_to_json(result).dump();
    latency["encode"].push_back(ms_since(encoding));
    for (const auto& [stage, ms] : result.times_ms) latency[stage].push_back(ms);
    latency["total"].push_back(ms_since(arrived));
    line(text);
    if (overlay) overlay->write(infer::draw_wire_overlay(*frame, result).pixels());
    ++states[infer::wire_state_name(result.state)];
    ++frames;
    progress.advance(1);
  }
  progress.end();
  VOXLOOM_CHECK(frames > 0,
                ErrorCode::kDataCorrupt,
                "video '{}': must have at least one frame, got none",
                command.source);
  if (overlay) overlay->finish();

  ordered_json summary{{"frames", frames},
                       {"seconds", ms_since(start) / 1000.0},
                       {"width", source.width},
                       {"height", source.height},
                       {"codec", source.codec},
                       {"model", tracker->info().name},
                       {"engine", tracker->info().engine},
                       {"precision", tracker->info().precision},
                       {"states", states}};
  // What one frame costs from its bytes to its line, without drawing the overlay.
  summary["frames_per_s"] = metrics::summarize_latency(latency["total"], 0).frames_per_s;
  auto& stages = summary["latency_ms"] = ordered_json::object();
  for (const auto& [stage, ms] : latency) stages[stage] = latency_json(ms);
  if (overlay) summary["overlay"] = command.overlay;
  return summary;
}

}  // namespace voxloom::recipes::wire
