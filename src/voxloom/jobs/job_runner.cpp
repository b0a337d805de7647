#include "voxloom/jobs/job_runner.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

#include "voxloom/core/child_process.h"
#include "voxloom/core/log.h"
#include "voxloom/jobs/child_message.h"
#include "voxloom/jobs/process_identity.h"

namespace voxloom::jobs {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr int64_t kMaxStarts = 3;
constexpr milliseconds kSaveEvery{1000};  // of progress and log lines; each save is synced
constexpr milliseconds kAliveEvery{15000};
constexpr size_t kMaxLineBytes = size_t{4} << 20;  // a result with many images is one line

int64_t now_ms() {
  return std::chrono::duration_cast<milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

class JobRunner::Impl {
 public:
  Impl(std::shared_ptr<Database> database,
       std::string scope,
       std::vector<JobKind> kinds,
       OnChange on_change,
       OnLine on_line)
      : store_(std::move(database), std::move(scope)),
        owner_(process_identity()),
        on_change_(std::move(on_change)),
        on_line_(std::move(on_line)) {
    for (auto& kind : kinds) {
      lines_.push_back(std::make_unique<Line>());
      lines_.back()->kind = std::move(kind);
    }
    recover();
    for (auto& line : lines_) {
      threads_.emplace_back([this, &queue = *line] { work(queue); });
    }
    threads_.emplace_back([this] { stay_alive(); });
  }

  ~Impl() {
    {
      const std::scoped_lock lock(mutex_);
      ending_ = true;
      for (auto& [id, live] : live_) live.stop.cancel();
    }
    changed_.notify_all();
    for (auto& thread : threads_) thread.join();
    save_unsaved();
    guarded("jobs are left to the next start", [&] { store_.disown(owner_); });
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  JobRecord submit(const std::string& kind, const Json& request) {
    Line& line = line_of(kind);
    JobRecord job = store_.add(kind, request, owner_);
    notify(job);  // first: once it is queued, its worker tells what comes next
    enqueue(line, job);
    return job;
  }

  std::optional<JobRecord> running(const std::string& kind) const {
    const std::scoped_lock lock(mutex_);
    for (const auto& [id, live] : live_) {
      if (live.job.kind == kind && live.job.status == JobStatus::kRunning) return live.job;
    }
    return std::nullopt;
  }

  std::optional<JobRecord> latest(const std::string& kind) {
    auto job = store_.latest(kind);
    if (job) overlay(*job);
    return job;
  }

  std::vector<JobRecord> list(const std::string& kind, int64_t limit) {
    auto jobs = store_.list(kind, limit);
    for (auto& job : jobs) overlay(job);
    return jobs;
  }

  std::optional<JobRecord> find(const std::string& id) {
    {
      const std::scoped_lock lock(mutex_);
      const auto found = live_.find(id);
      if (found != live_.end()) return found->second.job;
    }
    auto job = store_.find(id);
    if (job) overlay(*job);
    return job;
  }

  std::optional<JobRecord> stop(const std::string& id) {
    bool queued = false;
    {
      const std::scoped_lock lock(mutex_);
      const auto found = live_.find(id);
      if (found != live_.end()) {
        found->second.stop.cancel();
        for (auto& line : lines_) queued = std::erase(line->queue, id) > 0 || queued;
      }
    }
    if (queued) finish(id, JobStatus::kStopped, "stopped before it started");
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return ending_ || live_.find(id) == live_.end(); });
    lock.unlock();
    return find(id);
  }

  JobRecord wait(const std::string& id, const CancelToken& stop) {
    std::unique_lock lock(mutex_);
    while (live_.find(id) != live_.end()) {
      stop.check();
      VOXLOOM_CHECK(!ending_, ErrorCode::kCancelled, "job '{}': the server ends", id);
      changed_.wait_for(lock, milliseconds{100});
    }
    lock.unlock();
    auto job = find(id);
    VOXLOOM_CHECK(job.has_value(), ErrorCode::kNotFound, "job '{}' does not exist", id);
    return std::move(*job);
  }

 private:
  /// The queue of one kind and its only worker.
  struct Line {
    JobKind kind;
    std::deque<std::string> queue;
  };
  /// A job that has not finished.
  struct Live {
    JobRecord job;
    CancelToken stop;
    Clock::time_point saved;
  };

  Line& line_of(const std::string& kind) {
    for (auto& line : lines_) {
      if (line->kind.name == kind) return *line;
    }
    throw Error(ErrorCode::kNotFound, format("job kind '{}' does not exist", kind));
  }

  void enqueue(Line& line, const JobRecord& job) {
    {
      const std::scoped_lock lock(mutex_);
      live_[job.id].job = job;
      line.queue.push_back(job.id);
    }
    changed_.notify_all();
  }

  void overlay(JobRecord& job) const {
    const std::scoped_lock lock(mutex_);
    const auto unsaved = unsaved_.find(job.id);
    if (unsaved != unsaved_.end()) job = unsaved->second;
    const auto found = live_.find(job.id);
    if (found != live_.end()) job = found->second.job;
  }

  void notify(const JobRecord& job) const {
    if (!on_change_) return;
    guarded("a listener to jobs failed", [&] { on_change_(job); });
  }

  /// For work in threads, where nothing may escape.
  static void guarded(const char* what, const std::function<void()>& body) {
    try {
      body();
    } catch (const std::exception& e) {
      VOXLOOM_LOG_ERROR("{}: {}", what, e.what());
    }
  }

  /// A finished job that can't be saved now is kept and saved later.
  void save(const JobRecord& job) {
    try {
      const bool ours = store_.save(job, owner_);
      const std::scoped_lock lock(mutex_);
      unsaved_.erase(job.id);
      // Another server took this one for dead and goes on with the job: leave it to that one.
      const auto found = live_.find(job.id);
      if (!ours && found != live_.end()) found->second.stop.cancel();
    } catch (const std::exception& e) {
      VOXLOOM_LOG_ERROR("a job was not saved: {}", e.what());
      const std::scoped_lock lock(mutex_);
      if (is_finished(job.status)) unsaved_[job.id] = job;
    }
  }

  void save_unsaved() {
    std::map<std::string, JobRecord> jobs;
    {
      const std::scoped_lock lock(mutex_);
      jobs = unsaved_;
    }
    for (const auto& [id, job] : jobs) save(job);
  }

  /// Changes a live job, saves it (or not yet, with kLater) and tells the listener.
  enum class Save { kNow, kLater };
  JobRecord update(const std::string& id, Save when, const std::function<void(JobRecord&)>& body) {
    JobRecord copy;
    bool due = when == Save::kNow;
    {
      const std::scoped_lock lock(mutex_);
      Live& live = live_.at(id);
      body(live.job);
      due = due || Clock::now() - live.saved >= kSaveEvery;
      if (due) live.saved = Clock::now();
      copy = live.job;
    }
    if (due) save(copy);
    notify(copy);
    return copy;
  }

  void finish(const std::string& id, JobStatus status, const std::string& line) {
    JobRecord job;
    {
      const std::scoped_lock lock(mutex_);
      const auto found = live_.find(id);
      if (found == live_.end()) return;
      JobRecord& live = found->second.job;
      live.status = status;
      live.end_ms = now_ms();
      live.log(line);
      if (status == JobStatus::kDone) live.progress = 1.0;
      job = live;
    }
    // Saved before it leaves the live ones, so that nobody reads an older state in between.
    save(job);
    notify(job);
    {
      const std::scoped_lock lock(mutex_);
      live_.erase(id);
    }
    changed_.notify_all();
  }

  void recover() {
    for (auto& job : store_.adopt(owner_)) {
      const auto line = std::find_if(lines_.begin(), lines_.end(), [&](const auto& item) {
        return item->kind.name == job.kind;
      });
      const bool known = line != lines_.end();
      if (known && job.status == JobStatus::kSubmitted) {
        enqueue(**line, job);
        continue;
      }
      if (known && (*line)->kind.resumable && job.attempts < kMaxStarts) {
        job.status = JobStatus::kSubmitted;
        job.log("its server ended while it ran; it starts again");
        save(job);
        enqueue(**line, job);
      } else {
        job.status = JobStatus::kLost;
        job.end_ms = now_ms();
        job.log("lost: its server ended while it ran");
        save(job);
      }
      notify(job);
    }
  }

  void stay_alive() {
    std::unique_lock lock(mutex_);
    while (!changed_.wait_for(lock, kAliveEvery, [&] { return ending_; })) {
      lock.unlock();
      guarded("jobs were not marked", [&] {
        save_unsaved();
        store_.mark_alive(owner_);
        recover();
      });
      lock.lock();
    }
  }

  void work(Line& line) {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [&] { return ending_ || !line.queue.empty(); });
      if (ending_) return;
      const std::string id = line.queue.front();
      line.queue.pop_front();
      const auto found = live_.find(id);
      if (found == live_.end()) continue;
      const CancelToken stop = found->second.stop;
      lock.unlock();
      try {
        run_job(line.kind, id, stop);
      } catch (const std::exception& e) {
        finish(id, JobStatus::kError, e.what());
      }
      guarded("old jobs were not removed", [&] { store_.prune(line.kind.name, line.kind.keep); });
      lock.lock();
    }
  }

  void run_job(const JobKind& kind, const std::string& id, const CancelToken& stop) {
    if (stop.cancelled() && !is_ending()) {
      finish(id, JobStatus::kStopped, "stopped before it started");
      return;
    }
    const JobRecord job = update(id, Save::kNow, [](JobRecord& live) {
      live.status = JobStatus::kRunning;
      live.start_ms = now_ms();
      live.end_ms = 0;
      live.progress = 0.0;
      ++live.attempts;
      live.log("started");
    });
    ChildOptions child;
    child.argv = kind.argv(job);
    child.environment = kind.environment;
    child.folder = kind.folder;
    child.timeout = kind.timeout;
    child.grace = kind.grace;
    child.max_line_bytes = kMaxLineBytes;
    child.on_line = [&](ChildStream stream, std::string_view line) { follow(id, stream, line); };
    const ChildResult result = run_child(child, stop);
    if (result.end == ChildResult::End::kStopped) {
      end_stopped(kind, id);
    } else {
      finish(id,
             result.ok() ? JobStatus::kDone : JobStatus::kError,
             result.ok() ? "done" : "the process " + result.words());
    }
  }

  void end_stopped(const JobKind& kind, const std::string& id) {
    if (!is_ending()) {
      finish(id, JobStatus::kStopped, "stopped");
    } else if (kind.resumable) {
      update(id, Save::kNow, [](JobRecord& live) {
        live.status = JobStatus::kSubmitted;
        live.log("the server ends; this goes on at its next start");
      });
    } else {
      finish(id, JobStatus::kStopped, "stopped: the server ended");
    }
  }

  bool is_ending() const {
    const std::scoped_lock lock(mutex_);
    return ending_;
  }

  void follow(const std::string& id, ChildStream stream, std::string_view line) {
    ChildMessage message;
    if (stream == ChildStream::kOut) {
      message = parse_child_line(line);
    } else {
      message.text = std::string(line);
    }
    const JobRecord job = update(id, Save::kLater, [&](JobRecord& live) {
      if (message.progress) live.progress = *message.progress;
      if (message.text) live.log(*message.text);
      if (message.result) live.result = *message.result;
    });
    if (on_line_) guarded("a listener to job lines failed", [&] { on_line_(job, line); });
  }

  JobStore store_;
  std::string owner_;
  OnChange on_change_;
  OnLine on_line_;
  std::vector<std::unique_ptr<Line>> lines_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, Live> live_;
  std::map<std::string, JobRecord> unsaved_;
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

