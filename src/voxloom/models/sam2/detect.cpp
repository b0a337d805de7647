#include "voxloom/models/sam2/detect.h"

#include <algorithm>
#include <cctype>

#include "voxloom/core/error.h"

namespace voxloom::models::sam2 {
namespace {

constexpr std::string_view kTrunk = "image_encoder.trunk.";

/// What the trunk's keys tell: its kind, width and where its stages begin.
struct TrunkSignature {
  TrunkKind kind = TrunkKind::kHiera;
  int64_t embed_dim = 0;
  std::vector<int64_t> stages;         ///< One number (the depth) for a plain transformer.
  std::vector<int64_t> position_grid;  ///< Hiera only: two numbers.

  bool operator==(const TrunkSignature&) const = default;
};

TrunkSignature signature_of(const Sam2Options& options) {
  if (options.trunk == TrunkKind::kHiera) {
    return {TrunkKind::kHiera,
            options.hiera.embed_dim,
            options.hiera.stages,
            options.hiera.position_grid};
  }
  return {TrunkKind::kVit, options.vit.embed_dim, {options.vit.depth}, {}};
}

/// embed_dim stays 0 when the file has no such trunk.
TrunkSignature signature_of(const weights::StateDict& state) {
  TrunkSignature found;
  const auto* pos_embed = state.find(std::string(kTrunk) + "pos_embed");
  if (pos_embed == nullptr) return found;
  if (pos_embed->shape.size() == 4) {
    found.embed_dim = pos_embed->shape[1];
    found.position_grid = {pos_embed->shape[2], pos_embed->shape[3]};
  } else if (pos_embed->shape.size() == 3) {
    found.kind = TrunkKind::kVit;
    found.embed_dim = pos_embed->shape[2];
  }
  int64_t length = 0;
  for (int64_t block = 0;; ++block) {
    const std::string name = format("{}blocks.{}.", kTrunk, block);
    if (state.find(name + "attn.qkv.weight") == nullptr) break;
    if (state.find(name + "proj.weight") != nullptr) {
      found.stages.push_back(length);
      length = 0;
    }
    ++length;
  }
  found.stages.push_back(length);
  return found;
}

std::string describe(const TrunkSignature& s) {
  return format("{} trunk of width {} with blocks {}",
                s.kind == TrunkKind::kHiera ? "a hierarchical" : "a plain",
                s.embed_dim,
                s.stages);
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) {
    return static_cast<char>(std::tolower(c));
  });
  return out;
}

}  // namespace

std::vector<std::string> matching_variants(const weights::StateDict& state) {
  const TrunkSignature found = signature_of(state);
  std::vector<std::string> names;
  for (const Sam2Options& options : known_variants()) {
    if (signature_of(options) == found) names.push_back(options.variant);
  }
  return names;
}

Sam2Options detect_options(const weights::StateDict& state,
                           std::string_view variant,
                           std::string_view file_name) {
  if (!variant.empty()) return variant_options(variant);
  const std::vector<std::string> matches = matching_variants(state);
  if (matches.size() == 1) return variant_options(matches[0]);
  const TrunkSignature found = signature_of(state);
  VOXLOOM_CHECK(found.embed_dim > 0,
                ErrorCode::kUnsupported,
                "'{}': must hold a network of the sam2 family, got no '{}pos_embed' among {} keys",
                file_name,
                kTrunk,
                state.size());
  VOXLOOM_CHECK(!matches.empty(),
                ErrorCode::kUnsupported,
                "'{}': the image trunk must be that of a known variant, got {}",
                file_name,
                describe(found));
  const size_t slash = file_name.find_last_of("/\\");
  const std::string base =
      lower(slash == std::string_view::npos ? file_name : file_name.substr(slash + 1));
  if (base.find("medsam2") != std::string::npos) return variant_options("medsam2_t512");
  if (base.find("sam2.1") != std::string::npos) return variant_options("sam2.1_t");
  throw Error(ErrorCode::kInvalidArgument,
              format("'{}': the keys fit '{}' (input 512) and '{}' (input 1024) alike; name the "
                     "variant",
                     file_name,
                     matches[0],
                     matches[1]));
}

tensor::KeyDiff check_keys(const Sam2Options& options, const weights::StateDict& state) {
  return tensor::diff_keys(expected_keys(options), state);
}

}  // namespace voxloom::models::sam2
