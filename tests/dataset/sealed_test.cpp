#include "voxloom/dataset/sealed.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/sha256.h"
#include "voxloom/dataset/prepare.h"
#include "voxloom/dataset/unseal_log.h"

#include "dataset_fixtures.h"

namespace voxloom::dataset {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using testing::TempFolder;
using testing::write_grey;

/// train/ and test/ of a folder, where test is sealed.
class SealedTest : public ::testing::Test {
 protected:
  void SetUp() override {
    uint8_t value = 1;
    for (const char* name : {"train/%/a.png", "train/%/b.png", "test/%/c.png", "test/%/d.png"}) {
      for (const char* kind : {"image", "label"}) {
        std::string path = name;
        path.replace(path.find('%'), 1, kind);
        write_grey(
            data() / path, 2, 1, {0, kind == std::string_view("image") ? value++ : uint8_t{1}});
      }
    }
    samples_ = list(data());
  }
  [[nodiscard]] fs::path data() const { return folder_ / "data"; }
  [[nodiscard]] fs::path own() const { return folder_ / "register"; }

  /// With hashes, as `wire prepare` has them.
  static std::vector<Sample> list(const fs::path& folder) {
    Progress silent;
    return prepare(find_reader("folder", folder).list(folder), silent, {}).samples;
  }
  std::vector<fs::path> seal() { return SealedRegister(own()).seal(data(), samples_); }