JobRunner::JobRunner(std::shared_ptr<Database> database,
                     std::string scope,
                     std::vector<JobKind> kinds,
                     OnChange on_change,
                     OnLine on_line)
    : impl_(std::make_unique<Impl>(std::move(database),
                                   std::move(scope),
                                   std::move(kinds),
                                   std::move(on_change),
                                   std::move(on_line))) {}
JobRunner::~JobRunner() = default;

JobRecord JobRunner::submit(const std::string& kind, const Json& request) {
  return impl_->submit(kind, request);
}
std::optional<JobRecord> JobRunner::running(const std::string& kind) const {
  return impl_->running(kind);
}
std::optional<JobRecord> JobRunner::latest(const std::string& kind) const {
  return impl_->latest(kind);
}
std::vector<JobRecord> JobRunner::list(const std::string& kind, int64_t limit) const {
  return impl_->list(kind, limit);
}
std::optional<JobRecord> JobRunner::find(const std::string& id) const {
  return impl_->find(id);
}
std::optional<JobRecord> JobRunner::stop_running(const std::string& kind) {
  const auto job = impl_->running(kind);
  return job ? impl_->stop(job->id) : std::nullopt;
}
std::optional<JobRecord> JobRunner::stop(const std::string& id) {
  return impl_->stop(id);
}
JobRecord JobRunner::wait(const std::string& id, const CancelToken& stop) const {
  return impl_->wait(id, stop);
}

}  // namespace voxloom::jobs
