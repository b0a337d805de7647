#include "voxloom/models/sam2/options.h"

#include <numeric>

#include "voxloom/core/error.h"

namespace voxloom::models::sam2 {
namespace {

Sam2Options hiera_variant(std::string name, int64_t image_size, HieraOptions hiera) {
  Sam2Options options;
  options.variant = std::move(name);
  options.image_size = image_size;
  options.hiera = std::move(hiera);
  return options;
}

Sam2Options vit_variant(std::string name, int64_t embed_dim, int64_t num_heads) {
  Sam2Options options;
  options.variant = std::move(name);
  options.image_size = 512;
  options.trunk = TrunkKind::kVit;
  options.vit.embed_dim = embed_dim;
  options.vit.num_heads = num_heads;
  options.high_res_features = false;
  options.absent_embedding = false;
  options.pointer_time = false;
  return options;
}

std::vector<Sam2Options> make_variants() {
  HieraOptions small;
  small.stages = {1, 2, 11, 2};
  small.global_blocks = {7, 10, 13};
  HieraOptions base_plus;
  base_plus.embed_dim = 112;
  base_plus.num_heads = 2;
  base_plus.stages = {2, 3, 16, 3};
  base_plus.global_blocks = {12, 16, 20};
  base_plus.position_grid = {14, 14};
  HieraOptions large;
  large.embed_dim = 144;
  large.num_heads = 2;
  large.stages = {2, 6, 36, 4};
  large.global_blocks = {23, 33, 43};
  large.window_spec = {8, 4, 16, 8};
  return {hiera_variant("medsam2_t512", 512, {}),
          hiera_variant("sam2.1_t", 1024, {}),
          hiera_variant("sam2.1_s", 1024, small),
          hiera_variant("sam2.1_b+", 1024, base_plus),
          hiera_variant("sam2.1_l", 1024, large),
          vit_variant("efficienttam_s_512", 384, 6),
          vit_variant("efficienttam_ti_512", 192, 3)};
}

const std::vector<Sam2Options>& variants() {
  static const std::vector<Sam2Options> list = make_variants();
  return list;
}

void check_hiera(const Sam2Options& o) {
  const HieraOptions& h = o.hiera;
  VOXLOOM_CHECK(
      h.stages.size() == 4 && h.window_spec.size() == 4 && h.position_grid.size() == 2,
      ErrorCode::kInvalidArgument,
      "sam2 options: hiera needs 4 stages, 4 windows and a 2-D position grid, got {}, {} and {}",
      h.stages.size(),
      h.window_spec.size(),
      h.position_grid.size());
  VOXLOOM_CHECK(h.embed_dim % h.num_heads == 0,
                ErrorCode::kInvalidArgument,
                "sam2 options: the channels must be a multiple of the heads {}, got {}",
                h.num_heads,
                h.embed_dim);
  VOXLOOM_CHECK((o.image_size / 4) % h.window_spec[0] == 0,
                ErrorCode::kInvalidArgument,
                "sam2 options: image_size / 4 must be a multiple of the first window {}, got {}",
                h.window_spec[0],
                o.image_size / 4);
}

}  // namespace

void Sam2Options::validate() const {
  VOXLOOM_CHECK(image_size > 0 && image_size % 32 == 0,
                ErrorCode::kInvalidArgument,
                "sam2 options: image_size must be a positive multiple of 32, got {}",
                image_size);
  VOXLOOM_CHECK(d_model > 0 && d_model % (2 * decoder_heads) == 0 && d_model % 4 == 0,
                ErrorCode::kInvalidArgument,
                "sam2 options: d_model must be a multiple of {}, got {}",
                2 * decoder_heads,
                d_model);
  VOXLOOM_CHECK(memory_dim > 0 && memory_dim % 4 == 0 && d_model % memory_dim == 0,
                ErrorCode::kInvalidArgument,
                "sam2 options: memory_dim must divide d_model {}, got {}",
                d_model,
                memory_dim);
  VOXLOOM_CHECK(num_memories >= 2 && max_pointers >= 2 && memory_stride >= 1,
                ErrorCode::kInvalidArgument,
                "sam2 options: at least 2 memories, 2 pointers and stride 1, got {}, {} and {}",
                num_memories,
                max_pointers,
                memory_stride);
  VOXLOOM_CHECK(max_cond_frames == -1 || max_cond_frames >= 2,
                ErrorCode::kInvalidArgument,
                "sam2 options: max_cond_frames must be -1 or at least 2, got {}",
                max_cond_frames);
  if (trunk == TrunkKind::kHiera) check_hiera(*this);
}

std::span<const Sam2Options> known_variants() {
  return variants();
}

const Sam2Options& variant_options(std::string_view name) {
  std::string names;
  for (const Sam2Options& options : variants()) {
    if (options.variant == name) return options;
    names += (names.empty() ? "" : ", ") + options.variant;
  }
  throw Error(ErrorCode::kNotFound,
              format("sam2 variant: must be one of {}, got '{}'", names, name));
}

Sam2Options shrunken_options() {
  Sam2Options options;
  options.variant = "shrunken";
  options.image_size = 128;
  options.hiera.embed_dim = 16;
  options.hiera.stages = {1, 2, 3, 1};
  options.hiera.global_blocks = {4};
  options.hiera.window_spec = {4, 2, 7, 3};
  options.hiera.position_grid = {3, 3};
  options.d_model = 64;
  options.memory_dim = 16;
  options.memory_layers = 2;
  options.memory_ffn = 96;
  return options;
}

}  // namespace voxloom::models::sam2
