// Cohort work: `voxloom queue add|work|status|retry`.
#include <array>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <iostream>

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/error.h"
#include "voxloom/core/parallel.h"
#include "voxloom/jobs/cohort_work.h"
#include "voxloom/jobs/command_line.h"

#include "commands.h"

namespace voxloom::app {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr const char* kDefaultDatabase = "sqlite:queue.sqlite";

void visit_database(OptionList& list, std::string& database) {
  list.option("--database",
              database,
              "Where the queue is: sqlite:FILE or postgresql://USER:PASSWORD@HOST/NAME; the "
              "environment's VOXLOOM_DATABASE keeps a password off the command line.")
      .with_value_name("URL");
}

/// The inputs of `add` and of `work --shard`, and what is done with them.
struct CohortArgs {
  std::vector<std::string> inputs;
  std::string from, command, output_dir, suffix = ".nii.gz";

  void visit(OptionList& list, bool required) {
    list.positional("INPUT", inputs, "Files or DICOM folders, one case each.");
    list.option("--from",
                from,
                "Read inputs from this file ('-': standard input): a line each, the case's name "
                "after a tab where the file name is not good enough.")
        .with_value_name("LIST");
    list.option("--command",
                command,
                "What to run for each case, with {input}, {output} and {name}; "
                "quotes group words, no shell reads it.")
        .with_value_name("COMMAND");
    list.option("--output-dir", output_dir, "Folder for the results (made if absent).")
        .with_value_name("DIR");
    list.option("--suffix", suffix, "What the result's file name ends with: NAME.nii.gz.")
        .with_value_name("SUFFIX");
    if (required) {
      // Found again by name: a reference ends when the list grows.
      list.find("--command")->as_required();
      list.find("--output-dir")->as_required();
    }
  }

  [[nodiscard]] std::vector<jobs::CohortInput> read_inputs() const {
    std::vector<jobs::CohortInput> list;
    const fs::path here = fs::current_path();
    for (const auto& input : inputs) {
      const fs::path full = (here / input).lexically_normal();
      list.push_back({jobs::case_name(full), full});
    }
    if (!from.empty()) {
      const std::string text = from == "-"
                                   ? std::string(std::istreambuf_iterator<char>(std::cin), {})
                                   : read_text_file(from);
      for (auto& input : jobs::parse_input_list(text, "list '" + from + "'", here)) {
        list.push_back(std::move(input));
      }
    }
    VOXLOOM_CHECK(!list.empty(),
                  ErrorCode::kInvalidArgument,
                  "no inputs: name files or folders, or a list with --from");
    return jobs::check_inputs(std::move(list));
  }

  [[nodiscard]] jobs::CohortCommand make_command() const {
    jobs::CohortCommand made{.words = jobs::split_words(command),
                             .output_dir = (fs::current_path() / output_dir).lexically_normal(),
                             .suffix = suffix,
                             .folder = fs::current_path()};
    made.validate();
    return made;
  }
};

void make_output_dir(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  VOXLOOM_CHECK(!error,
                ErrorCode::kUnavailable,
                "output folder '{}': cannot be made: {}",
                folder.string(),
                error.message());
}

ordered_json to_json(const jobs::QueueCounts& counts) {
  return {{"waiting", counts.waiting},
          {"running", counts.running},
          {"done", counts.done},
          {"failed", counts.failed},
          {"total", counts.total()}};
}

struct AddArgs {
  std::string name, database = kDefaultDatabase;
  CohortArgs cohort;
  int64_t attempts = 3;
  jobs::CohortCommand command;
  std::vector<jobs::CohortInput> inputs;