  TempFolder folder_;
  std::vector<Sample> samples_;
};

TEST_F(SealedTest, ItsRecordsSayWhichFoldersAndImages) {
  EXPECT_THAT(seal(), ElementsAre(data() / ".sealed", HasSubstr((own() / "").string())));
  const auto record = parse_sealed_record(read_text_file(data() / ".sealed"), data(), "m");
  EXPECT_THAT(record.folders, ElementsAre("test/image", "test/label"));
  EXPECT_THAT(record.files, IsEmpty());
  EXPECT_THAT(record.sha256, SizeIs(2));
  EXPECT_FALSE(sealed_by(data() / "train/image/a.png"));
  EXPECT_EQ(sealed_by(data() / "test/label/c.png"), data() / ".sealed");
  // What comes into a sealed folder later is sealed as well.
  EXPECT_EQ(sealed_by(data() / "test/image/new.png"), data() / ".sealed");
  EXPECT_FALSE(sealed_by(data() / "test/imagery/new.png"));
}

TEST_F(SealedTest, WithoutSealedSamplesNothingIsWritten) {
  for (auto& sample : samples_) sample.role = Role::kTrain;
  EXPECT_THAT(seal(), IsEmpty());
  EXPECT_FALSE(fs::exists(data() / ".sealed"));
  EXPECT_FALSE(fs::exists(own()));
}

TEST_F(SealedTest, NothingOpensThemAsTrainingData) {
  seal();
  // The role of the manifest is not what protects them.
  for (auto& sample : samples_) sample.role = Role::kTrain;
  EXPECT_EQ(load_sample(samples_[0]).width, 2);
  EXPECT_THAT(error_of([&] { static_cast<void>(load_sample(samples_[2])); }),
              AllOf(HasSubstr("c.png': is sealed; only 'wire eval --unseal' opens it; sealed by '"),
                    HasSubstr("/.sealed'")));
  EXPECT_EQ(load_sample(samples_[2], SealedAccess::kUnsealed).width, 2);
  samples_[0].role = Role::kSealed;
  EXPECT_THAT(error_of([&] { static_cast<void>(load_sample(samples_[0])); }),
              HasSubstr("sample 'train/a': is sealed; only 'wire eval --unseal' opens it"));
}

TEST_F(SealedTest, OtherNamesOfThePlaceLeadToTheSameMarker) {
  seal();
  fs::create_directory_symlink(data() / "test", folder_ / "fresh");
  fs::create_directories(folder_ / "mine/image");
  fs::create_symlink(data() / "test/image/c.png", folder_ / "mine/image/harmless.png");
  for (const auto& name : {folder_ / "fresh/image/c.png",
                           folder_ / "mine/image/harmless.png",
                           data() / "train/../test/./image/c.png"}) {
    EXPECT_EQ(sealed_by(name), data() / ".sealed") << name;
  }
  // The part alone as a folder of its own: everything in it would be training data.
  const auto part = find_reader("folder", data() / "test").list(data() / "test").samples;
  ASSERT_THAT(part, SizeIs(2));
  EXPECT_EQ(part[0].role, Role::kTrain);
  const auto found = SealedRegister(own()).check(part);
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_THAT(finding_text(found[0]),
              AllOf(HasSubstr("R9: files must not be sealed ones, got 2 samples with such (samples "
                              "test:c, test:d); only 'wire eval --unseal' opens it; sealed by '"),
                    HasSubstr(".sealed'")));
}

TEST_F(SealedTest, CopiesElsewhereAreKnownByTheirHash) {
  seal();
  fs::create_directories(folder_ / "copy");
  fs::copy(data() / "test", folder_ / "copy", fs::copy_options::recursive);
  const auto copies = list(folder_ / "copy");
  EXPECT_EQ(copies[0].role, Role::kTrain);
  const SealedRegister sealed(own());
  ASSERT_THAT(sealed.check(copies), SizeIs(1));
  EXPECT_THAT(finding_text(sealed.check(copies)[0]),
              HasSubstr("R9: images must not be copies of sealed ones, got 2"));
  EXPECT_THAT(error_of([&] { sealed.refuse_files({folder_ / "copy/image/d.png"}); }),
              HasSubstr("d.png': is sealed; only 'wire eval --unseal'"));
  EXPECT_EQ(error_of([&] { sealed.refuse_files({data() / "train/image/a.png"}); }), "no error");
  // Equal masks are no copies: many are empty.
  EXPECT_EQ(samples_[0].sha256_mask, samples_[2].sha256_mask);
  EXPECT_THAT(sealed.check({samples_[0]}), IsEmpty());
}

TEST_F(SealedTest, R10BackgroundsAreKnownByTheirHashToo) {
  seal();
  samples_[0].sha256_background = samples_[3].sha256_image;
  const auto found = SealedRegister(own()).check({samples_[0]});
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_THAT(finding_text(found[0]),
              HasSubstr("R10: backgrounds must not come from sealed images, got 1 that do (sample "
                        "data:train/a)"));
}

TEST_F(SealedTest, SealedAndOpenFilesMayShareAFolder) {
  samples_ = list(data() / "train");
  samples_[1].role = Role::kSealed;
  SealedRegister sealed(own());
  sealed.seal(data() / "train", samples_);
  EXPECT_FALSE(sealed_by(data() / "train/image/a.png"));
  EXPECT_TRUE(sealed_by(data() / "train/image/b.png"));
  EXPECT_TRUE(sealed_by(data() / "train/label/b.png"));
}

TEST_F(SealedTest, SealedFilesOutsideOfTheFolderGetTheirOwnMarker) {
  fs::rename(data() / "test", folder_ / "far");
  fs::create_directory_symlink(folder_ / "far", data() / "test");
  EXPECT_THAT(SealedRegister(own()).seal(data(), list(data())), SizeIs(3));
  EXPECT_FALSE(fs::exists(data() / ".sealed"));
  EXPECT_EQ(sealed_by(folder_ / "far/image/c.png"), folder_ / "far/image/.sealed");
  fs::remove(folder_ / "far/image/.sealed");
  EXPECT_THAT(error_of([&] { SealedRegister(own()).refuse_files({folder_ / "far/image/c.png"}); }),
              HasSubstr("sealed by '" + own().string()));
}

TEST_F(SealedTest, SealingAgainOnlyAdds) {
  seal();
  for (auto& sample : samples_) sample.role = sample.id == "train/a" ? Role::kSealed : Role::kVal;
  SealedRegister(own()).seal(data(), samples_);
  EXPECT_TRUE(sealed_by(data() / "test/image/c.png"));
  EXPECT_TRUE(sealed_by(data() / "train/image/a.png"));
  EXPECT_FALSE(sealed_by(data() / "train/image/b.png"));
}

TEST_F(SealedTest, TheRegisterStandsInForAMarkerThatIsGone) {
  seal();
  fs::remove(data() / ".sealed");
  EXPECT_FALSE(sealed_by(data() / "test/image/c.png"));
  EXPECT_THAT(error_of([&] { SealedRegister(own()).refuse_files({data() / "test/image/c.png"}); }),
              HasSubstr("sealed by '" + own().string()));
}

TEST_F(SealedTest, AnEmptyMarkerSealsItsFolder) {
  std::ofstream(data() / "train" / ".sealed").close();
  EXPECT_TRUE(sealed_by(data() / "train/image/a.png"));
  EXPECT_FALSE(sealed_by(data() / "test/image/c.png"));
}

TEST_F(SealedTest, ADamagedMarkerSealsRatherThanOpens) {
  std::ofstream(data() / ".sealed") << R"({"voxloom_sealed":1,"folders":["test)";
  EXPECT_THAT(error_of([&] { static_cast<void>(load_sample(samples_[0])); }),
              AllOf(HasSubstr("sealed record '"), HasSubstr("must be valid JSON")));
}

