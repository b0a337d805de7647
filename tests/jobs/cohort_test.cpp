#include "voxloom/jobs/cohort.h"

#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include <gmock/gmock.h>

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/error.h"
#include "voxloom/jobs/command_line.h"

using namespace voxloom;        // NOLINT(*-using-namespace)
using namespace voxloom::jobs;  // NOLINT(*-using-namespace)
namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

template <class F>
std::string refused(F&& body) {
  try {
    body();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kInvalidArgument) << e.what();
    return e.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

}  // namespace

TEST(CommandLineTest, WordsAreCutAsAShellCutsThem) {
  EXPECT_THAT(split_words("voxloom  segment\t{input}"),
              ElementsAre("voxloom", "segment", "{input}"));
  EXPECT_THAT(split_words("a 'b c' \"d 'e'\" f\\ g"), ElementsAre("a", "b c", "d 'e'", "f g"));
  EXPECT_THAT(split_words("x='$HOME' \"\\\"\\n\""), ElementsAre("x=$HOME", "\"\\n"));
  EXPECT_THAT(split_words("'' \"\""), ElementsAre("", ""));
  EXPECT_THAT(split_words("  "), ElementsAre());
  EXPECT_THAT(refused([] { static_cast<void>(split_words("a 'b")); }), HasSubstr("closed"));
}

TEST(CommandLineTest, ValuesStayOneWordAndAreNotReadAgain) {
  const std::vector<std::string> words = {"-o", "{output}", "--x={name}{name}", "{\"k\": 1}", "{}"};
  EXPECT_THAT(substitute(words, {{"output", "/a b/{name}"}, {"name", "$(rm)"}}),
              ElementsAre("-o", "/a b/{name}", "--x=$(rm)$(rm)", "{\"k\": 1}", "{}"));
  const std::vector<std::string> wrong = {"{inptu}"};
  EXPECT_THAT(refused([&] {
                static_cast<void>(substitute(wrong, {{"input", ""}}));
              }),
              AllOf(HasSubstr("{input}"), HasSubstr("'{inptu}'")));
}

TEST(CohortCommandTest, NeedsInputAndOutput) {
  CohortCommand command{.words = split_words("cp {input} {output}"), .output_dir = "out"};
  command.validate();
  EXPECT_EQ(command.output("a").string(), "out/a.nii.gz");
  const auto back = CohortCommand::from_json(command.to_json());
  EXPECT_EQ(back.words, command.words);
  EXPECT_EQ(back.output_dir, command.output_dir);
  command.suffix = "nii";
  EXPECT_THAT(refused([&] { command.validate(); }), HasSubstr("--suffix"));
  command = {.words = {"cp", "{input}", "x"}};
  EXPECT_THAT(refused([&] { command.validate(); }), HasSubstr("{output}"));
  command = {.words = {"cp", "{output}"}};
  EXPECT_THAT(refused([&] { command.validate(); }), HasSubstr("{input}"));
  EXPECT_THAT(refused([&] { CohortCommand{}.validate(); }), HasSubstr("empty"));
}

class CohortTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ =
        fs::path(testing::TempDir()) /
        (std::string("cohort-") + testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(folder_);
    fs::create_directories(folder_ / "out");
  }
  fs::path file(const std::string& name, const std::string& text = "x") const {
    std::ofstream(folder_ / name) << text;
    return folder_ / name;
  }
  std::set<std::string> outputs() const {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_ / "out")) {
      names.insert(entry.path().filename().string());
    }
    return names;
  }
  CohortCommand command() const {
    return {.words = {"cp", "{input}", "{output}"}, .output_dir = folder_ / "out"};
  }
  fs::path folder_;
};

TEST_F(CohortTest, NamesComeFromFileNames) {
  EXPECT_EQ(case_name("a/ct_01.nii.gz"), "ct_01");
  EXPECT_EQ(case_name("ct.v2.nrrd"), "ct.v2");
  EXPECT_EQ(case_name("plain"), "plain");
  fs::create_directories(folder_ / "series.7");
  EXPECT_EQ(case_name(folder_ / "series.7"), "series.7");
  EXPECT_EQ(case_name(folder_ / "series.7/"), "series.7");
}

TEST_F(CohortTest, ListsHaveOneInputALine) {
  const auto inputs =
      parse_input_list("# cohort\na.nii\n\n/abs/b.nii.gz\tpatient 7\r\nc d.mha", "list", "/data");
  ASSERT_EQ(inputs.size(), 3U);
  EXPECT_EQ(inputs[0].path, "/data/a.nii");
  EXPECT_EQ(inputs[0].name, "a");
  EXPECT_EQ(inputs[1].path, "/abs/b.nii.gz");
  EXPECT_EQ(inputs[1].name, "patient 7");
  EXPECT_EQ(inputs[2].name, "c d");
  EXPECT_THAT(refused([] { static_cast<void>(parse_input_list("a\n\tx", "list 'l'", "/")); }),
              AllOf(HasSubstr("list 'l'"), HasSubstr("line 2")));
}

