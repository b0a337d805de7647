#include "voxloom/weights/package.h"

#include <cstdlib>
#include <fstream>

#include <gmock/gmock.h>

#include "voxloom/core/error.h"
#include "voxloom/core/sha256.h"
#include "voxloom/weights/generated.h"

namespace voxloom::weights {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class PackageTest : public testing::Test {
 protected:
  void SetUp() override {
    root_ =
        fs::path(testing::TempDir()) /
        ("packages_" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
    fs::remove_all(root_);
    fs::create_directories(root_);
  }
  void TearDown() override { fs::remove_all(root_); }

  static PackageInfo info() {
    PackageInfo info;
    info.task = "segment";
    info.architecture = "sam2.1-hiera";
    info.variant = "medsam2_t512";
    info.options = {{"image_size", 512}, {"stages", {1, 2, 7, 2}}, {"trunk", "hiera"}};
    info.preprocessing = {{"mean", {0.485, 0.456, 0.406}}};
    info.labels = {{1, "lesion"}};
    info.licence = "CC BY-NC-SA 4.0";
    info.source_file = "MedSAM2_latest.pt";
    info.source_sha256 = std::string(64, 'a');
    info.bf16 = PrecisionGate{0.993, true, 3, "test host"};
    info.created_by = "voxloom 0.1.0";
    return info;
  }
  static StateDict tensors() {
    const KeyShape keys[] = {{"a.weight", {4, 3}}, {"a.bias", {4}}};
    return make_stand_in_weights(keys);
  }
  Package write(const std::string& name, Overwrite overwrite = Overwrite::kRefuse) {
    return write_package(root_ / name, info(), tensors(), "# Card\n", overwrite);
  }
  static std::string problem_of(const std::function<void()>& fn) {
    try {
      fn();
    } catch (const Error& e) {
      return std::string(error_code_name(e.code())) + ": " + e.what();
    }
    return "done";
  }
  void replace_in_yaml(const std::string& name, const std::string& from, const std::string& to) {
    const fs::path path = root_ / name / kModelYaml;
    std::string text = read_text_file(path);
    const size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from << "\n" << text;
    text.replace(at, from.size(), to);
    std::ofstream(path) << text;
  }
  size_t entries_in_root() const {
    return static_cast<size_t>(
        std::distance(fs::directory_iterator(root_), fs::directory_iterator()));
  }

  fs::path root_;
};

TEST_F(PackageTest, RoundTripsEveryField) {
  const Package written = write("m");
  const Package read = read_package(root_ / "m");
  EXPECT_EQ(read.info, written.info);
  EXPECT_EQ(read.name(), "m");
  EXPECT_EQ(read.info.parameters, 16);
  EXPECT_EQ(read.info.weights_sha256, sha256_file(root_ / "m" / kWeightsFile));
  const StateDict weights = read_package_weights(read);
  EXPECT_EQ(fingerprint(weights).weights_sha256, fingerprint(tensors()).weights_sha256);
  EXPECT_EQ(read_text_file(root_ / "m" / kCardFile), "# Card\n");
  EXPECT_EQ(entries_in_root(), 1u) << "temporary folders are left";
  EXPECT_EQ(read_package(root_ / "m/").name(), "m");
}

TEST_F(PackageTest, ReplacesOnlyPackagesAndOnlyOnRequest) {
  write("m");
  EXPECT_THAT(problem_of([&] { write("m"); }), HasSubstr("already_exists"));
  std::ofstream(root_ / "m" / "encoder.onnx") << "cached";
  write("m", Overwrite::kReplace);
  EXPECT_FALSE(fs::exists(root_ / "m" / "encoder.onnx")) << "a cache of the old weights is left";
  EXPECT_TRUE(verify_package(read_package(root_ / "m")).intact);
  fs::create_directories(root_ / "precious");
  std::ofstream(root_ / "precious" / "thesis.txt") << "text";
  EXPECT_THAT(problem_of([&] { write("precious", Overwrite::kReplace); }),
              HasSubstr("is no model package"));
  EXPECT_TRUE(fs::exists(root_ / "precious" / "thesis.txt"));
  fs::create_directories(root_ / "empty");
  EXPECT_EQ(problem_of([&] { write("empty", Overwrite::kReplace); }), "done");
  EXPECT_EQ(problem_of([&] { write("new/folder/m"); }), "done");
  EXPECT_THAT(problem_of([&] { write("precious/thesis.txt/m"); }), HasSubstr("could not be made"));
  EXPECT_EQ(entries_in_root(), 4u);
}

TEST_F(PackageTest, AFailureLeavesNothingBehind) {
  PackageInfo bad = info();
  bad.licence = "";
  bad.task = "cook";
  const std::string problem =
      problem_of([&] { write_package(root_ / "m", bad, tensors(), "card", Overwrite::kRefuse); });
  EXPECT_THAT(problem, HasSubstr("'licence' must not be empty"));
  EXPECT_THAT(problem, HasSubstr("'task' must be segment, wire, stage or anomaly, got 'cook'"));
  EXPECT_EQ(entries_in_root(), 0u);
}

TEST_F(PackageTest, TellsEveryProblemAtOnce) {
  write("m");
  std::ofstream(root_ / "m" / kModelYaml)
      << "format_version: 1\ntask: segment\narchitecture: 7\noptions: none\n"
         "labels: [{value: 0, name: x}, {value: 2, name: y}, {value: 2, name: z}]\n"
         "weights: {sha256: ABC, parameters: -1, extra: 1}\nlicence: x\nlicense: y\n"
         "precision_gate: {bf16: {mask_dice: 2, passed: maybe, slices: 0}}\n";
  const std::string problem = problem_of([&] { (void)read_package(root_ / "m"); });
  for (const char* expected : {"data_corrupt",
                               "model.yaml",
                               "'architecture' must be text",
                               "'variant' is missing",
                               "'options' must be a group of keys",
                               "'labels[0].value' must be an integer of at least 1",
                               "'labels' has the value 2 twice",
                               "'weights.sha256' must be 64",
                               "'weights.fingerprint' is missing",
                               "'weights.parameters' must be",
                               "'weights.extra' is not a key",
                               "'license' is not a key",
                               "'precision_gate.bf16.mask_dice' must be a number from 0 to 1",
                               "'precision_gate.bf16.passed' must be true or false",
                               "'precision_gate.bf16.slices' must be"}) {
    EXPECT_THAT(problem, HasSubstr(expected));
  }
}

TEST_F(PackageTest, ANewerFormatAsksForANewerProgram) {
  write("m");
  replace_in_yaml("m", "format_version: 1", "format_version: 2");
  EXPECT_THAT(problem_of([&] { (void)read_package(root_ / "m"); }),
              testing::AllOf(HasSubstr("unsupported"), HasSubstr("newer version")));
}

TEST_F(PackageTest, MissingFilesAreNamed) {
  EXPECT_THAT(problem_of([&] { (void)read_package(root_ / "none"); }), HasSubstr("not_found"));
  write("m");
  fs::remove(root_ / "m" / kWeightsFile);
  fs::remove(root_ / "m" / kCardFile);
  EXPECT_THAT(problem_of([&] { (void)read_package(root_ / "m"); }),
              HasSubstr("must hold weights.safetensors and card.md"));
}

TEST_F(PackageTest, VerifyFindsAChangedByteAndOtherWeights) {
  const Package package = write("m");
  EXPECT_TRUE(verify_package(package).intact);
  const fs::path weights = root_ / "m" / kWeightsFile;
  std::string text = read_text_file(weights);
  text.back() = static_cast<char>(text.back() ^ 1);
  std::ofstream(weights, std::ios::binary) << text;
  const PackageVerification flipped = verify_package(package);
  EXPECT_FALSE(flipped.intact);
  EXPECT_EQ(flipped.problems.size(), 2u);
  std::ofstream(weights, std::ios::binary) << text.substr(0, text.size() - 1);
  EXPECT_THAT(verify_package(package).problems, testing::Contains(HasSubstr("data bytes")));
}

TEST_F(PackageTest, WeightsMustHaveTheRecordedSize) {
  write("m");
  replace_in_yaml("m", "parameters: 16", "parameters: 17");
  EXPECT_THAT(problem_of([&] { (void)read_package_weights(read_package(root_ / "m")); }),
              HasSubstr("must have 17 elements, got 16"));
}

TEST_F(PackageTest, UpdatesTheRecordedGate) {
  Package package = write("m");
  package.info.bf16 = PrecisionGate{0.5, false, 5, "other"};
  update_package_info(package);
  EXPECT_EQ(read_package(root_ / "m").info, package.info);
  package.info.bf16.reset();
  update_package_info(package);
  EXPECT_FALSE(read_package(root_ / "m").info.bf16.has_value());
}

TEST_F(PackageTest, ListsAndFindsByNameAndPath) {
  write("b");
  write("a");
  write("c.1700000000.deleted");
  write("broken");
  replace_in_yaml("broken", "task: segment", "task: cook");
  fs::create_directories(root_ / "no_package");
  std::vector<BrokenPackage> broken;
  const auto packages = list_packages({root_, root_ / "none"}, &broken);
  ASSERT_EQ(packages.size(), 2u);
  EXPECT_EQ(packages[0].name(), "a");
  EXPECT_EQ(packages[1].name(), "b");
  ASSERT_EQ(broken.size(), 1u);
  EXPECT_THAT(broken[0].problem, HasSubstr("'cook'"));
  EXPECT_EQ(find_package("a", {root_}).folder, root_ / "a");
  EXPECT_EQ(find_package((root_ / "b").string(), {}).folder, root_ / "b");
  EXPECT_THAT(problem_of([&] { (void)find_package("c", {root_}); }),
              testing::AllOf(HasSubstr("not_found"), HasSubstr("there are: a, b")));
  EXPECT_THAT(problem_of([&] { (void)find_package("../x", {root_}); }), HasSubstr("not_found"));
}

TEST_F(PackageTest, SearchFoldersComeFromTheEnvironment) {
  fs::create_directories(root_ / "one");
  fs::create_directories(root_ / "data" / "voxloom" / "models");
  ::setenv(
      "VOXLOOM_MODELS",
      ((root_ / "one").string() + "::" + (root_ / "none").string() + ":" + (root_ / "one").string())
          .c_str(),
      1);
  ::setenv("XDG_DATA_HOME", (root_ / "data").c_str(), 1);
  const auto folders = package_folders();
  ::unsetenv("VOXLOOM_MODELS");
  ::unsetenv("XDG_DATA_HOME");
  ASSERT_GE(folders.size(), 2u);
  EXPECT_EQ(folders.front(), root_ / "one");
  EXPECT_EQ(folders.back(), root_ / "data" / "voxloom" / "models");
  EXPECT_EQ(std::count(folders.begin(), folders.end(), root_ / "one"), 1);
}

}  // namespace
}  // namespace voxloom::weights
