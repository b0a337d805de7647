#include <cstdlib>

#include <gmock/gmock.h>

#include "voxloom/serve/interactive/fair_queue.h"
#include "voxloom/weights/generated.h"
#include "voxloom/weights/package.h"

#include "interactive_fixtures.h"

namespace voxloom::serve {
namespace {

using ::testing::ElementsAre;
using testing::TempFolder;

class ServedModelsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"VOXLOOM_MODELS", "XDG_DATA_HOME"}) {
      const char* const value = std::getenv(name);
      before_.emplace_back(name, value == nullptr ? "" : value);
      ::setenv(name, folder_.path().c_str(), 1);
    }
  }
  void TearDown() override {
    for (const auto& [name, value] : before_) {
      if (value.empty()) {
        ::unsetenv(name.c_str());
      } else {
        ::setenv(name.c_str(), value.c_str(), 1);
      }
    }
  }
  void package(const std::string& name,
               const std::string& variant,
               const char* task = "segment",
               const char* architecture = "sam2.1-hiera") {
    weights::PackageInfo info;
    info.task = task;
    info.architecture = architecture;
    info.variant = variant;
    info.licence = "Apache-2.0";
    info.created_by = "test";
    const weights::KeyShape keys[] = {{"a", {4}}};
    static_cast<void>(weights::write_package(
        folder_ / name, info, weights::make_stand_in_weights(keys), "card", Overwrite::kRefuse));
  }
  static std::vector<std::string> names(const std::vector<std::string>& given) {
    std::vector<std::string> list;
    for (const auto& model : served_models(given)) list.push_back(model.name);
    return list;
  }
  static std::optional<ErrorCode> code_of(const std::vector<std::string>& given) {
    try {
      static_cast<void>(served_models(given));
    } catch (const Error& e) {
      return e.code();
    }
    return std::nullopt;
  }

  TempFolder folder_;
  std::vector<std::pair<std::string, std::string>> before_;
};

TEST_F(ServedModelsTest, GeodesicIsAlwaysThere) {
  package("other", "sam2.1_t");
  EXPECT_THAT(names({}), ElementsAre("geodesic"));
}

TEST_F(ServedModelsTest, AMedSam2PackageIsServedAsSam) {
  package("med", "medsam2_t512");
  EXPECT_THAT(names({}), ElementsAre("SAM", "geodesic"));
  EXPECT_THAT(names({"mine=med"}), ElementsAre("SAM", "mine", "geodesic"));
  const auto models = served_models({});
  EXPECT_EQ(models[0].type, "deepedit");
  EXPECT_EQ(models[0].dimension, 3);
  EXPECT_EQ(models[0].labels.dump(), R"({"background":0,"intersection":1,"uncertain":2})");
  EXPECT_EQ(models[0].label_names.dump(), R"({"intersection":1,"uncertain":2})");
  EXPECT_EQ(models[0].package, (folder_ / "med").string());
}

TEST_F(ServedModelsTest, SamIsTheGivenPackageWhereOneIsNamedSo) {
  package("med", "medsam2_t512");
  package("other", "sam2.1_t");
  EXPECT_THAT(names({"a=other", "SAM=other"}), ElementsAre("a", "SAM", "geodesic"));
  EXPECT_THAT(names({"sam_3d=geodesic"}), ElementsAre("SAM", "sam_3d", "geodesic"));
}

TEST_F(ServedModelsTest, ModelsOfSingleSlicesSaySo) {
  package("med", "medsam2_t512");
  package("med2d", "sam-med2d_b", "segment", "sam-med2d");
  const auto models = served_models({"clicks=med2d"});
  ASSERT_EQ(models.size(), 3U);
  EXPECT_EQ(models[0].description, "Interactive 3-D segmentation, medsam2_t512");
  EXPECT_EQ(models[1].name, "clicks");
  EXPECT_EQ(models[1].description, "Interactive segmentation, slice by slice, sam-med2d_b");
}

TEST_F(ServedModelsTest, RefusesWrongNamesAndPackages) {
  package("med", "medsam2_t512");
  package("wire", "medsam2_t512", "wire");
  for (const char* bad : {"",
                          "med",
                          "=med",
                          "a b=med",
                          "a/b=med",
                          "a+b=med",
                          "x=",
                          ".x=med",
                          "geodesic=med",
                          "x=wire"}) {
    EXPECT_EQ(code_of({bad}), ErrorCode::kInvalidArgument) << bad;
  }
  EXPECT_EQ(code_of({"x=med", "x=med"}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of({"x=absent"}), ErrorCode::kNotFound);
}

TEST_F(ServedModelsTest, ConfigIsWhatSlicerCanShow) {
  for (const auto& model : served_models({})) {
    for (const auto& [key, value] : model.config.items()) {
      if (!value.is_array()) {
        EXPECT_TRUE(value.is_number_integer()) << key;
        continue;
      }
      for (const auto& choice : value) EXPECT_TRUE(choice.is_string()) << key;
    }
    EXPECT_EQ(model.config["window"][0], "auto");
  }
}

TEST(FairQueueTest, TakesClientsInTurnAndKeepsTheirOrder) {
  FairQueue<int> queue;
  for (const int task : {1, 2, 3}) queue.push("a", task);
  queue.push("b", 4);
  EXPECT_EQ(queue.pop(), 1);
  queue.push("c", 5);
  EXPECT_EQ(queue.size(), 4U);
  EXPECT_EQ(queue.pop(), 4);
  EXPECT_EQ(queue.pop(), 2);
  EXPECT_THAT(queue.take([](int task) { return task == 5; }), ElementsAre(5));
  EXPECT_EQ(queue.pop(), 3);
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.pop(), std::nullopt);
}

}  // namespace
}  // namespace voxloom::serve
