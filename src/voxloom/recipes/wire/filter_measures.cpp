#include "voxloom/recipes/wire/filter_measures.h"

#include <algorithm>
#include <cmath>

#include "voxloom/metrics/image_quality.h"

namespace voxloom::recipes::wire {
namespace {

GreyPicture picture_of(const std::vector<float>& pixels,
                       int64_t width,
                       const filters::FieldOfView& field) {
  GreyPicture picture{field.right - field.left, field.bottom - field.top, {}};
  picture.pixels = crop_to_field(pixels, width, field);
  return picture;
}

}  // namespace

std::vector<ChainOutput> chain_outputs(const filters::FilteredFrame& filtered,
                                       const filters::FieldOfView& field,
                                       bool with_image) {
  const int64_t width = filtered.image.width;
  std::vector<ChainOutput> outputs;
  if (with_image) {
    outputs.push_back({"image", picture_of(filtered.image.pixels, width, field), true});
  }
  for (const auto& channel : filtered.channels) {
    GreyPicture picture = picture_of(channel.pixels, width, field);
    if (channel.name == "subtract") {
      for (float& v : picture.pixels) v = std::clamp(0.5F * std::exp(-v), 0.0F, 1.0F);
    }
    outputs.push_back({channel.name, std::move(picture), channel.valid});
  }
  return outputs;
}

std::map<std::string, double> measure_output(const GreyPicture& original,
                                             const GreyPicture& processed,
                                             const std::vector<uint8_t>& object,
                                             const std::vector<uint8_t>& exclude) {
  std::map<std::string, double> out;
  const int64_t w = processed.width, h = processed.height;
  const auto note = [&](const char* name, const std::optional<double>& value) {
    if (value && std::isfinite(*value)) out[name] = *value;
  };
  if (!object.empty()) {
    if (const auto ring = metrics::ring_contrast(processed.pixels, w, h, object, exclude)) {
      note("cnr", ring->cnr());
      note("contrast", ring->michelson());
    }
    note("cii",
         metrics::contrast_improvement_index(
             original.pixels, processed.pixels, w, h, object, exclude));
    note("cir",
         metrics::contrast_improvement_ratio(original.pixels, processed.pixels, w, h, object));
  }
  if (w >= 8 && h >= 8) out["eme"] = metrics::enhancement_measure(processed.pixels, w, h);
  out["entropy"] = metrics::grey_entropy(processed.pixels);
  if (w >= 3 && h >= 3) out["noise"] = metrics::noise_std(processed.pixels, w, h);
  return out;
}

}  // namespace voxloom::recipes::wire
