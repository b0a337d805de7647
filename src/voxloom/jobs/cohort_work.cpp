#include "voxloom/jobs/cohort_work.h"

#include <array>
#include <atomic>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>

#include <unistd.h>

#include "voxloom/core/child_process.h"
#include "voxloom/core/log.h"
#include "voxloom/core/program_files.h"
#include "voxloom/jobs/command_line.h"

namespace voxloom::jobs {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr size_t kKeptLines = 5;  // of what a failed command said

struct Attempt {
  ChildResult child;
  std::string last_words;
};

/// Runs the command for one case; on_tick as in ChildOptions.
Attempt run_command(const CohortCommand& command,
                    const CohortInput& input,
                    const std::filesystem::path& output,
                    const WorkOptions& options,
                    const CancelToken& stop,
                    const std::function<bool()>& on_tick) {
  std::deque<std::string> tail;
  ChildOptions child;
  child.argv = substitute(
      command.words,
      {{"input", input.path.string()}, {"output", output.string()}, {"name", input.name}});
  // "voxloom" is this very program, whatever PATH has.
  if (child.argv[0] == "voxloom") {
    std::error_code error;
    const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
    if (!error && self.filename() == "voxloom") child.argv[0] = self.string();
  }
  child.environment = options.environment;
  child.folder = command.folder;
  child.timeout = options.timeout;
  child.on_tick = on_tick;
  child.on_line = [&](ChildStream, std::string_view line) {
    tail.emplace_back(line);
    if (tail.size() > kKeptLines) tail.pop_front();
  };
  Attempt attempt;
  attempt.child = run_child(child, stop);
  for (const auto& line : tail) attempt.last_words += "\n  " + line;
  return attempt;
}

bool pause(milliseconds time, const CancelToken& stop) {
  const auto end = Clock::now() + time;
  while (!stop.cancelled() && Clock::now() < end) {
    std::this_thread::sleep_for(std::min(time, milliseconds{50}));
  }
  return !stop.cancelled();
}

/// Runs `body` in several threads; the first exception stops the others and is thrown at the end.
void in_threads(int64_t count,
                const CancelToken& stop,
                const std::function<void(const CancelToken&)>& body) {
  CancelToken all;  // set by `stop` or by a failure of one
  std::mutex mutex;
  std::exception_ptr failure;
  std::atomic<int64_t> running{count};
  std::vector<std::thread> threads;
  for (int64_t i = 0; i < count; ++i) {
    threads.emplace_back([&] {
      try {
        body(all);
      } catch (...) {
        const std::scoped_lock lock(mutex);
        if (!failure) failure = std::current_exception();
        all.cancel();
      }
      --running;
    });
  }
  while (running > 0) {
    if (stop.cancelled()) all.cancel();
    std::this_thread::sleep_for(milliseconds{20});
  }
  for (auto& thread : threads) thread.join();
  if (failure) std::rethrow_exception(failure);
}

class Reporter {
 public:
  explicit Reporter(const CaseSink& sink) : sink_(sink) {}
  void operator()(const CaseEvent& event) {
    const std::scoped_lock lock(mutex_);
    if (sink_) sink_(event);
  }

 private:
  const CaseSink& sink_;
  std::mutex mutex_;
};

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// One claimed case, from its command to the answer to the queue.
class ClaimedCase {
 public:
  ClaimedCase(Queue& queue,
              const CohortCommand& command,
              const WorkOptions& options,
              CaseClaim claim)
      : queue_(queue), command_(command), options_(options), claim_(std::move(claim)) {}

  CaseEvent work(const CancelToken& stop) {
    CaseEvent event{.name = claim_.key};
    const auto start = Clock::now();
    try {
      attempt(stop, event);
    } catch (const TransientError&) {
      throw;
    } catch (const Error& e) {
      // The database's own troubles are not the case's; a lost lease gives it to another.
      if (in_database_) throw;
      answer_failure(e.what(), event);
    } catch (const std::exception& e) {
      answer_failure(e.what(), event);
    }
    event.seconds = seconds_since(start);
    return event;
  }

 private:
  using Kind = CaseEvent::Kind;

  void attempt(const CancelToken& stop, CaseEvent& event) {
    const bool replace = options_.replace || claim_.redo;
    std::error_code ignored;
    if (!replace && std::filesystem::exists(command_.output(claim_.key), ignored)) {
      event.kind = finish({}) ? Kind::kSkipped : Kind::kLostLease;
      return;
    }
    const CohortInput input{claim_.key, claim_.request.at("input").get<std::string>()};
    CaseOutput output(command_, claim_.key);
    next_extension_ = Clock::now() + options_.lease / 3;
    const Attempt done = run_command(
        command_, input, output.temporary(), options_, stop, [&] { return keep_lease(); });
    if (lost_) {
      event.kind = Kind::kLostLease;
    } else if (done.child.end == ChildResult::End::kStopped) {
      in_database_ = true;
      event.kind = queue_.release(claim_) ? Kind::kReturned : Kind::kLostLease;
      in_database_ = false;
    } else if (!done.child.ok()) {
      answer_failure("the command " + done.child.words() + done.last_words, event);
    } else {
      event.kind = finish([&] { output.publish(replace); }) ? Kind::kDone : Kind::kLostLease;
    }
  }

