#include "voxloom/infer/geodesic.h"

#include "voxloom/infer/geodesic_session.h"

namespace voxloom::infer {
namespace {

class GeodesicSegmenter : public Segmenter {
 public:
  [[nodiscard]] std::string name() const override { return "geodesic"; }
  [[nodiscard]] std::string description() const override {
    return "seeded geodesic distance, not a neural network";
  }
  [[nodiscard]] std::unique_ptr<SegmentSession> open(
      std::shared_ptr<image::VolumeSource> volume) override {
    return std::make_unique<geodesic::GeodesicSession>(std::move(volume));
  }
};

}  // namespace

std::unique_ptr<Segmenter> make_geodesic_segmenter() {
  return std::make_unique<GeodesicSegmenter>();
}

}  // namespace voxloom::infer