  void visit(OptionList& list) {
    list.positional("NAME", name, "The queue; made when it is not there.").as_required();
    cohort.visit(list, true);
    list.option("--attempts", attempts, "How often a case is tried before it counts as failed.")
        .with_range(1, 100);
    visit_database(list, database);
  }
  void prepare(Context&) {
    command = cohort.make_command();
    inputs = cohort.read_inputs();
  }
};

int run_add(AddArgs& args, Context& context) {
  make_output_dir(args.command.output_dir);
  auto queue = jobs::Queue::create(
      jobs::open_database(args.database),
      args.name,
      args.command.to_json(),
      args.attempts,
      context.common.force ? jobs::Queue::Existing::kReplace : jobs::Queue::Existing::kMustMatch);
  const int64_t added = queue.add(jobs::to_cases(args.inputs));
  const auto counts = queue.counts();
  *context.out << format("{}: {} cases added, {} were there; {} in all\n",
                         args.name,
                         added,
                         static_cast<int64_t>(args.inputs.size()) - added,
                         counts.total());
  context.result = {{"queue", args.name},
                    {"added", added},
                    {"present", static_cast<int64_t>(args.inputs.size()) - added},
                    {"counts", to_json(counts)}};
  return 0;
}

CancelToken* g_stop = nullptr;

// Batch systems and service managers stop with SIGTERM: cases go back before the end.
extern "C" void on_terminate(int) {
  if (g_stop != nullptr) g_stop->cancel();
}

/// Counts events, prints a line each and moves the progress bar.
class WorkLog {
 public:
  explicit WorkLog(Context& context) : context_(context) {}

  void operator()(const jobs::CaseEvent& event) {
    using Kind = jobs::CaseEvent::Kind;
    const auto kind = jobs::case_event_name(event.kind);
    ++counts_.at(static_cast<size_t>(event.kind));
    *context_.out << format("{:<10} {:<32} {:.1f} s\n", kind, event.name, event.seconds);
    context_.out->flush();
    if (!event.message.empty() && !context_.common.quiet) {
      std::cerr << event.name << ": " << event.message << "\n";
    }
    cases_.push_back({{"name", event.name},
                      {"outcome", kind},
                      {"seconds", event.seconds},
                      {"message", event.message}});
    if (event.kind == Kind::kDone || event.kind == Kind::kSkipped || event.kind == Kind::kFailed) {
      context_.progress->advance(1);
    }
  }

  [[nodiscard]] int64_t count(jobs::CaseEvent::Kind kind) const {
    return counts_.at(static_cast<size_t>(kind));
  }

  void put_result() {
    using Kind = jobs::CaseEvent::Kind;
    for (size_t i = 0; i < counts_.size(); ++i) {
      context_.result[std::string(jobs::case_event_name(static_cast<Kind>(i)))] = counts_.at(i);
    }
    context_.result["cases"] = std::move(cases_);
  }

 private:
  Context& context_;
  std::array<int64_t, 6> counts_{};
  ordered_json cases_ = ordered_json::array();
};

struct WorkArgs {
  std::string name, database = kDefaultDatabase, shard;
  CohortArgs cohort;
  int64_t workers = 1;
  double lease_s = 60.0, timeout_s = 0.0;
  bool until_empty = false;
  // Of --shard.
  jobs::CohortCommand command;
  std::vector<jobs::CohortInput> inputs;

  void visit(OptionList& list) {
    list.positional("NAME", name, "The queue; with --shard only a name for the result.")
        .as_required();
    cohort.visit(list, false);
    list.option("--workers", workers, "Cases to work on at a time; they share the threads.")
        .with_range(1, 256)
        .as_speed_only();
    list.option("--until-empty",
                until_empty,
                "End when every case is done or failed; without it the worker waits for more.");
    list.option("--lease-s",
                lease_s,
                "A case whose worker has not been heard of for so many seconds goes to another.")
        .with_range(1, 86400)
        .with_value_name("SECONDS");
    list.option("--timeout-s", timeout_s, "Stop a case that takes longer (s); 0: never.")
        .with_range(0, 8640000)
        .with_value_name("SECONDS");
    list.option("--shard",
                shard,
                "Without a database: part I of N (from 1) of the inputs given here, or 'slurm' "
                "for the part of this task of a job array.")
        .with_value_name("I/N|slurm");
    visit_database(list, database);
  }

