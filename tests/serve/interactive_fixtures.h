#pragma once

#include <atomic>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <stdlib.h>

#include "voxloom/core/error.h"
#include "voxloom/io/volume_io.h"
#include "voxloom/serve/interactive/infer_service.h"

namespace voxloom::serve::testing {

/// A folder of its own that is gone after the test.
class TempFolder {
 public:
  TempFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "voxloom-serve-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw Error(ErrorCode::kUnavailable, "no temp folder");
    path_ = name;
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline image::Geometry grid_of(int64_t x, int64_t y, int64_t z) {
  image::Geometry g;
  g.size = {x, y, z};
  return g;
}

/// Sizes that all differ; axes turned about two world axes; optionally mirrored.
inline image::Geometry oblique_grid(bool left_handed) {
  const double a = 0.4, b = -0.7, sign = left_handed ? -1 : 1;
  image::Geometry g = grid_of(40, 36, 20);
  g.spacing_mm = {0.7, 0.9, 1.5};
  g.origin_mm = {-120.25, 33.5, 871.125};
  g.direction = {std::cos(a),
                 -std::sin(a) * std::cos(b),
                 sign * std::sin(a) * std::sin(b),
                 std::sin(a),
                 std::cos(a) * std::cos(b),
                 -sign * std::cos(a) * std::sin(b),
                 0,
                 std::sin(b),
                 sign * std::cos(b)};
  return g;
}

/// A bright ball of `radius` voxels in the middle; int16, 100 outside and 200 inside.
inline image::Volume ball_volume(const image::Geometry& g, double radius) {
  image::Volume volume(g, image::PixelType::kInt16);
  const auto voxels = volume.as<int16_t>();
  size_t i = 0;
  for (int64_t z = 0; z < g.size[2]; ++z) {
    for (int64_t y = 0; y < g.size[1]; ++y) {
      for (int64_t x = 0; x < g.size[0]; ++x, ++i) {
        const double r = std::hypot(static_cast<double>(x - g.size[0] / 2),
                                    static_cast<double>(y - g.size[1] / 2),
                                    static_cast<double>(z - g.size[2] / 2));
        voxels[i] = static_cast<int16_t>((r < radius ? 200 : 100) + (x * 7 + y * 3 + z) % 3);
      }
    }
  }
  return volume;
}

inline ServedModel model_named(const std::string& name) {
  auto models = served_models({});
  auto model = models.back();  // the built-in one is always there
  model.name = name;
  return model;
}

/// What the sessions of FakeSegmenter do and saw; shared by all of them.
struct FakeState {
  std::mutex mutex;
  std::condition_variable changed;
  bool hold = false;               ///< Runs and warming wait until it is false (or cancelled).
  int64_t entered = 0;             ///< Runs and warmed slices that began.
  std::vector<std::string> order;  ///< "run x" with x of the first point, in the order of starts.
  std::vector<int64_t> warmed;     ///< Slices.
  std::atomic<int> loaded{0}, sessions{0}, inside{0};
  std::atomic<bool> overlapped{false};  ///< Two calls at the same time.

  void wait_entered(int64_t count) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return entered >= count; });
  }
  void release() {
    const std::lock_guard lock(mutex);
    hold = false;
    changed.notify_all();
  }
  /// As a network between two slices: goes on when it may, ends when it was told to.
  void step(const CancelToken& stop) {
    std::unique_lock lock(mutex);
    ++entered;
    changed.notify_all();
    while (hold) {
      if (stop.cancelled()) break;
      changed.wait_for(lock, std::chrono::milliseconds(2));
    }
    lock.unlock();
    stop.check();
  }
};

class FakeSession final : public infer::SegmentSession {
 public:
  FakeSession(std::shared_ptr<FakeState> state, std::shared_ptr<image::VolumeSource> source)
      : state_(std::move(state)), source_(std::move(source)) {
    ++state_->sessions;
  }
  ~FakeSession() override { --state_->sessions; }

