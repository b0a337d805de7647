// The C functions: arguments checked, exceptions turned into a status and a message.
#include "voxloom/capi/c_tracker.h"

#include <atomic>
#include <new>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "voxloom/capi/frame_input.h"
#include "voxloom/capi/wire_answer.h"
#include "voxloom/core/error.h"
#include "voxloom/core/json_text.h"
#include "voxloom/core/parallel.h"
#include "voxloom/infer/ml_library.h"
#include "voxloom/infer/wire_options.h"

using voxloom::Error;
using voxloom::ErrorCode;
using voxloom::format;

static_assert(static_cast<int>(VOXLOOM_INVALID_ARGUMENT) ==
              static_cast<int>(ErrorCode::kInvalidArgument));
static_assert(static_cast<int>(VOXLOOM_NOT_FOUND) == static_cast<int>(ErrorCode::kNotFound));
static_assert(static_cast<int>(VOXLOOM_DATA_CORRUPT) == static_cast<int>(ErrorCode::kDataCorrupt));
static_assert(static_cast<int>(VOXLOOM_UNSUPPORTED) == static_cast<int>(ErrorCode::kUnsupported));
static_assert(static_cast<int>(VOXLOOM_INTERNAL) == static_cast<int>(ErrorCode::kInternal));
static_assert(static_cast<int>(VOXLOOM_UNAVAILABLE) == static_cast<int>(ErrorCode::kUnavailable));
static_assert(static_cast<int>(VOXLOOM_CANCELLED) == static_cast<int>(ErrorCode::kCancelled));
static_assert(static_cast<int>(VOXLOOM_ALREADY_EXISTS) ==
              static_cast<int>(ErrorCode::kAlreadyExists));

/// The state behind the handle.
struct voxloom_tracker {
  std::unique_ptr<voxloom::infer::WireTracker> tracker;
  double default_pixel_mm = 0.0;
  bool bright_objects = false;
  std::string info;
  std::atomic_flag busy = ATOMIC_FLAG_INIT;
  std::optional<int64_t> first_ns, last_ns;
  int64_t frames = 0;
  std::unique_ptr<voxloom::capi::WireAnswer> answer;

  void forget() {
    tracker->reset();
    first_ns.reset();
    last_ns.reset();
    frames = 0;
    answer.reset();
  }
};

namespace {

thread_local std::string last_error;

/// Runs the body of a C function: its exceptions become a status and last_error.
template <class Body>
voxloom_status guarded(Body body) noexcept {
  try {
    last_error.clear();
    body();
    return VOXLOOM_OK;
  } catch (const Error& e) {
    last_error = e.what();
    return static_cast<voxloom_status>(e.code());
  } catch (const std::bad_alloc&) {
    last_error.clear();  // Text of its own would need memory.
    return VOXLOOM_OUT_OF_MEMORY;
  } catch (const std::exception& e) {
    // The errors of libtorch carry a stack after the first line.
    try {
      const std::string text = e.what();
      last_error = "internal error: " + text.substr(0, text.find('\n'));
    } catch (...) {
      last_error.clear();
    }
    return VOXLOOM_INTERNAL;
  } catch (...) {
    last_error.clear();
    return VOXLOOM_INTERNAL;
  }
}

/// A second thread is told to stay out, rather than let in.
class Turn {
 public:
  explicit Turn(voxloom_tracker* handle) : handle_(handle) {
    VOXLOOM_CHECK(
        handle != nullptr, ErrorCode::kInvalidArgument, "tracker: must not be null, got null");
    VOXLOOM_CHECK(!handle->busy.test_and_set(std::memory_order_acquire),
                  ErrorCode::kUnavailable,
                  "tracker: must be used by one thread at a time, got a second one");
  }
  ~Turn() { handle_->busy.clear(std::memory_order_release); }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  voxloom_tracker* handle_;
};

struct CreateOptions {
  voxloom::infer::WireTrackCommand command;
  int64_t threads = 0;
};

CreateOptions parse_options(const char* text) {
  CreateOptions options;
  if (text == nullptr || *text == '\0') return options;
  constexpr const char* kWhere = "tracker options";
  const auto json = voxloom::parse_json(
      text, kWhere, ErrorCode::kInvalidArgument, {.max_bytes = size_t{1} << 16, .max_depth = 4});
  VOXLOOM_CHECK(json.is_object(),
                ErrorCode::kInvalidArgument,
                "{}: must be a JSON object, got {}",
                kWhere,
                json.type_name());
  voxloom::OptionList list;
  options.command.visit_tracking(list);
  list.option("--threads", options.threads, "Threads to compute with.").with_range(0, 1024);
  list.read_json(json, kWhere);
  options.command.validate();
  return options;
}

std::string describe(const voxloom::infer::WireModelInfo& info) {
  return nlohmann::ordered_json{{"name", info.name},
                                {"architecture", info.architecture},
                                {"engine", info.engine},
                                {"precision", info.precision},
                                {"classes", info.classes},
                                {"threshold", info.threshold},
                                {"bright_object", info.bright_object}}
      .dump();
}

/// What a frame does to the tracker, once it is known to be a good one.
void step(voxloom_tracker& handle, voxloom::image::Frame frame, int64_t capture_time_ns) {
  if (!handle.first_ns) handle.first_ns = capture_time_ns;
  frame.number = handle.frames;
  // Without sign, so that the largest differences fit.
  const auto elapsed_ns =
      static_cast<uint64_t>(capture_time_ns) - static_cast<uint64_t>(*handle.first_ns);
  frame.time_s = static_cast<double>(elapsed_ns) / 1e9;
  handle.answer =
      std::make_unique<voxloom::capi::WireAnswer>(handle.tracker->step(frame), capture_time_ns);
  handle.last_ns = capture_time_ns;
  ++handle.frames;
}

}  // namespace

