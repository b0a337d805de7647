#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace voxloom {

/// Which of several training processes this one is, and where all of them meet.
struct RankInfo {
  int64_t rank = 0;         ///< Within [0, world_size).
  int64_t world_size = 1;   ///< Processes on all machines together.
  int64_t local_rank = 0;   ///< Among those of this machine.
  std::string master_host;  ///< Name or address of rank 0's machine.
  uint16_t master_port = 0;
};

/// Value of an environment variable, nothing where it is not set or empty.
using EnvironmentLookup = std::function<std::optional<std::string>(std::string_view name)>;

/// The rank that a launcher gave this process, nothing where there is no launcher or only one
/// process. Looked for, in this order:
///
/// - RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT: `voxloom launch`, torchrun
/// - OMPI_COMM_WORLD_RANK, _SIZE, _LOCAL_RANK, _LOCAL_SIZE: Open MPI
/// - PMI_RANK, PMI_SIZE (MPI_LOCALRANKID, MPI_LOCALNRANKS): MPICH, Intel MPI
/// - SLURM_PROCID, SLURM_NTASKS (of the step where there is one), SLURM_LOCALID: srun
///
/// MASTER_ADDR and MASTER_PORT win everywhere. Without them the meeting place is, under Slurm, the
/// first host of the node list and a port made of the job's number; under MPI on one machine
/// 127.0.0.1 and port 29500; under MPI on several machines MASTER_ADDR must be set.
///
/// Throws kInvalidArgument naming the variable: one that is missing beside the others, no number,
/// or a rank outside the world.
[[nodiscard]] std::optional<RankInfo> rank_from_environment(const EnvironmentLookup& variable);

/// The same from this process's environment.
[[nodiscard]] std::optional<RankInfo> rank_from_environment();

/// The first host of a Slurm node list: "gpu[03-05,9],cpu1" -> "gpu03". Throws kInvalidArgument.
[[nodiscard]] std::string first_slurm_host(std::string_view node_list);

/// "host:port" or "[v6 address]:port". Throws kInvalidArgument starting with `where`.
struct HostPort {
  std::string host;
  uint16_t port = 0;
};
[[nodiscard]] HostPort parse_host_port(std::string_view text, std::string_view where);

}  // namespace voxloom
