#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>

#include <gtest/gtest.h>

#include "voxloom/models/sam2/sam2.h"

namespace voxloom::models::sam2 {
namespace {

using KeyMap = std::map<std::string, std::vector<int64_t>>;

/// Lines "name (1, 2, 3)" written by the original code.
KeyMap read_golden_keys(const std::string& file) {
  const char* folder = std::getenv("VOXLOOM_GOLDEN_DIR");
  std::ifstream in(std::string(folder != nullptr ? folder : VOXLOOM_DEFAULT_GOLDEN_DIR) +
                   "/medsam2/keys/" + file);
  EXPECT_TRUE(in.good()) << file;
  KeyMap keys;
  std::string line;
  while (std::getline(in, line)) {
    const size_t open = line.find(" (");
    std::vector<int64_t> shape;
    std::istringstream numbers(line.substr(open + 2));
    for (int64_t n = 0; numbers >> n; numbers.ignore(2)) shape.push_back(n);
    keys[line.substr(0, open)] = shape;
  }
  return keys;
}

KeyMap to_map(const std::vector<tensor::NamedShape>& list) {
  KeyMap keys;
  for (const auto& item : list) {
    EXPECT_TRUE(keys.emplace(item.name, item.shape).second) << item.name << " twice";
  }
  return keys;
}

struct Case {
  const char* variant;
  const char* file;
  size_t entries;
};

class KeysGoldenTest : public testing::TestWithParam<Case> {};

TEST_P(KeysGoldenTest, ModuleAndListHaveTheOriginalNamesAndShapes) {
  const KeyMap wanted = read_golden_keys(GetParam().file);
  ASSERT_EQ(wanted.size(), GetParam().entries);
  const Sam2Options& options = variant_options(GetParam().variant);
  EXPECT_EQ(to_map(expected_keys(options)), wanted);
  const Sam2 model(options);
  EXPECT_EQ(to_map(tensor::named_shapes(*model)), wanted);
}

INSTANTIATE_TEST_SUITE_P(
    Variants,
    KeysGoldenTest,
    testing::Values(Case{"medsam2_t512", "medsam2.txt", 471},
                    Case{"sam2.1_t", "medsam2.txt", 471},
                    Case{"sam2.1_s", "sam2.1_s.txt", 519},
                    Case{"sam2.1_b+", "sam2.1_b+.txt", 615},
                    Case{"sam2.1_l", "sam2.1_l.txt", 903},
                    Case{"efficienttam_s_512", "efficienttam_s_512x512.txt", 455},
                    Case{"efficienttam_ti_512", "efficienttam_ti_512x512.txt", 455}));

}  // namespace
}  // namespace voxloom::models::sam2