namespace voxloom::capi {

voxloom_tracker* adopt_tracker(std::unique_ptr<infer::WireTracker> tracker,
                               double default_pixel_mm,
                               bool bright_objects) {
  auto handle = std::make_unique<voxloom_tracker>();
  handle->tracker = std::move(tracker);
  handle->default_pixel_mm = default_pixel_mm;
  handle->bright_objects = bright_objects;
  handle->info = describe(handle->tracker->info());
  return handle.release();
}

}  // namespace voxloom::capi

extern "C" {

uint32_t voxloom_tracker_abi(void) {
  return VOXLOOM_TRACKER_ABI;
}

const char* voxloom_version(void) {
  return voxloom::infer::build_id();
}

const char* voxloom_status_name(voxloom_status status) {
  switch (status) {
    case VOXLOOM_OK:
      return "ok";
    case VOXLOOM_OUT_OF_MEMORY:
      return "out_of_memory";
    default:
      break;
  }
  const int number = static_cast<int>(status);
  if (number < VOXLOOM_OK || number > VOXLOOM_OUT_OF_MEMORY) return "unknown";
  return voxloom::error_code_name(static_cast<ErrorCode>(number)).data();
}

const char* voxloom_last_error(void) {
  return last_error.c_str();
}

voxloom_status voxloom_tracker_create(uint32_t abi,
                                      const char* package,
                                      const char* options,
                                      voxloom_tracker** tracker) {
  return guarded([&] {
    VOXLOOM_CHECK(
        tracker != nullptr, ErrorCode::kInvalidArgument, "tracker: must not be null, got null");
    *tracker = nullptr;
    VOXLOOM_CHECK(abi == VOXLOOM_TRACKER_ABI,
                  ErrorCode::kUnsupported,
                  "tracker interface: must be number {} as in this library, got {}; compile the "
                  "program with the header that came with it",
                  VOXLOOM_TRACKER_ABI,
                  abi);
    VOXLOOM_CHECK(package != nullptr && *package != '\0',
                  ErrorCode::kInvalidArgument,
                  "package: must be a name or a folder, got none");
    const auto wanted = parse_options(options);
    if (wanted.threads > 0) voxloom::set_thread_budget(static_cast<int>(wanted.threads));
    auto segmenter = voxloom::infer::make_wire_segmenter(
        package, wanted.command.runtime, voxloom::infer::TestAugmentation::kNone);
    *tracker = voxloom::capi::adopt_tracker(
        voxloom::infer::make_wire_tracker(std::move(segmenter), wanted.command.tracking),
        wanted.command.pixel_mm,
        wanted.command.polarity_bright);
  });
}

voxloom_status voxloom_tracker_info(voxloom_tracker* tracker, const char** json) {
  return guarded([&] {
    const Turn turn(tracker);
    VOXLOOM_CHECK(json != nullptr, ErrorCode::kInvalidArgument, "json: must not be null, got null");
    *json = tracker->info.c_str();
  });
}

voxloom_status voxloom_tracker_warm_up(voxloom_tracker* tracker, int32_t width, int32_t height) {
  return guarded([&] {
    const Turn turn(tracker);
    VOXLOOM_CHECK(width >= 1 && height >= 1 && width <= voxloom::capi::kLargestSide &&
                      height <= voxloom::capi::kLargestSide,
                  ErrorCode::kInvalidArgument,
                  "width, height: must lie within [1, {}] px, got {} x {}",
                  voxloom::capi::kLargestSide,
                  width,
                  height);
    voxloom::image::Frame blank{.width = width, .height = height};
    blank.pixels.assign(static_cast<size_t>(blank.width * blank.height), 0.5F);
    tracker->forget();
    static_cast<void>(tracker->tracker->step(blank));
    tracker->forget();
  });
}

voxloom_status voxloom_tracker_push(voxloom_tracker* tracker,
                                    const voxloom_frame* frame,
                                    const voxloom_wire_result** result) {
  return guarded([&] {
    if (result != nullptr) *result = nullptr;
    const Turn turn(tracker);
    tracker->answer.reset();
    auto pixels =
        voxloom::capi::read_frame(frame, tracker->default_pixel_mm, tracker->bright_objects);
    VOXLOOM_CHECK(!tracker->last_ns || frame->capture_time_ns >= *tracker->last_ns,
                  ErrorCode::kInvalidArgument,
                  "frame.capture_time_ns: must not be before the last frame's, {}, got {}; reset "
                  "the tracker before another stream",
                  *tracker->last_ns,
                  frame->capture_time_ns);
    try {
      step(*tracker, std::move(pixels), frame->capture_time_ns);
    } catch (...) {
      // Half a step must not leave its mark on the next frame.
      tracker->forget();
      throw;
    }
    if (result != nullptr) *result = &tracker->answer->view();
  });
}

voxloom_status voxloom_tracker_json(voxloom_tracker* tracker, const char** json) {
  return guarded([&] {
    const Turn turn(tracker);
    VOXLOOM_CHECK(json != nullptr, ErrorCode::kInvalidArgument, "json: must not be null, got null");
    *json = nullptr;
    VOXLOOM_CHECK(tracker->answer != nullptr,
                  ErrorCode::kInvalidArgument,
                  "tracker: must have a result, push a frame first, got none");
    *json = tracker->answer->json().c_str();
  });
}

voxloom_status voxloom_tracker_reset(voxloom_tracker* tracker) {
  return guarded([&] {
    const Turn turn(tracker);
    tracker->forget();
  });
}

void voxloom_tracker_destroy(voxloom_tracker* tracker) {
  last_error.clear();
  delete tracker;
}

}  // extern "C"
