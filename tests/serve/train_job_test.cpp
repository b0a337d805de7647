// Training on the server's labels: what clients send becomes options, and the better package wins.
#include "voxloom/serve/tasks/train_job.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/error.h"

namespace voxloom::serve {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

TEST(TrainOptionsTest, ClientsNamesAndOursAreReadAndForeignOnesLeftOut) {
  const auto options = train_options({{"max_epochs", 3},
                                      {"val_split", 0.4},
                                      {"freeze_image_encoder", false},
                                      {"frames", 4},
                                      {"client_id", "slicer"},
                                      {"multi_gpu", true},
                                      {"output", "/etc"},
                                      {"data", "/etc"}});
  EXPECT_EQ(options.trainer.epochs, 3);
  EXPECT_DOUBLE_EQ(options.val_share, 0.4);
  EXPECT_FALSE(options.freeze_image_encoder);
  EXPECT_EQ(options.clip.frames, 4);
  EXPECT_EQ(options.run, "");
  EXPECT_EQ(options.data, "");
  EXPECT_THROW(static_cast<void>(train_options({{"max_epochs", "many"}})), Error);
  EXPECT_THROW(static_cast<void>(train_options({{"val_split", 7}})), Error);
}

TEST(TrainOptionsTest, TheTrainersSettingsAreItsDefaults) {
  const ServedModel model{.name = "SAM", .package = "p", .variant = "medsam2_t512"};
  EXPECT_TRUE(is_trainable(model));
  EXPECT_FALSE(is_trainable({.name = "geodesic", .package = "geodesic"}));
  const auto sent = train_options(trainer_info(model)["config"]), none = train_options({});
  EXPECT_EQ(sent.trainer.epochs, none.trainer.epochs);
  EXPECT_EQ(sent.val_share, none.val_share);
  EXPECT_EQ(sent.trainer.lr, none.trainer.lr);
  EXPECT_EQ(sent.freeze_image_encoder, none.freeze_image_encoder);
}

TEST(TrainRequestTest, SurvivesItsFile) {
  const TrainRequest request{.model = "SAM",
                             .package = "/p",
                             .folder = "/f",
                             .options = {{"max_epochs", 2}},
                             .cases = {{"a", "/a.nii.gz", "/labels/final/a.nii.gz"}}};
  const auto read = TrainRequest::from_json(request.to_json());
  EXPECT_EQ(read.to_json(), request.to_json());
  auto json = request.to_json();
  json.erase("package");
  EXPECT_THROW(static_cast<void>(TrainRequest::from_json(json)), Error);
}

class InstallTrainedTest : public ::testing::Test {
 protected:
  InstallTrainedTest() {
    std::string name = (fs::temp_directory_path() / "voxloom-install-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    write(folder_ / "models/medsam2", "old");
    write(folder_ / "run/model", "new");
  }
  ~InstallTrainedTest() override {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  static void write(const fs::path& package, const std::string& text) {
    fs::create_directories(package);
    std::ofstream(package / "model.yaml") << text;
  }
  /// The names in models/, and what the package that is not used says.
  std::pair<std::vector<std::string>, std::string> models() const {
    std::vector<std::string> names;
    std::string aside;
    for (const auto& entry : fs::directory_iterator(folder_ / "models")) {
      names.push_back(entry.path().filename().string());
      if (names.back().ends_with(".deleted")) aside = read_text_file(entry.path() / "model.yaml");
    }
    return {names, aside};
  }
  [[nodiscard]] std::string served() const {
    return read_text_file(folder_ / "models/medsam2/model.yaml");
  }
  fs::path folder_;
};

TEST_F(InstallTrainedTest, ABetterPackageTakesThePlaceAndTheOldOneStaysBeside) {
  install_trained(folder_ / "models/medsam2", folder_ / "run/model", true);
  EXPECT_EQ(served(), "new");
  const auto [names, aside] = models();
  EXPECT_EQ(names.size(), 2U);
  EXPECT_EQ(aside, "old");
}

TEST_F(InstallTrainedTest, AWorsePackageIsPutAside) {
  install_trained(folder_ / "models/medsam2", folder_ / "run/model", false);
  EXPECT_EQ(served(), "old");
  const auto [names, aside] = models();
  EXPECT_EQ(names.size(), 2U);
  EXPECT_EQ(aside, "new");
}

TEST_F(InstallTrainedTest, AMissingPackageLeavesTheOldOne) {
  EXPECT_THROW(install_trained(folder_ / "models/medsam2", folder_ / "none", true), Error);
  EXPECT_EQ(served(), "old");
}

}  // namespace
}  // namespace voxloom::serve
