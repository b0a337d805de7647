#include "voxloom/dataset/fluoro_sequence.h"

#include <algorithm>
#include <cmath>

#include "voxloom/core/error.h"
#include "voxloom/core/parallel.h"
#include "voxloom/dataset/fluoro_detector.h"
#include "voxloom/dataset/fluoro_display.h"
#include "voxloom/dataset/fluoro_exposure.h"
#include "voxloom/dataset/fluoro_field.h"
#include "voxloom/dataset/fluoro_math.h"
#include "voxloom/dataset/fluoro_truth.h"

namespace voxloom::dataset {
namespace {

// Streams of random numbers of a sequence.
constexpr uint64_t kParameterStream = 1, kSceneStream = 2, kFieldStream = 3, kNoiseStream = 4;

const FluoroOptions& checked(const FluoroOptions& options) {
  options.validate();
  return options;
}

FluoroParameters draw(const FluoroOptions& options, uint64_t seed, int64_t index) {
  Rng rng(seed, kParameterStream);
  return sample_fluoro_parameters(options, index, rng);
}

FluoroScene build(const FluoroOptions& options, const FluoroParameters& p, uint64_t seed) {
  Rng rng(seed, kSceneStream);
  return make_scene(p, options, rng);
}

}  // namespace

struct FluoroSequence::State {
  State(const FluoroOptions& o, uint64_t seed, int64_t index)
      : options(checked(o)),
        p(draw(options, seed, index)),
        scene(build(options, p, seed)),
        exposure(scene, p, options.size),
        detector(p, options.size, options.size, Rng(seed, kNoiseStream).next()),
        depth(options.size, options.size),
        signal(options.size, options.size),
        contrast(options.size, options.size),
        display(set_up(seed)) {}

  FluoroDisplay set_up(uint64_t seed);
  void expose(double time_s);
  FluoroFrame describe(int64_t number, double time_s, std::vector<float> picture);

  FluoroOptions options;
  FluoroParameters p;
  FluoroScene scene;
  FluoroExposure exposure;
  FluoroDetector detector;
  double entrance = 1.0;  ///< Photons a pixel without the patient.
  int64_t next = 0;
  FluoroPlane depth, signal, contrast;
  FluoroDisplay display;
};

/// Exposure control: the mean expected signal in the middle of the field is the set dose.
FluoroDisplay FluoroSequence::State::set_up(uint64_t seed) {
  Rng rng(seed, kFieldStream);
  FluoroPlane field = make_field(p.field, options.size, rng);
  FluoroPlane caption;
  if (rng.uniform() < 0.3 * options.distractors) caption = make_caption(options.size, p, rng);
  expose(0.0);
  const int64_t lo = options.size / 6, hi = options.size - lo;
  double sum = 0.0;
  for (int64_t y = lo; y < hi; ++y) {
    for (int64_t x = lo; x < hi; ++x) sum += static_cast<double>(signal.row(y)[x]);
  }
  const double mean = sum / static_cast<double>((hi - lo) * (hi - lo));
  entrance = p.photons / mean;
  for (auto& v : signal.values) v *= static_cast<float>(entrance);
  return {p, signal, std::move(field), std::move(caption)};
}

/// signal: what the detector is to expect; contrast: what the wires take away from it.
void FluoroSequence::State::expose(double time_s) {
  scene.anatomy->render(*scene.motion, time_s, depth);
  exposure.render(time_s);
  const auto in = static_cast<float>(entrance);
  const bool wires = !exposure.wires.empty();
  parallel_for(0, options.size, kFluoroRowGrain, [&](int64_t first, int64_t last) {
    for (int64_t y = first; y < last; ++y) {
      const float* tissue = depth.row(y);
      const float* fixed = exposure.fixed_depth.row(y);
      const float* device = exposure.devices.factor().row(y);
      const float* wire = exposure.wires.factor().row(y);
      float* out = signal.row(y);
      for (int64_t x = 0; x < options.size; ++x) {
        out[x] = in * fast_exp(-tissue[x] - fixed[x]) * device[x];
      }
      if (!wires) continue;
      float* lost = contrast.row(y);
      for (int64_t x = 0; x < options.size; ++x) {
        lost[x] = out[x] * (1.0F - wire[x]);
        out[x] *= wire[x];
      }
    }
  });
  detector.expect(signal);
  if (wires) detector.blur(contrast);
}

FluoroFrame FluoroSequence::State::describe(int64_t number,
                                            double time_s,
                                            std::vector<float> picture) {
  FluoroFrame out;
  out.frame = {options.size, options.size, number, time_s, p.pixel_mm, std::move(picture)};
  out.mask = exposure.labels.mask;
  out.instance = exposure.labels.instance;
  out.cnr.assign(out.mask.size(), 0.0F);
  const auto& field = display.field();
  for (size_t i = 0; i < out.mask.size(); ++i) {
    if (field.values[i] <= 0.5F) {
      out.mask[i] = out.instance[i] = 0;
    } else if (out.mask[i] == static_cast<uint8_t>(WireClass::kGuidewire)) {
      const double noise = detector.noise_std(static_cast<double>(signal.values[i]));
      out.cnr[i] = static_cast<float>(static_cast<double>(contrast.values[i]) / noise);
    }
  }
  for (const auto& axis : exposure.axes) {
    out.wires.push_back(describe_wire(axis, field, out.cnr, out.instance, p.pixel_mm));
    out.wire_visible = out.wire_visible || out.wires.back().visible;
  }
  return out;
}

uint64_t fluoro_sequence_seed(uint64_t seed, std::string_view split, int64_t index) {
  uint64_t name = 1469598103934665603U;  // FNV-1a
  for (const char c : split) name = (name ^ static_cast<unsigned char>(c)) * 1099511628211U;
  return Rng(Rng(seed, name | 1U).next(), static_cast<uint64_t>(index) + 1).next();
}

FluoroSequence::FluoroSequence(const FluoroOptions& options, uint64_t seed, int64_t index)
    : state_(std::make_unique<State>(options, seed, index)) {}
FluoroSequence::~FluoroSequence() = default;
FluoroSequence::FluoroSequence(FluoroSequence&&) noexcept = default;
FluoroSequence& FluoroSequence::operator=(FluoroSequence&&) noexcept = default;

const FluoroOptions& FluoroSequence::options() const {
  return state_->options;
}
const FluoroParameters& FluoroSequence::parameters() const {
  return state_->p;
}

FluoroFrame FluoroSequence::frame(int64_t i) {
  State& s = *state_;
  VOXLOOM_CHECK(i >= 0 && i < s.options.frames,
                ErrorCode::kInvalidArgument,
                "fluoroscopy: frame must lie within [0, {}], got {}",
                s.options.frames - 1,
                i);
  if (i < s.next) {
    s.next = 0;
    s.detector.reset();
    s.display.reset();
  }
  std::vector<float> picture;
  for (; s.next <= i; ++s.next) {
    s.expose(static_cast<double>(s.next) / s.options.fps);
    picture = s.display.show(s.detector.read(s.signal, s.next));
  }
  return s.describe(i, static_cast<double>(i) / s.options.fps, std::move(picture));
}

}  // namespace voxloom::dataset