  bool finish(const std::function<void()>& publish) {
    in_database_ = true;
    const bool held = queue_.finish(claim_, [&] {
      in_database_ = false;
      if (publish) publish();
      in_database_ = true;
    });
    in_database_ = false;
    return held;
  }

  void answer_failure(const std::string& message, CaseEvent& event) {
    in_database_ = true;
    event.message = message;
    switch (queue_.fail(claim_, message)) {
      case Queue::Failed::kWillRetry:
        event.kind = Kind::kWillRetry;
        break;
      case Queue::Failed::kForGood:
        event.kind = Kind::kFailed;
        break;
      case Queue::Failed::kNotOurs:
        event.kind = Kind::kLostLease;
        break;
    }
    in_database_ = false;
  }

  /// False when the case has gone to another worker: its result would not be taken.
  bool keep_lease() {
    if (Clock::now() < next_extension_) return true;
    next_extension_ = Clock::now() + options_.lease / 3;
    try {
      lost_ = !queue_.extend(claim_, options_.lease);
    } catch (const Error& e) {
      // The command goes on: the database may be back before the lease is over.
      VOXLOOM_LOG_WARN("lease not renewed: {}", e.what());
    }
    return !lost_;
  }

  Queue& queue_;
  const CohortCommand& command_;
  const WorkOptions& options_;
  CaseClaim claim_;
  Clock::time_point next_extension_;
  bool lost_ = false;
  bool in_database_ = false;
};

CaseEvent work_on_input(const CohortCommand& command,
                        const CohortInput& input,
                        const WorkOptions& options,
                        const CancelToken& stop) {
  using Kind = CaseEvent::Kind;
  CaseEvent event{.name = input.name};
  const auto start = Clock::now();
  try {
    std::error_code ignored;
    if (!options.replace && std::filesystem::exists(command.output(input.name), ignored)) {
      event.kind = Kind::kSkipped;
      return event;
    }
    CaseOutput output(command, input.name);
    const Attempt done = run_command(command, input, output.temporary(), options, stop, {});
    if (done.child.end == ChildResult::End::kStopped) {
      event.kind = Kind::kReturned;
    } else if (!done.child.ok()) {
      event.kind = Kind::kFailed;
      event.message = "the command " + done.child.words() + done.last_words;
    } else {
      output.publish(options.replace);
    }
  } catch (const std::exception& e) {
    event.kind = Kind::kFailed;
    event.message = e.what();
  }
  event.seconds = seconds_since(start);
  return event;
}

}  // namespace

std::string_view case_event_name(CaseEvent::Kind kind) {
  constexpr std::string_view kNames[] = {
      "done", "skipped", "will_retry", "failed", "lost_lease", "returned"};
  return kNames[static_cast<size_t>(kind)];
}

std::string worker_name() {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host = {"unknown"};
  return format("{}:{}", host.data(), ::getpid());
}

std::vector<QueueCase> to_cases(const std::vector<CohortInput>& inputs) {
  std::vector<QueueCase> cases;
  for (const auto& input : inputs) {
    cases.push_back({input.name, Json{{"input", input.path.string()}}});
  }
  return cases;
}

void work_on_queue(Queue& queue,
                   const WorkOptions& options,
                   const CancelToken& stop,
                   const CaseSink& sink) {
  const CohortCommand command = CohortCommand::from_json(queue.settings());
  const std::string worker = worker_name();
  Reporter report(sink);
  in_threads(options.workers, stop, [&](const CancelToken& halt) {
    while (!halt.cancelled()) {
      auto claim = queue.claim(worker, options.lease);
      if (claim) {
        report(ClaimedCase(queue, command, options, std::move(*claim)).work(halt));
      } else {
        if (options.until_empty && queue.counts().finished()) return;
        if (!pause(options.poll, halt)) return;
      }
    }
  });
}

void work_on_list(const CohortCommand& command,
                  const std::vector<CohortInput>& inputs,
                  const WorkOptions& options,
                  const CancelToken& stop,
                  const CaseSink& sink) {
  Reporter report(sink);
  std::atomic<size_t> next{0};
  in_threads(options.workers, stop, [&](const CancelToken& halt) {
    while (!halt.cancelled()) {
      const size_t i = next++;
      if (i >= inputs.size()) return;
      report(work_on_input(command, inputs[i], options, halt));
    }
  });
}

}  // namespace voxloom::jobs
