#include "voxloom/weights/checkpoint.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>

#include "voxloom/core/error.h"
#include "voxloom/core/sha256.h"
#include "voxloom/weights/pickle.h"

namespace voxloom::weights {
namespace {

using testing::HasSubstr;

std::filesystem::path data_dir() {
  return std::filesystem::path(VOXLOOM_SOURCE_DIR) / "tests" / "weights" / "data";
}

nlohmann::ordered_json expectations() {
  std::ifstream in(data_dir() / "expected.json");
  return nlohmann::ordered_json::parse(in);
}

void compare(const StateDict& found, const nlohmann::ordered_json& expected) {
  EXPECT_EQ(found.size(), expected.size());
  for (const auto& [name, facts] : expected.items()) {
    const TensorView* tensor = found.find(name);
    ASSERT_NE(tensor, nullptr) << name;
    EXPECT_EQ(dtype_name(tensor->dtype), facts["dtype"].get<std::string>()) << name;
    EXPECT_EQ(tensor->shape, facts["shape"].get<std::vector<int64_t>>()) << name;
    EXPECT_EQ(sha256_hex(tensor->bytes), facts["sha256"].get<std::string>()) << name;
    const auto address = reinterpret_cast<uintptr_t>(tensor->bytes.data());
    EXPECT_EQ(address % bytes_per_element(tensor->dtype), 0u) << name << " is misaligned";
  }
}

class CheckpointFileTest : public testing::TestWithParam<std::string> {};

// Every file of make_data.py: the tensors that Python saved, by type, shape and content; or the
// error that says why not.
TEST_P(CheckpointFileTest, ReadsWhatPythonWrote) {
  const auto all = expectations();
  const auto& expected = all[GetParam()];
  const auto path = data_dir() / GetParam();
  if (expected.contains("error")) {
    try {
      (void)read_checkpoint(path);
      FAIL() << "read without an error";
    } catch (const Error& e) {
      EXPECT_EQ(error_code_name(e.code()), expected["error"].get<std::string>()) << e.what();
      EXPECT_THAT(e.what(), HasSubstr(expected["message"].get<std::string>()));
      EXPECT_THAT(e.what(), HasSubstr(GetParam()));
    }
    return;
  }
  const Checkpoint checkpoint = read_checkpoint(path);
  EXPECT_EQ(checkpoint_format_name(checkpoint.format), expected["format"].get<std::string>());
  EXPECT_EQ(checkpoint.selected, expected["selected"].get<std::string>());
  compare(checkpoint.tensors, expected["tensors"]);
  if (!expected.contains("unordered")) {
    std::vector<std::string> names, expected_names;
    for (const auto& entry : checkpoint.tensors.entries()) names.push_back(entry.name);
    for (const auto& item : expected["tensors"].items()) expected_names.push_back(item.key());
    EXPECT_EQ(names, expected_names);
  }
  if (expected.contains("constants")) compare(checkpoint.constants, expected["constants"]);
  if (expected.contains("metadata")) {
    EXPECT_EQ(checkpoint.metadata, expected["metadata"]);
  }
  if (expected.contains("opaque")) {
    EXPECT_EQ(checkpoint.opaque_types, expected["opaque"].get<std::vector<std::string>>());
  }
}

std::vector<std::string> file_names() {
  std::vector<std::string> names;
  const auto all = expectations();
  for (const auto& item : all.items()) names.push_back(item.key());
  return names;
}

INSTANTIATE_TEST_SUITE_P(Files,
                         CheckpointFileTest,
                         testing::ValuesIn(file_names()),
                         [](const auto& param_info) {
                           std::string name = param_info.param;
                           std::replace(name.begin(), name.end(), '.', '_');
                           return name;
                         });

TEST(CheckpointTest, EveryDataFileIsExpected) {
  const auto all = expectations();
  for (const auto& file : std::filesystem::directory_iterator(data_dir())) {
    const std::string name = file.path().filename().string();
    EXPECT_TRUE(name == "expected.json" || all.contains(name)) << name;
  }
}

TEST(CheckpointTest, ExecutesNothing) {
  const auto marker = std::filesystem::path("voxloom_pickle_was_executed");
  std::filesystem::remove(marker);
  (void)read_checkpoint(data_dir() / "evil.pt");
  (void)read_checkpoint(data_dir() / "evil_legacy.pth");
  EXPECT_FALSE(std::filesystem::exists(marker));
}

TEST(CheckpointTest, SelectsAnotherKeyOrTheWholeFile) {
  const auto path = data_dir() / "two_models.pt";
  CheckpointOptions options;
  options.select = "critic";
  EXPECT_EQ(read_checkpoint(path, options).tensors.entries()[0].name, "weight");
  options.select = "";
  const Checkpoint whole = read_checkpoint(path, options);
  ASSERT_EQ(whole.tensors.size(), 2u);
  EXPECT_EQ(whole.tensors.entries()[1].name, "critic.weight");
  options.select = "actor";
  EXPECT_THROW((void)read_checkpoint(path, options), Error);
  EXPECT_THROW((void)read_checkpoint(data_dir() / "arrays.npz", options), Error);
}

TEST(CheckpointTest, ListsTensorsOutsideTheStateDict) {
  const Checkpoint checkpoint = read_checkpoint(data_dir() / "training.pt");
  EXPECT_THAT(checkpoint.all_names, testing::Contains("model.conv.weight"));
  EXPECT_THAT(checkpoint.all_names, testing::Contains("optimizer.state.0.exp_avg"));
}

TEST(CheckpointTest, ContiguousTensorsAreViewsAndSharedOnesShare) {
  CheckpointOptions options;
  options.max_copied_bytes = 0;
  EXPECT_EQ(read_checkpoint(data_dir() / "state_dict.pt", options).tensors.size(), 11u);
  const Checkpoint views = read_checkpoint(data_dir() / "views.pt");
  EXPECT_EQ(views.tensors.find("whole")->bytes.data(), views.tensors.find("again")->bytes.data());
  EXPECT_EQ(views.tensors.find("row")->bytes.data(),
            views.tensors.find("whole")->bytes.data() + 20 * 4);
}

TEST(CheckpointTest, CopiesHaveABudget) {
  CheckpointOptions options;
  options.max_copied_bytes = 100;
  try {
    (void)read_checkpoint(data_dir() / "views.pt", options);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kUnsupported);
    EXPECT_THAT(e.what(), HasSubstr("at most 100 bytes"));
  }
}

TEST(CheckpointTest, TensorsOutliveTheCheckpoint) {
  TensorView kept;
  {
    const Checkpoint checkpoint = read_checkpoint(data_dir() / "one_entry.pt");
    kept = *checkpoint.tensors.find("weight");
  }
  float values[5];
  std::memcpy(values, kept.bytes.data(), sizeof(values));
  EXPECT_THAT(values, testing::ElementsAre(0, 1, 2, 3, 4));
}

// Any file cut anywhere gives an Error, never a crash, a hang or another exception.
TEST(CheckpointTest, EveryTruncationIsAnError) {
  for (const char* name : {"one_entry.pt", "legacy.pth", "types.safetensors", "arrays.npz"}) {
    const std::filesystem::path path = data_dir() / name;
    std::ifstream in(path, std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(in)), {});
    for (size_t size = 0; size < text.size(); ++size) {
      std::vector<std::byte> bytes(size);
      if (size > 0) std::memcpy(bytes.data(), text.data(), size);
      EXPECT_THROW((void)parse_checkpoint(own_bytes(std::move(bytes)), "cut"), Error)
          << name << " cut at " << size;
    }
  }
}

TEST(CheckpointTest, ChecksumsAreComparedUnlessToldOtherwise) {
  std::ifstream in(data_dir() / "one_entry.pt", std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(in)), {});
  const float values[] = {0, 1, 2, 3, 4};
  const std::string data(reinterpret_cast<const char*>(values), sizeof(values));
  const size_t at = text.find(data);
  ASSERT_NE(at, std::string::npos);
  text[at] = 1;
  const auto parse = [&](bool verify) {
    std::vector<std::byte> bytes(text.size());
    std::memcpy(bytes.data(), text.data(), text.size());
    CheckpointOptions options;
    options.verify_checksums = verify;
    return parse_checkpoint(own_bytes(std::move(bytes)), "flipped", options);
  };
  EXPECT_THROW((void)parse(true), Error);
  EXPECT_EQ(parse(false).tensors.size(), 1u);
}

TEST(CheckpointTest, AMissingFileIsNotFound) {
  try {
    (void)read_checkpoint("no_such.pt");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kNotFound);
    EXPECT_THAT(e.what(), HasSubstr("no_such.pt"));
  }
}

}  // namespace
}  // namespace voxloom::weights
