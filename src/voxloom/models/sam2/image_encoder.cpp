#include "voxloom/models/sam2/image_encoder.h"

#include "voxloom/models/sam2/hiera.h"
#include "voxloom/models/sam2/vit.h"

namespace voxloom::models::sam2 {

ImageEncoderImpl::ImageEncoderImpl(const Sam2Options& options) {
  if (options.trunk == TrunkKind::kHiera) {
    std::vector<int64_t> widths;
    for (size_t i = 0; i < options.hiera.stages.size(); ++i) {
      widths.push_back(options.hiera.embed_dim << i);
    }
    trunk = register_module("trunk", std::make_shared<HieraImpl>(options.hiera));
    neck = register_module("neck", std::make_shared<FpnNeckImpl>(widths, options.d_model));
  } else {
    trunk = register_module("trunk", std::make_shared<VitImpl>(options.vit));
    neck = register_module("neck",
                           std::make_shared<VitNeckImpl>(options.vit.embed_dim, options.d_model));
  }
}

std::vector<at::Tensor> ImageEncoderImpl::forward(const at::Tensor& image) {
  return neck->forward(trunk->forward(image));
}

}  // namespace voxloom::models::sam2
