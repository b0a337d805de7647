#include "voxloom/models/sam_med2d/options.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "voxloom/core/error.h"

namespace voxloom::models::sam_med2d {

bool SamMed2dOptions::is_global(int64_t block) const {
  return std::find(global_blocks.begin(), global_blocks.end(), block) != global_blocks.end();
}

void SamMed2dOptions::validate() const {
  VOXLOOM_CHECK(image_size > 0 && image_size <= 4096 && image_size % 32 == 0,
                ErrorCode::kInvalidArgument,
                "sam-med2d options: image_size must be a multiple of 32 up to 4096, got {}",
                image_size);
  VOXLOOM_CHECK(num_heads > 0 && embed_dim > 0 && embed_dim <= 8192 && embed_dim % num_heads == 0 &&
                    embed_dim % 4 == 0,
                ErrorCode::kInvalidArgument,
                "sam-med2d options: embed_dim must be a multiple of 4 and of the heads {}, got {}",
                num_heads,
                embed_dim);
  VOXLOOM_CHECK(depth > 0 && depth <= 256 && window > 0 && window <= 1024,
                ErrorCode::kInvalidArgument,
                "sam-med2d options: depth must be 1 to 256 and window 1 to 1024, got {} and {}",
                depth,
                window);
  for (const int64_t block : global_blocks) {
    VOXLOOM_CHECK(block >= 0 && block < depth,
                  ErrorCode::kInvalidArgument,
                  "sam-med2d options: global_blocks must lie within the {} blocks, got {}",
                  depth,
                  block);
  }
  VOXLOOM_CHECK(d_model > 0 && d_model <= 4096 && d_model % (2 * kDecoderHeads) == 0,
                ErrorCode::kInvalidArgument,
                "sam-med2d options: d_model must be a multiple of {} up to 4096, got {}",
                2 * kDecoderHeads,
                d_model);
  VOXLOOM_CHECK(decoder_mlp > 0 && decoder_mlp <= 65536 && iou_hidden > 0 && iou_hidden <= 65536,
                ErrorCode::kInvalidArgument,
                "sam-med2d options: decoder_mlp and iou_hidden must be 1 to 65536, got {} and {}",
                decoder_mlp,
                iou_hidden);
}

SamMed2dOptions shrunken_options() {
  return {.image_size = 96,
          .embed_dim = 48,
          .depth = 3,
          .num_heads = 3,
          .window = 4,
          .global_blocks = {1},
          .d_model = 64,
          .decoder_mlp = 96,
          .iou_hidden = 64};
}

std::string variant_name(const SamMed2dOptions& options) {
  return options == SamMed2dOptions{} ? kPublishedVariant : "custom";
}

nlohmann::ordered_json options_to_json(const SamMed2dOptions& o) {
  return {{"image_size", o.image_size},
          {"embed_dim", o.embed_dim},
          {"depth", o.depth},
          {"num_heads", o.num_heads},
          {"window", o.window},
          {"global_blocks", o.global_blocks},
          {"d_model", o.d_model},
          {"decoder_mlp", o.decoder_mlp},
          {"iou_hidden", o.iou_hidden}};
}

SamMed2dOptions options_from_json(const nlohmann::ordered_json& json, const std::string& where) {
  SamMed2dOptions o;
  try {
    o.image_size = json.at("image_size").get<int64_t>();
    o.embed_dim = json.at("embed_dim").get<int64_t>();
    o.depth = json.at("depth").get<int64_t>();
    o.num_heads = json.at("num_heads").get<int64_t>();
    o.window = json.at("window").get<int64_t>();
    o.global_blocks = json.at("global_blocks").get<std::vector<int64_t>>();
    o.d_model = json.at("d_model").get<int64_t>();
    o.decoder_mlp = json.at("decoder_mlp").get<int64_t>();
    o.iou_hidden = json.at("iou_hidden").get<int64_t>();
    o.validate();
  } catch (const nlohmann::json::exception&) {
    throw Error(ErrorCode::kDataCorrupt,
                format("{}: options must hold image_size, embed_dim, depth, num_heads, window, "
                       "global_blocks, d_model, decoder_mlp and iou_hidden",
                       where));
  } catch (const Error& e) {
    throw Error(ErrorCode::kDataCorrupt, where + ": " + e.what());
  }
  return o;
}

}  // namespace voxloom::models::sam_med2d