TEST(SealedRecordTest, ErrorsNameTheField) {
  const struct {
    const char *text, *message;
  } cases[] = {
      {"[]", "must be a JSON object with 'voxloom_sealed'"},
      {R"({"voxloom_sealed":2})", "the version must be 1, got 2"},
      {R"({"voxloom_sealed":"1"})", "the version must be 1, got string"},
      {R"({"voxloom_sealed":1,"folders":"a"})", "'folders': must be a list"},
      {R"({"voxloom_sealed":1,"files":[1]})", "'files': must hold texts, got number"},
      {R"({"voxloom_sealed":1,"files":[""]})", "'files': must hold paths, got ''"},
      {R"({"voxloom_sealed":1,"sha256":["ab"]})", "'sha256': must hold 64 hexadecimal digits"},
  };
  for (const auto& c : cases) {
    EXPECT_THAT(error_of([&] { static_cast<void>(parse_sealed_record(c.text, "/d", "m")); }),
                AllOf(HasSubstr("sealed record 'm': "), HasSubstr(c.message)))
        << c.text;
  }
  EXPECT_THAT(
      error_of([] { static_cast<void>(parse_sealed_record(R"({"voxloom_sealed":1})", {}, "m")); }),
      HasSubstr("'root': must be an absolute path"));
}

TEST(SealedRecordTest, ComesBack) {
  const SealedRecord record{.root = "/data/weiss",
                            .folders = {"T5", "T6"},
                            .files = {"all/1.png"},
                            .sha256 = {sha256_hex(std::string_view("x"))}};
  const auto got = parse_sealed_record(format_sealed_record(record, RootEntry::kWith), {}, "m");
  EXPECT_EQ(got.root, record.root);
  EXPECT_EQ(got.folders, record.folders);
  EXPECT_EQ(got.files, record.files);
  EXPECT_EQ(got.sha256, record.sha256);
}

TEST(UnsealLogTest, LinesAreAddedAndNeverLost) {
  const TempFolder folder;
  const fs::path log = folder / "unsealed.jsonl";
  append_unsealing(log, {{"event", "opened"}});
  append_unsealing(log, {{"event", "measured"}});
  // A crash in the middle of a line.
  std::ofstream(log, std::ios::app) << R"({"time":"20)";
  append_unsealing(log, {{"event", "opened"}});
  std::ifstream in(log);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  ASSERT_THAT(lines, SizeIs(4));
  for (const size_t i : {0, 1, 3}) {
    const auto json = nlohmann::ordered_json::parse(lines[i]);
    EXPECT_EQ(json["event"], i == 1 ? "measured" : "opened");
    EXPECT_EQ(json["time"].get<std::string>().size(), 20U);
  }
  EXPECT_THAT(error_of([&] {
                append_unsealing(folder / "absent/log", {{"event", "opened"}});
              }),
              HasSubstr("must be writable, got: No such file"));
  // A link in its place could send the lines anywhere.
  fs::create_symlink(log, folder / "link");
  EXPECT_THAT(error_of([&] {
                append_unsealing(folder / "link", {{"event", "opened"}});
              }),
              HasSubstr("must be writable"));
}

}  // namespace
}  // namespace voxloom::dataset
