#include "voxloom/core/rank_environment.h"

#include <map>

#include <gmock/gmock.h>

#include "voxloom/core/error.h"

namespace voxloom {
namespace {

using Variables = std::map<std::string, std::string, std::less<>>;

std::optional<RankInfo> rank_in(const Variables& variables) {
  return rank_from_environment([&](std::string_view name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end() || found->second.empty()) return std::nullopt;
    return found->second;
  });
}

std::string refusal(const Variables& variables) {
  try {
    static_cast<void>(rank_in(variables));
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kInvalidArgument);
    return e.what();
  }
  return "nothing";
}

TEST(RankEnvironmentTest, WithoutALauncherOrWithOneProcessThereIsNoRank) {
  EXPECT_FALSE(rank_in({}));
  EXPECT_FALSE(rank_in({{"MASTER_ADDR", "a"}, {"MASTER_PORT", "1"}}));
  EXPECT_FALSE(rank_in({{"RANK", "0"}, {"WORLD_SIZE", "1"}}));
  EXPECT_FALSE(rank_in({{"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "1"}}));
  EXPECT_FALSE(rank_in({{"OMPI_COMM_WORLD_RANK", "0"}, {"OMPI_COMM_WORLD_SIZE", "1"}}));
}

TEST(RankEnvironmentTest, ReadsTorchrun) {
  const auto info = rank_in({{"RANK", "5"},
                             {"WORLD_SIZE", "8"},
                             {"LOCAL_RANK", "1"},
                             {"MASTER_ADDR", "node0"},
                             {"MASTER_PORT", "1234"}});
  ASSERT_TRUE(info);
  EXPECT_EQ(info->rank, 5);
  EXPECT_EQ(info->world_size, 8);
  EXPECT_EQ(info->local_rank, 1);
  EXPECT_EQ(info->master_host, "node0");
  EXPECT_EQ(info->master_port, 1234);
}

TEST(RankEnvironmentTest, ReadsSlurm) {
  const auto info = rank_in({{"SLURM_PROCID", "3"},
                             {"SLURM_NTASKS", "4"},
                             {"SLURM_LOCALID", "1"},
                             {"SLURM_NODELIST", "gpu[07-08]"},
                             {"SLURM_JOB_ID", "4123456"}});
  ASSERT_TRUE(info);
  EXPECT_EQ(info->rank, 3);
  EXPECT_EQ(info->world_size, 4);
  EXPECT_EQ(info->local_rank, 1);
  EXPECT_EQ(info->master_host, "gpu07");
  EXPECT_EQ(info->master_port, 20000 + 4123456 % 20000);
}

TEST(RankEnvironmentTest, TheSlurmStepWinsOverItsJob) {
  const auto info = rank_in({{"SLURM_PROCID", "1"},
                             {"SLURM_NTASKS", "8"},
                             {"SLURM_STEP_NUM_TASKS", "2"},
                             {"SLURM_NODELIST", "a[1-8]"},
                             {"SLURM_STEP_NODELIST", "a[3-4]"},
                             {"MASTER_PORT", "700"}});
  ASSERT_TRUE(info);
  EXPECT_EQ(info->world_size, 2);
  EXPECT_EQ(info->master_host, "a3");
  EXPECT_EQ(info->master_port, 700);
}

TEST(RankEnvironmentTest, ReadsMpiOnOneMachineAndAsksForAMasterOnSeveral) {
  Variables variables{{"OMPI_COMM_WORLD_RANK", "1"},
                      {"OMPI_COMM_WORLD_SIZE", "2"},
                      {"OMPI_COMM_WORLD_LOCAL_RANK", "1"},
                      {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"}};
  auto info = rank_in(variables);
  ASSERT_TRUE(info);
  EXPECT_EQ(info->rank, 1);
  EXPECT_EQ(info->local_rank, 1);
  EXPECT_EQ(info->master_host, "127.0.0.1");
  EXPECT_EQ(info->master_port, 29500);
  variables["OMPI_COMM_WORLD_LOCAL_SIZE"] = "1";
  EXPECT_THAT(refusal(variables), testing::HasSubstr("MASTER_ADDR: must name rank 0's machine"));
  variables["MASTER_ADDR"] = "node0";
  EXPECT_EQ(rank_in(variables)->master_host, "node0");

  info = rank_in({{"PMI_RANK", "2"}, {"PMI_SIZE", "3"}, {"MASTER_ADDR", "h"}});
  ASSERT_TRUE(info);
  EXPECT_EQ(info->rank, 2);
  EXPECT_EQ(info->world_size, 3);
  EXPECT_EQ(info->local_rank, 0);
}

TEST(RankEnvironmentTest, TheMoreSpecialLauncherWins) {
  // mpirun inside of a Slurm job: Slurm's variables are those of the job's script.
  const Variables both{{"SLURM_PROCID", "0"},
                       {"SLURM_NTASKS", "4"},
                       {"SLURM_NODELIST", "a1"},
                       {"PMI_RANK", "3"},
                       {"PMI_SIZE", "4"},
                       {"MPI_LOCALNRANKS", "4"}};
  EXPECT_EQ(rank_in(both)->rank, 3);
}

TEST(RankEnvironmentTest, RefusesVariablesThatDoNotFit) {
  EXPECT_THAT(refusal({{"RANK", "0"}}),
              testing::HasSubstr("WORLD_SIZE: must be set beside RANK, got nothing"));
  EXPECT_THAT(refusal({{"WORLD_SIZE", "2"}}), testing::HasSubstr("RANK: must be set"));
  EXPECT_THAT(refusal({{"RANK", "2"}, {"WORLD_SIZE", "2"}}),
              testing::HasSubstr("RANK: must be a whole number within [0, 1], got '2'"));
  EXPECT_THAT(refusal({{"RANK", "0"}, {"WORLD_SIZE", "two"}}), testing::HasSubstr("got 'two'"));
  EXPECT_THAT(refusal({{"RANK", "0"}, {"WORLD_SIZE", "2"}}),
              testing::HasSubstr("MASTER_ADDR and MASTER_PORT"));
  EXPECT_THAT(
      refusal({{"RANK", "0"}, {"WORLD_SIZE", "2"}, {"MASTER_ADDR", "a"}, {"MASTER_PORT", "70000"}}),
      testing::HasSubstr("MASTER_PORT: must be a whole number within [1, 65535]"));
  EXPECT_THAT(refusal({{"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "2"}}),
              testing::HasSubstr("slurm node list"));
}

TEST(RankEnvironmentTest, TakesTheFirstHostOfASlurmList) {
  const std::map<std::string, std::string> cases{{"node1", "node1"},
                                                 {"node1,node2", "node1"},
                                                 {"gpu[03-05,9],cpu1", "gpu03"},
                                                 {"gpu[7]", "gpu7"},
                                                 {"rack[2,4]-a,b", "rack2-a"},
                                                 {"a-b.example", "a-b.example"}};
  for (const auto& [list, host] : cases) EXPECT_EQ(first_slurm_host(list), host) << list;
  for (const char* list : {"", "a[", "a[]", "a[x]", ",b", "a[1-2][3-4]"}) {
    EXPECT_THROW(static_cast<void>(first_slurm_host(list)), Error) << list;
  }
}

TEST(RankEnvironmentTest, ReadsHostAndPort) {
  EXPECT_EQ(parse_host_port("a.b:80", "x").host, "a.b");
  EXPECT_EQ(parse_host_port("a.b:80", "x").port, 80);
  EXPECT_EQ(parse_host_port("[::1]:80", "x").host, "::1");
  for (const char* text : {"", "a", "a:", ":80", "a:0", "a:65536", "::1:80", "a:8x"}) {
    EXPECT_THROW(static_cast<void>(parse_host_port(text, "x")), Error) << text;
  }
}

}  // namespace
}  // namespace voxloom
