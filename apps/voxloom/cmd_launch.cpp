// launch: several processes of one training.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "voxloom/core/error.h"
#include "voxloom/core/launch.h"
#include "voxloom/core/parallel.h"

#include "commands.h"

namespace voxloom::app {
namespace {

namespace fs = std::filesystem;

struct LaunchArgs {
  std::vector<std::string> command;
  int64_t processes = 1, nodes = 1, node_rank = 0;
  std::string master, log_dir;
  double grace_s = 20.0;

  void visit(OptionList& list) {
    list.positional("COMMAND",
                    command,
                    "Program and arguments, behind '--'; the word voxloom is this program.")
        .as_required();
    list.option("--processes", processes, "Processes on this machine.").with_range(1, 1024);
    list.option("--nodes", nodes, "Machines; each runs the same number of processes.")
        .with_range(1, 65536);
    list.option("--node-rank", node_rank, "Which of the machines this is, from 0.")
        .with_range(0, 65535);
    list.option("--master",
                master,
                "Where the processes meet: machine 0 and a free port of it. Without it a free port "
                "of this machine.")
        .with_value_name("HOST:PORT");
    list.option("--log-dir",
                log_dir,
                "Write what rank N prints to rank-N.log here, and show rank 0 only.")
        .with_value_name("DIR");
    list.option("--grace-s", grace_s, "Seconds from asking a process to end to killing it.")
        .with_range(0, 86400);
  }

  void prepare(Context&) const {
    VOXLOOM_CHECK(node_rank < nodes,
                  ErrorCode::kInvalidArgument,
                  "--node-rank: must be below --nodes {}, got {}",
                  nodes,
                  node_rank);
    VOXLOOM_CHECK(nodes == 1 || !master.empty(),
                  ErrorCode::kInvalidArgument,
                  "--nodes {}: needs --master HOST:PORT, got none",
                  nodes);
    if (!master.empty()) static_cast<void>(parse_host_port(master, "--master"));
  }
};

/// Shows lines with their rank in front, or files them.
class RankOutput {
 public:
  RankOutput(
      std::string folder, int64_t first, int64_t count, bool prefix, std::ostream& standard_output)
      : first_(first), prefix_(prefix), out_(standard_output) {
    if (folder.empty()) return;
    std::error_code ignored;
    fs::create_directories(folder, ignored);
    for (int64_t i = 0; i < count; ++i) {
      const fs::path path = fs::path(folder) / format("rank-{}.log", first + i);
      // Appended to: a run that is taken up again goes on with its log.
      files_.emplace_back(path, std::ios::app);
      VOXLOOM_CHECK(files_.back().good(),
                    ErrorCode::kUnavailable,
                    "--log-dir '{}': must be writable, got no file '{}'",
                    folder,
                    path.filename().string());
    }
  }

  void line(int64_t rank, ChildStream stream, std::string_view text) {
    if (!files_.empty()) files_[static_cast<size_t>(rank - first_)] << text << std::endl;
    if (!files_.empty() && rank != 0) return;
    std::ostream& to = stream == ChildStream::kOut ? out_ : std::cerr;
    if (prefix_ && files_.empty()) to << "rank " << rank << ": ";
    to << text << std::endl;
  }

 private:
  int64_t first_;
  bool prefix_;
  std::ostream& out_;
  std::vector<std::ofstream> files_;
};

int run_launch(LaunchArgs& args, Context& context) {
  RankOutput output(args.log_dir,
                    args.node_rank * args.processes,
                    args.processes,
                    args.processes > 1,
                    *context.out);
  LaunchOptions options{.command = args.command,
                        .processes = args.processes,
                        .nodes = args.nodes,
                        .node_rank = args.node_rank};
  if (options.command[0] == "voxloom") options.command[0] = fs::read_symlink("/proc/self/exe");
  if (!args.master.empty()) options.master = parse_host_port(args.master, "--master");
  options.threads_per_rank = std::max<int64_t>(1, thread_budget() / args.processes);
  options.grace = std::chrono::milliseconds(static_cast<int64_t>(args.grace_s * 1000.0));
  options.on_line = [&](int64_t rank, ChildStream stream, std::string_view line) {
    output.line(rank, stream, line);
  };
  const LaunchResult result = launch_ranks(options, context.stop);
  context.result = {{"exit_code", result.exit_code}, {"message", result.message}};
  if (result.rank >= 0) context.result["rank"] = result.rank;
  if (context.stop.cancelled()) std::cerr << "voxloom launch: stopped on request\n";
  if (result.exit_code != 0) std::cerr << "voxloom launch: " << result.message << "\n";
  return result.exit_code;
}

}  // namespace

Command launch_command() {
  return make_command<LaunchArgs>(
      {.name = "launch",
       .summary = "Run one training as several processes, on one or more machines.",
       .details =
           "Starts COMMAND once per process and tells each its place by RANK, LOCAL_RANK, "
           "WORLD_SIZE, MASTER_ADDR and MASTER_PORT, as torchrun does; the threads of --threads "
           "are shared out. Lines of the processes are shown with 'rank N: ' in front.\n\n"
           "When one process fails, the others are asked to end and killed after --grace-s "
           "seconds; the exit status is that of the one that failed (128 + number for a signal). "
           "Ctrl-C and SIGTERM are passed on as SIGTERM.",
       .examples = {{"voxloom launch --processes 2 -- voxloom wire train --data set.jsonl -o run",
                     "two processes on this machine"},
                    {"voxloom launch --processes 4 --nodes 2 --node-rank 1 --master node0:29500 -- "
                     "voxloom wire train --data set.jsonl -o run",
                     "the second of two machines with four processes each"}},
       .references = {}},
      run_launch);
}

}  // namespace voxloom::app
