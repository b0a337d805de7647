#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "voxloom/core/error.h"
#include "voxloom/models/sam2/detect.h"
#include "voxloom/models/sam2/sam2.h"

namespace voxloom::models::sam2 {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

/// The keys of a variant over bytes that nobody reads.
weights::StateDict keys_only(const Sam2Options& options) {
  weights::StateDict state;
  for (const auto& key : expected_keys(options)) {
    weights::TensorView view;
    view.shape = key.shape;
    state.add(key.name, view);
  }
  return state;
}

std::string message_of(const std::function<void()>& call, ErrorCode code) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

TEST(DetectTest, FindsEveryVariantFromItsKeys) {
  for (const Sam2Options& options : known_variants()) {
    const weights::StateDict state = keys_only(options);
    EXPECT_THAT(matching_variants(state), testing::Contains(options.variant));
    EXPECT_TRUE(check_keys(options, state).empty());
    if (options.variant == "medsam2_t512" || options.variant == "sam2.1_t") continue;
    EXPECT_EQ(detect_options(state, "", "any.pt").variant, options.variant);
  }
}

TEST(DetectTest, TinyNetworksAreToldApartByTheFileName) {
  const weights::StateDict state = keys_only(variant_options("sam2.1_t"));
  EXPECT_THAT(matching_variants(state), ElementsAre("medsam2_t512", "sam2.1_t"));
  EXPECT_EQ(detect_options(state, "", "/models/MedSAM2_latest.pt").image_size, 512);
  EXPECT_EQ(detect_options(state, "", "sam2.1_hiera_tiny.pt").image_size, 1024);
  EXPECT_EQ(detect_options(state, "sam2.1_t", "MedSAM2_latest.pt").image_size, 1024);
  // A folder's name decides nothing.
  EXPECT_THAT(message_of([&] { static_cast<void>(detect_options(state, "", "medsam2/model.pt")); },
                         ErrorCode::kInvalidArgument),
              AllOf(HasSubstr("medsam2_t512"), HasSubstr("sam2.1_t")));
}

TEST(DetectTest, SaysWhatAForeignFileIs) {
  weights::StateDict other;
  other.add("backbone.weight", weights::TensorView{});
  EXPECT_THAT(message_of([&] { static_cast<void>(detect_options(other, "", "other.pt")); },
                         ErrorCode::kUnsupported),
              HasSubstr("'other.pt'"));
  Sam2Options odd = variant_options("sam2.1_s");
  odd.hiera.stages = {1, 2, 5, 2};
  const weights::StateDict state = keys_only(odd);
  EXPECT_THAT(message_of([&] { static_cast<void>(detect_options(state, "", "odd.pt")); },
                         ErrorCode::kUnsupported),
              HasSubstr("[1, 2, 5, 2]"));
  EXPECT_THAT(message_of([&] { static_cast<void>(detect_options(state, "sam3", "odd.pt")); },
                         ErrorCode::kNotFound),
              HasSubstr("efficienttam_ti_512"));
}

TEST(DetectTest, ReportsAllProblemsOfADamagedFileAtOnce) {
  weights::StateDict damaged;
  const auto keys = expected_keys(variant_options("medsam2_t512"));
  for (const auto& key : keys) {
    weights::TensorView view;
    view.shape = key.shape;
    if (key.name.starts_with("obj_ptr_proj.")) continue;  // 6 missing
    if (key.name == "no_obj_ptr") view.shape = {1, 128};
    damaged.add(key.name, view);
  }
  damaged.add("surplus", weights::TensorView{});
  const std::string message = message_of(
      [&] { static_cast<void>(load_sam2(damaged, "", "MedSAM2_x.pt")); }, ErrorCode::kDataCorrupt);
  EXPECT_THAT(message,
              AllOf(HasSubstr("'MedSAM2_x.pt'"),
                    HasSubstr("6 missing keys"),
                    HasSubstr("'obj_ptr_proj.layers.2.bias'"),
                    HasSubstr("1 unexpected key: 'surplus'"),
                    HasSubstr("'no_obj_ptr' must be [1, 256], got [1, 128]")));
}

TEST(DetectTest, CapsLongLists) {
  const weights::StateDict empty;
  const auto diff = check_keys(variant_options("medsam2_t512"), empty);
  EXPECT_EQ(diff.missing.size(), 471U);
  EXPECT_THAT(diff.describe(3),
              HasSubstr("471 missing keys: 'maskmem_tpos_enc', 'no_mem_embed', "
                        "'no_mem_pos_enc' and 468 more"));
}

}  // namespace
}  // namespace voxloom::models::sam2