  void prepare(Context&) {
    if (shard.empty()) {
      VOXLOOM_CHECK(cohort.inputs.empty() && cohort.from.empty() && cohort.command.empty() &&
                        cohort.output_dir.empty(),
                    ErrorCode::kInvalidArgument,
                    "inputs, --from, --command and --output-dir go to 'voxloom queue add', or "
                    "together with --shard");
      return;
    }
    const auto part = jobs::parse_shard(
        shard, [](const char* variable) -> const char* { return std::getenv(variable); });
    VOXLOOM_CHECK(
        !cohort.output_dir.empty(), ErrorCode::kInvalidArgument, "--shard needs --output-dir");
    command = cohort.make_command();
    inputs = jobs::inputs_of_shard(cohort.read_inputs(), part);
  }
};

std::chrono::milliseconds milliseconds_of(double seconds) {
  return std::chrono::milliseconds{static_cast<int64_t>(seconds * 1000.0)};
}

jobs::WorkOptions work_options(const WorkArgs& args, const Context& context) {
  jobs::WorkOptions options{.workers = args.workers,
                            .lease = milliseconds_of(args.lease_s),
                            .timeout = milliseconds_of(args.timeout_s),
                            .until_empty = args.until_empty,
                            .replace = context.common.force};
  // Commands of this program read it; each would take every core otherwise.
  const auto threads = std::max<int64_t>(1, thread_budget() / args.workers);
  options.environment = {{"VOXLOOM_THREADS", std::to_string(threads)}};
  return options;
}

int run_work(WorkArgs& args, Context& context) {
  static CancelToken stop;
  stop = context.stop;
  g_stop = &stop;
  ::signal(SIGTERM, on_terminate);

  using Kind = jobs::CaseEvent::Kind;
  WorkLog log(context);
  const auto options = work_options(args, context);
  const auto sink = [&](const jobs::CaseEvent& event) { log(event); };
  context.result["name"] = args.name;
  bool failed = false;
  if (args.shard.empty()) {
    auto queue = jobs::Queue::open(jobs::open_database(args.database), args.name);
    make_output_dir(jobs::CohortCommand::from_json(queue.settings()).output_dir);
    const auto before = queue.counts();
    context.progress->begin(args.name, before.waiting + before.running);
    jobs::work_on_queue(queue, options, context.stop, sink);
    context.progress->end();
    const auto counts = queue.counts();
    context.result["counts"] = to_json(counts);
    *context.out << format("{}: {} done, {} failed, {} waiting, {} running\n",
                           args.name,
                           counts.done,
                           counts.failed,
                           counts.waiting,
                           counts.running);
    failed = counts.failed > 0;
  } else {
    make_output_dir(args.command.output_dir);
    context.progress->begin(args.name, static_cast<int64_t>(args.inputs.size()));
    jobs::work_on_list(args.command, args.inputs, options, context.stop, sink);
    context.progress->end();
    *context.out << format("{} {}: {} done, {} there already, {} failed\n",
                           args.name,
                           args.shard,
                           log.count(Kind::kDone),
                           log.count(Kind::kSkipped),
                           log.count(Kind::kFailed));
    failed = log.count(Kind::kFailed) > 0;
  }
  const int64_t returned = log.count(Kind::kReturned);
  log.put_result();
  VOXLOOM_CHECK(!context.stop.cancelled(),
                ErrorCode::kCancelled,
                "stopped on request; {} cases went back untried",
                returned);
  return failed ? 1 : 0;
}

struct StatusArgs {
  std::string name, database = kDefaultDatabase;

  void visit(OptionList& list) {
    list.positional("NAME", name, "The queue.").as_required();
    visit_database(list, database);
  }
};

int run_status(StatusArgs& args, Context& context) {
  auto queue = jobs::Queue::open(jobs::open_database(args.database), args.name);
  const auto counts = queue.counts();
  *context.out << format("{}: {} waiting, {} running, {} done, {} failed; {} in all\n",
                         args.name,
                         counts.waiting,
                         counts.running,
                         counts.done,
                         counts.failed,
                         counts.total());
  auto running = ordered_json::array(), failed = ordered_json::array();
  for (const auto& item : queue.list(jobs::CaseState::kRunning)) {
    *context.out << format(
        "  running {:<32} by {}, attempt {}\n", item.key, item.worker, item.attempts);
    running.push_back({{"case", item.key}, {"worker", item.worker}, {"attempt", item.attempts}});
  }
  for (const auto& item : queue.list(jobs::CaseState::kFailed)) {
    *context.out << format(
        "  failed  {:<32} after {} attempts: {}\n", item.key, item.attempts, item.message);
    failed.push_back({{"case", item.key}, {"attempts", item.attempts}, {"message", item.message}});
  }
  context.result = {{"queue", args.name},
                    {"counts", to_json(counts)},
                    {"settings", queue.settings()},
                    {"running", std::move(running)},
                    {"failed", std::move(failed)}};
  return 0;
}

struct RetryArgs {
  std::string name, database = kDefaultDatabase;
  bool failed = false;
  std::vector<std::string> cases;