  void set_prompts(const std::vector<infer::ObjectPrompt>& objects) override { objects_ = objects; }
  std::vector<uint8_t> preview_slice(size_t, int64_t, const CancelToken&) override { return {}; }
  void warm(const infer::SegmentOptions&, int64_t z, const CancelToken& stop) override {
    {
      const std::lock_guard lock(state_->mutex);
      state_->warmed.push_back(z);
    }
    static_cast<void>(source_->read_slab(z, z + 1));
    state_->step(stop);
  }
  infer::SegmentResult run(const infer::SegmentOptions&,
                           Progress& progress,
                           const CancelToken& stop) override {
    if (++state_->inside > 1) state_->overlapped = true;
    struct Leave {
      FakeState& state;
      ~Leave() { --state.inside; }
    } leave{*state_};
    {
      const std::lock_guard lock(state_->mutex);
      state_->order.push_back("run " + std::to_string(objects_[0].points[0].voxel[0]));
    }
    progress.begin("track", 1);
    state_->step(stop);
    progress.advance(1);
    progress.end();
    infer::SegmentResult result;
    result.labels = image::LabelVolume(source_->geometry());
    const auto& size = source_->geometry().size;
    for (const auto& point : objects_[0].points) {
      const auto& v = point.voxel;
      const auto at = static_cast<size_t>((v[2] * size[1] + v[1]) * size[0] + v[0]);
      result.labels.voxels()[at] = point.positive ? 1 : 2;
    }
    result.report.engine = "fake";
    result.report.device = "cpu";
    return result;
  }

 private:
  std::shared_ptr<FakeState> state_;
  std::shared_ptr<image::VolumeSource> source_;
  std::vector<infer::ObjectPrompt> objects_;
};

class FakeSegmenter final : public infer::Segmenter {
 public:
  explicit FakeSegmenter(std::shared_ptr<FakeState> state) : state_(std::move(state)) {
    ++state_->loaded;
  }
  std::string name() const override { return "fake"; }
  std::string description() const override { return "marks its points"; }
  std::unique_ptr<infer::SegmentSession> open(
      std::shared_ptr<image::VolumeSource> volume) override {
    return std::make_unique<FakeSession>(state_, std::move(volume));
  }

 private:
  std::shared_ptr<FakeState> state_;
};

/// A service whose model "fake" is a FakeSegmenter, on images in memory.
struct FakeService {
  explicit FakeService(int64_t memory_mb = 256) {
    ServedModel model = model_named("fake");
    model.package = "fake package";
    InferServiceOptions options;
    options.memory_mb = memory_mb;
    options.runtime.feature_cache_mb = 16;
    options.make_segmenter = [state = state](const std::string&, const infer::RuntimeOptions&) {
      return std::make_unique<FakeSegmenter>(state);
    };
    service = std::make_unique<InferService>(std::vector<ServedModel>{model}, options);
  }

  [[nodiscard]] InferTask task(const std::string& client, const std::string& image, int64_t x) {
    InferTask task;
    task.client = client;
    task.model = "fake";
    task.image_key = image;
    task.open = [this] {
      ++opened;
      return std::shared_ptr<image::VolumeSource>(
          image::make_source(image::Volume(geometry, image::PixelType::kUint8)));
    };
    task.params["foreground"] = Json::array({{x, 1, 1}});
    task.result_folder = folder.path();
    return task;
  }

  TempFolder folder;
  image::Geometry geometry = grid_of(64, 64, 8);
  std::atomic<int> opened{0};
  std::shared_ptr<FakeState> state = std::make_shared<FakeState>();
  std::unique_ptr<InferService> service;
};

/// Calls run() on a thread of its own and keeps what came of it.
class Background {
 public:
  Background(InferService& service, InferTask task)
      : thread_([this, &service, task = std::move(task)] {
          try {
            outcome = service.run(task);
          } catch (const Error& e) {
            code = e.code();
          }
        }) {}
  ~Background() { join(); }
  void join() {
    if (thread_.joinable()) thread_.join();
  }

  std::optional<InferOutcome> outcome;
  std::optional<ErrorCode> code;

 private:
  std::thread thread_;  ///< Last: it writes the others.
};

inline void wait_until(const std::function<bool()>& condition) {
  while (!condition()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

}  // namespace voxloom::serve::testing