TEST_F(CohortTest, EverythingWrongWithTheInputsIsListed) {
  fs::create_directories(folder_ / "b");
  const auto a = file("a.nii"), same = file("b/a.nii");
  EXPECT_THAT(
      refused([&] {
        static_cast<void>(check_inputs(
            {{"a", a}, {"a", same}, {"gone", folder_ / "gone.nii"}, {"../up", a}, {".hidden", a}}));
      }),
      AllOf(HasSubstr("4 of them"),
            HasSubstr("both be named 'a'"),
            HasSubstr("gone.nii' does not exist"),
            HasSubstr("'../up'"),
            HasSubstr("'.hidden'")));
  EXPECT_EQ(check_inputs({{"a", a}, {"a", a}, {"other", same}}).size(), 2U);
}

TEST(ShardTest, PartsAreDisjointCompleteAndBalanced) {
  std::vector<CohortInput> inputs;
  for (int i = 0; i < 23; ++i) inputs.push_back({format("case_{}", i), "/x"});
  std::set<std::string> seen;
  for (int64_t i = 1; i <= 5; ++i) {
    auto list = inputs;
    if (i % 2 == 0) std::reverse(list.begin(), list.end());  // the order must not matter
    const auto part = inputs_of_shard(list, {i, 5});
    EXPECT_GE(part.size(), 4U);
    EXPECT_LE(part.size(), 5U);
    for (const auto& input : part) EXPECT_TRUE(seen.insert(input.name).second) << input.name;
  }
  EXPECT_EQ(seen.size(), 23U);
}

TEST(ShardTest, SlurmArraysMayStartAnywhere) {
  std::map<std::string, std::string> variables;
  const auto get = [&](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  };
  EXPECT_THAT(refused([&] { static_cast<void>(parse_shard("slurm", get)); }),
              HasSubstr("SLURM_ARRAY_TASK_ID"));
  variables = {{"SLURM_ARRAY_TASK_ID", "14"},
               {"SLURM_ARRAY_TASK_COUNT", "4"},
               {"SLURM_ARRAY_TASK_MIN", "10"},
               {"SLURM_ARRAY_TASK_STEP", "2"}};
  EXPECT_EQ(parse_shard("slurm", get).index, 3);
  EXPECT_EQ(parse_shard("slurm", get).count, 4);
  EXPECT_EQ(parse_shard("2/8", get).index, 2);
  for (const char* wrong : {"0/4", "5/4", "1", "a/b", "1/0", "1/4x", ""}) {
    refused([&] { static_cast<void>(parse_shard(wrong, get)); });
  }
}

TEST_F(CohortTest, AResultAppearsWholeWithItsSideFiles) {
  CaseOutput output(command(), "ct");
  std::ofstream(output.temporary()) << "label";
  std::ofstream(output.temporary().parent_path() / "ct.json")
      << R"({"label": ")" << output.temporary().string() << R"("})";
  EXPECT_EQ(outputs().count("ct.nii.gz"), 0U);
  output.publish(false);
  EXPECT_EQ(read_text_file(folder_ / "out/ct.nii.gz"), "label");
  EXPECT_EQ(read_text_file(folder_ / "out/ct.json"),
            R"({"label": ")" + (folder_ / "out/ct.nii.gz").string() + R"("})");
  output.publish(false);
}

TEST_F(CohortTest, WithoutPublishNothingStays) {
  {
    CaseOutput output(command(), "ct");
    std::ofstream(output.temporary()) << "half";
  }
  EXPECT_THAT(outputs(), ElementsAre());
}

TEST_F(CohortTest, AResultThatIsThereStaysUnlessReplaced) {
  file("out/ct.nii.gz", "first");
  for (const bool replace : {false, true}) {
    CaseOutput output(command(), "ct");
    std::ofstream(output.temporary()) << "second";
    output.publish(replace);
    EXPECT_EQ(read_text_file(folder_ / "out/ct.nii.gz"), replace ? "second" : "first");
  }
  EXPECT_THAT(outputs(), ElementsAre("ct.nii.gz"));
}

TEST_F(CohortTest, LeftoversOfKilledAttemptsGoAndOthersStay) {
  fs::create_directories(folder_ / "out" /
                         ("."
                          "ct." +
                          std::string(32, 'a') + ".part"));
  fs::create_directories(folder_ / "out" /
                         ("."
                          "ct.2." +
                          std::string(32, 'a') + ".part"));
  file("out/.ct.notes");
  { CaseOutput output(command(), "ct"); }
  EXPECT_THAT(outputs(), ElementsAre(".ct.2." + std::string(32, 'a') + ".part", ".ct.notes"));
}

TEST_F(CohortTest, AFolderCanBeTheResult) {
  auto to_folder = command();
  to_folder.suffix = "";
  for (int i = 0; i < 2; ++i) {
    CaseOutput output(to_folder, "series");
    fs::create_directories(output.temporary());
    std::ofstream(output.temporary() / "1.dcm") << i;
    output.publish(true);
  }
  EXPECT_EQ(read_text_file(folder_ / "out/series/1.dcm"), "1");
}

TEST_F(CohortTest, ACommandThatWroteNothingIsAnError) {
  CaseOutput output(command(), "ct");
  try {
    output.publish(false);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kNotFound);
    EXPECT_THAT(e.what(), HasSubstr("ct.nii.gz"));
  }
}
