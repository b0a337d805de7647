#include "voxloom/recipes/segment/parameter_groups.h"

#include <charconv>
#include <cmath>
#include <map>
#include <set>
#include <string>

#include "voxloom/nn/layers.h"

namespace voxloom::recipes::segment {
namespace {

constexpr std::string_view kEncoder = "image_encoder.", kTrunk = "image_encoder.trunk.";
constexpr std::string_view kBlocks = "image_encoder.trunk.blocks.";

/// k of "...blocks.k.<more>".
int64_t block_of(std::string_view name) {
  int64_t block = 0;
  const char* begin = name.data() + kBlocks.size();
  std::from_chars(begin, name.data() + name.size(), block);
  return block;
}

double rate_factor(const std::string& name,
                   int64_t blocks,
                   const infer::SegmentTrainOptions& options) {
  if (!name.starts_with(kEncoder)) return 1.0;
  const double encoder = options.image_encoder_lr_factor;
  if (!name.starts_with(kTrunk) || name.find("pos_embed") != std::string::npos) return encoder;
  const int64_t id = name.starts_with(kBlocks) ? block_of(name) + 1 : 0;
  return encoder * std::pow(options.layer_decay, static_cast<double>(blocks + 1 - id));
}

/// The names of all norms' factors.
std::set<std::string> norm_weights(torch::nn::Module& network) {
  std::set<std::string> names;
  for (const auto& item : network.named_modules()) {
    if (item.value()->as<nn::LayerNormImpl>() != nullptr ||
        item.value()->as<nn::LayerNorm2dImpl>() != nullptr) {
      names.insert(item.key() + ".weight");
    }
  }
  return names;
}

}  // namespace

std::vector<train::ParameterGroup> parameter_groups(models::sam2::Sam2& network,
                                                    const infer::SegmentTrainOptions& options) {
  const auto norms = norm_weights(*network);
  int64_t blocks = 0;
  for (const auto& item : network->named_parameters()) {
    if (item.key().starts_with(kBlocks)) blocks = std::max(blocks, block_of(item.key()) + 1);
  }
  std::map<std::pair<double, double>, train::ParameterGroup> groups;
  for (auto& item : network->named_parameters()) {
    const std::string& name = item.key();
    const bool frozen = options.freeze_image_encoder && name.starts_with(kEncoder);
    item.value().requires_grad_(!frozen);
    if (frozen) continue;
    const double rate = rate_factor(name, blocks, options);
    const double decay = name.ends_with("bias") || norms.contains(name) ? 0.0 : 1.0;
    train::ParameterGroup& group = groups[{rate, decay}];
    group.lr_factor = rate;
    group.weight_decay_factor = decay;
    group.parameters.push_back(item.value());
  }
  std::vector<train::ParameterGroup> list;
  for (auto& [key, group] : groups) list.push_back(std::move(group));
  return list;
}

}  // namespace voxloom::recipes::segment