  void visit(OptionList& list) {
    list.positional("NAME", name, "The queue.").as_required();
    list.option("--failed", failed, "Every failed case (the default).");
    list.option("--case",
                cases,
                "This case, whatever became of it; a result that exists is replaced. May be given "
                "again.")
        .with_value_name("KEY");
    visit_database(list, database);
  }
};

int run_retry(RetryArgs& args, Context& context) {
  auto queue = jobs::Queue::open(jobs::open_database(args.database), args.name);
  for (const auto& key : args.cases) queue.retry_case(key);
  int64_t count = static_cast<int64_t>(args.cases.size());
  if (args.failed || args.cases.empty()) count += queue.retry_failed();
  *context.out << format("{}: {} cases wait again\n", args.name, count);
  context.result = {{"queue", args.name}, {"retried", count}, {"counts", to_json(queue.counts())}};
  return 0;
}

}  // namespace

Command queue_add_command() {
  return make_command<AddArgs>(
      {.name = "queue add",
       .summary = "Put a cohort of cases into a queue for workers on one or many machines.",
       .details =
           "A case is an input and a name (the file name without its suffix); its result is "
           "DIR/NAME with the suffix. Adding a case again changes nothing. Paths are kept in full, "
           "so workers on other machines need the same paths.\n\n"
           "In the command {input} is the input, {output} where to write the result and {name} the "
           "case's name. The word 'voxloom' means the very program that works. A result is written "
           "under a temporary name in DIR and renamed when the command has ended with 0, side "
           "files with it: results are whole or not there.\n\n"
           "SQLite serves workers on one machine (the file must not lie on a network disk); "
           "PostgreSQL serves many.",
       .examples = {{"voxloom queue add brain scans/*.nii.gz --command 'voxloom segment {input} -o "
                     "{output} --model medsam2 --prompts prompts/{name}.json' --output-dir labels",
                     "segment every scan with its own prompts"},
                    {"voxloom queue add nrrd --from list.txt --command 'voxloom data convert "
                     "{input} {output}' --output-dir out --suffix .nrrd --database "
                     "postgresql://me@db/work",
                     "inputs from a list, the queue in PostgreSQL"}},
       .references = {}},
      run_add);
}

Command queue_work_command() {
  return make_command<WorkArgs>(
      {.name = "queue work",
       .summary = "Work on the cases of a queue, or on one part of a list of inputs.",
       .details =
           "Start it as often as you like, on as many machines as reach the database. Each case is "
           "held by one worker at a time; cases of a worker that was killed go to the others when "
           "its lease is over. A case that fails is tried again after the others, as often as "
           "'queue add --attempts' says. A case whose result exists counts as done (--force does "
           "it again). SIGTERM or Ctrl-C stops the commands and gives their cases back.\n\n"
           "With --shard no database is needed: the inputs and the command are given here, dealt "
           "in the order of their names, and a case whose result exists is skipped, so a part that "
           "was killed is simply started again.\n\n"
           "Ends with 1 when cases have failed or it was stopped.",
       .examples = {{"voxloom queue work brain --until-empty", "on one machine, till all is done"},
                    {"voxloom queue work brain --workers 4 --database postgresql://me@db/work",
                     "four cases at a time, waiting for more"},
                    {"sbatch --array=1-16 --wrap \"voxloom queue work brain --shard slurm --from "
                     "list.txt --command 'voxloom segment {input} -o {output} --model geodesic "
                     "--box 10,10,5,40,40,20' --output-dir labels\"",
                     "a Slurm job array without a database"}},
       .references = {}},
      run_work);
}

Command queue_status_command() {
  return make_command<StatusArgs>(
      {.name = "queue status",
       .summary = "Count a queue's cases; name those that run and those that failed, and why.",
       .details = "",
       .examples = {{"voxloom queue status brain", "as text"},
                    {"voxloom queue status brain --json", "as JSON"}},
       .references = {}},
      run_status);
}

Command queue_retry_command() {
  return make_command<RetryArgs>(
      {.name = "queue retry",
       .summary = "Let failed cases wait again, or do one case again.",
       .details = "All attempts are theirs again.",
       .examples = {{"voxloom queue retry brain", "every failed case"},
                    {"voxloom queue retry brain --case ct_07", "one case, done or failed"}},
       .references = {}},
      run_retry);
}

}  // namespace voxloom::app
