// Threads: callers of run() put a ticket into the fair queue and wait for it; one compute thread
// owns the pool (volumes, models, sessions) and works the tickets off. Everything shared is under
// one mutex, which is never held while something is computed.
#include "voxloom/serve/interactive/infer_service.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <set>
#include <thread>

#include <sys/resource.h>
#include <unistd.h>

#include "voxloom/core/error.h"
#include "voxloom/serve/interactive/fair_queue.h"
#include "voxloom/serve/interactive/infer_pipeline.h"

namespace voxloom::serve {
namespace {

using Clock = std::chrono::steady_clock;

// A waiting caller looks this often whether its peer went away.
constexpr auto kPeerCheck = std::chrono::milliseconds(20);
// Images waiting to be read ahead; the oldest wish goes first.
constexpr size_t kMostAhead = 16;
// Reading ahead gives way to clicks; after so many times it is given up.
constexpr int kMostTries = 16;

/// The waiting side gets our own errors as they are and others without what only a developer reads.
std::exception_ptr current_error() {
  try {
    throw;
  } catch (const Error&) {
    return std::current_exception();
  } catch (const std::bad_alloc&) {
    return std::make_exception_ptr(
        Error(ErrorCode::kUnavailable, "inference: not enough memory for this image"));
  } catch (const std::exception& e) {
    const std::string text = e.what();
    return std::make_exception_ptr(
        Error(ErrorCode::kInternal, "inference: " + text.substr(0, text.find('\n'))));
  } catch (...) {
    return std::make_exception_ptr(Error(ErrorCode::kInternal, "inference: unknown failure"));
  }
}

bool is_cancelled(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const Error& e) {
    return e.code() == ErrorCode::kCancelled;
  } catch (...) {
    return false;
  }
}

/// Passes the model's progress on as the service's.
class ServiceProgress final : public Progress {
 public:
  ServiceProgress(const std::function<void(const InferProgress&)>& report, const InferTask& task)
      : report_(report) {
    now_.client = task.client;
    now_.model = task.model;
  }

  void begin(std::string_view stage, int64_t total) override {
    now_.stage = stage;
    now_.done = 0;
    now_.total = total;
    send();
  }
  void advance(int64_t steps) override {
    now_.done += steps;
    send();
  }

 private:
  void send() const {
    if (report_) report_(now_);
  }

  const std::function<void(const InferProgress&)>& report_;
  InferProgress now_;
};

/// One call of run(), shared by its caller and the compute thread.
struct Ticket {
  InferTask task;
  const ServedModel* model = nullptr;
  InferService::Work work;  ///< Of background work; empty: the pipeline.
  Clock::time_point queued = Clock::now();
  CancelToken stop;  ///< The task's own one is the caller's and may be used for more.
  bool done = false;
  bool preempted = false;  ///< Stopped for a client; goes on when no client waits.
  InferOutcome outcome;
  std::exception_ptr error;

  [[nodiscard]] bool same_work(const Ticket& other) const {
    return task.client == other.task.client && task.model == other.task.model &&
           task.image_key == other.task.image_key;
  }
};
using TicketPtr = std::shared_ptr<Ticket>;

/// A wish of prefetch().
struct Ahead {
  InferTask task;
  const ServedModel* model = nullptr;
  int tries = 0;
};

InferServiceOptions checked(InferServiceOptions options) {
  options.runtime.validate();
  VOXLOOM_CHECK(options.memory_mb >= 1 && options.memory_mb <= (int64_t{1} << 30),
                ErrorCode::kInvalidArgument,
                "memory_mb: must be at least 1, got {}",
                options.memory_mb);
  return options;
}

}  // namespace

struct InferService::Impl {
  Impl(std::vector<ServedModel> served, InferServiceOptions given)
      : models(std::move(served)),
        options(std::move(given)),
        pool(options.memory_mb << 20,
             options.runtime.feature_cache_mb << 20,
             [this](const std::string& package) {
               return options.make_segmenter ? options.make_segmenter(package, options.runtime)
                                             : infer::make_segmenter(package, options.runtime);
             }),
        worker([this] { work(); }) {}

  ~Impl() {
    std::unique_lock lock(mutex);
    closing = true;
    if (running) running->stop.cancel();
    if (ahead_running) ahead_stop.cancel();
    for (auto* queue : {&waiting, &background}) {
      for (const auto& ticket : queue->take([](const TicketPtr&) { return true; })) {
        finish_cancelled(*ticket);
      }
    }
    changed.notify_all();
    finished.wait(lock, [this] { return callers == 0; });
    lock.unlock();
    worker.join();
  }

  /// Queues the ticket and waits for its end. Throws what it ended with.
  void wait_for(const TicketPtr& ticket);

  // ---- callers; the mutex is held ----

  void finish_cancelled(Ticket& ticket) {
    ticket.error =
        std::make_exception_ptr(Error(ErrorCode::kCancelled, "inference: stopped on request"));
    finish(ticket);
  }

  void finish(Ticket& ticket) {
    if (!ticket.error) {
      ++stats.runs;
    } else if (is_cancelled(ticket.error)) {
      ++stats.cancelled;
    } else {
      ++stats.failed;
    }
    ticket.done = true;
    finished.notify_all();
  }

  /// Ends what waits and tells what runs to end.
  template <class Matches>
  void cancel_if(Matches matches) {
    if (running && matches(running)) running->stop.cancel();
    for (auto* queue : {&waiting, &background}) {
      for (const auto& ticket : queue->take(matches)) finish_cancelled(*ticket);
    }
  }

  [[nodiscard]] bool is_withdrawn(const ServedModel& model) const {
    return withdrawn.count(model.package) != 0;
  }

  /// Drops the loaded model before the next task.
  void reload(const ServedModel& model) {
    ++models_revision;
    forgotten_packages.push_back(model.package);
    changed.notify_one();
  }

  /// Whatever nobody waits for makes room.
  void preempt() {
    if (ahead_running) ahead_stop.cancel();
    if (running && running->work) {
      running->preempted = true;
      running->stop.cancel();
    }
  }

  // ---- the compute thread ----

  void work() {
    // Clients are answered while the cores are busy. Threads that are started from here (the
    // pools of oneTBB and OpenMP) inherit it.
    static_cast<void>(::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), 10));
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(lock, [this] {
        return closing || !forgotten.empty() || !forgotten_packages.empty() || !waiting.empty() ||
               !background.empty() || !ahead.empty();
      });
      if (closing) return;
      if (!forgotten.empty()) {
        const auto images = std::move(forgotten);
        forgotten.clear();
        lock.unlock();
        for (const auto& image : images) pool.forget(image);
        lock.lock();
      } else if (!forgotten_packages.empty()) {
        const auto packages = std::move(forgotten_packages);
        forgotten_packages.clear();
        lock.unlock();
        for (const auto& package : packages) pool.forget_package(package);
        lock.lock();
      } else if (auto ticket = waiting.pop()) {
        work_off(**ticket, *ticket, lock);
      } else if (!ahead.empty()) {
        Ahead next = std::move(ahead.front());
        ahead.pop_front();
        look_ahead(std::move(next), lock);
      } else if (auto later = background.pop()) {
        work_off(**later, *later, lock);
      }
      stats.sessions = pool.sessions();
      stats.memory_bytes = pool.bytes();
    }
  }

  void work_off(Ticket& ticket, const TicketPtr& shared, std::unique_lock<std::mutex>& lock) {
    running = shared;
    const bool gone = is_withdrawn(*ticket.model);
    lock.unlock();
    std::optional<SessionPool::Origin> origin;
    std::exception_ptr error;
    InferOutcome outcome;
    try {
      ServiceProgress progress(options.on_progress, ticket.task);
      const std::chrono::duration<double> waited = Clock::now() - ticket.queued;
      ticket.stop.check();
      VOXLOOM_CHECK(
          !gone, ErrorCode::kNotFound, "model '{}': its weights were removed", ticket.model->name);
      if (ticket.work) {
        const auto image = pool.image(ticket.task.image_key, ticket.task.open);
        ticket.work(pool.segmenter(ticket.model->package), image, ticket.stop);
      } else {
        outcome = run_pipeline(
            *ticket.model, ticket.task, pool, progress, ticket.stop, waited.count(), origin);
      }
    } catch (...) {
      error = current_error();
    }
    lock.lock();
    running.reset();
    if (ticket.preempted && error && is_cancelled(error) && !closing &&
        !ticket.task.stop.cancelled()) {
      ticket.preempted = false;
      ticket.stop = CancelToken();
      background.push(ticket.task.client, shared);
      return;
    }
    if (origin == SessionPool::Origin::kKept) ++stats.session_hits;
    if (origin == SessionPool::Origin::kWarmed) ++stats.prefetch_hits, ++stats.session_misses;
    if (origin == SessionPool::Origin::kNew) ++stats.prefetch_misses, ++stats.session_misses;
    stats.sessions = pool.sessions();
    stats.memory_bytes = pool.bytes();
    ticket.outcome = std::move(outcome);
    ticket.error = std::move(error);
    finish(ticket);
  }

  void look_ahead(Ahead next, std::unique_lock<std::mutex>& lock) {
    ahead_running = true;
    ahead_stop = CancelToken();
    const CancelToken stop = ahead_stop;
    lock.unlock();
    bool made = false, again = false;
    try {
      made = run_ahead(*next.model, next.task, pool, stop);
    } catch (...) {
      // Nobody waits for it; the request that needs the image will say what is wrong with it.
      again = is_cancelled(current_error());
    }
    lock.lock();
    ahead_running = false;
    if (made) ++stats.prefetched;
    if (again && ++next.tries < kMostTries) ahead.push_front(std::move(next));
  }

  const std::vector<ServedModel> models;
  const InferServiceOptions options;
  SessionPool pool;  ///< The compute thread's.

  mutable std::mutex mutex;          ///< Guards everything below.
  std::condition_variable changed;   ///< There is something to compute.
  std::condition_variable finished;  ///< A ticket is done, or a caller left.
  FairQueue<TicketPtr> waiting;
  FairQueue<TicketPtr> background;
  TicketPtr running;
  std::deque<Ahead> ahead;
  bool ahead_running = false;
  CancelToken ahead_stop;
  std::vector<std::string> forgotten, forgotten_packages;
  std::set<std::string> withdrawn;  ///< Packages whose weights were put aside.
  uint64_t models_revision = 0;
  InferStats stats;
  int64_t callers = 0;
  bool closing = false;

  std::thread worker;  ///< Last: it uses all of the above.
};

InferService::InferService(std::vector<ServedModel> models, InferServiceOptions options)
    : impl_(std::make_unique<Impl>(std::move(models), checked(std::move(options)))) {}

InferService::~InferService() = default;

std::vector<ServedModel> InferService::models() const {
  const std::lock_guard lock(impl_->mutex);
  std::vector<ServedModel> present;
  for (const auto& model : impl_->models) {
    if (!impl_->is_withdrawn(model)) present.push_back(model);
  }
  return present;
}

const ServedModel* InferService::find_known(std::string_view name) const {
  for (const auto& model : impl_->models) {
    if (model.name == name) return &model;
  }
  return nullptr;
}

const ServedModel* InferService::find(std::string_view name) const {
  const ServedModel* model = find_known(name);
  if (model == nullptr) return nullptr;
  const std::lock_guard lock(impl_->mutex);
  return impl_->is_withdrawn(*model) ? nullptr : model;
}

uint64_t InferService::models_revision() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->models_revision;
}

namespace {

const ServedModel& must_find(const InferService& service, const std::string& name) {
  const auto* const model = service.find(name);
  if (model != nullptr) return *model;
  std::string known;
  for (const auto& served : service.models()) known += (known.empty() ? "" : ", ") + served.name;
  throw Error(ErrorCode::kNotFound, format("model: must be one of {}, got an unknown name", known));
}

const ServedModel& must_know(const InferService& service, const std::string& name) {
  const auto* const model = service.find_known(name);
  VOXLOOM_CHECK(model != nullptr, ErrorCode::kNotFound, "model: must be served, got '{}'", name);
  return *model;
}

}  // namespace

void InferService::Impl::wait_for(const TicketPtr& ticket) {
  std::unique_lock lock(mutex);
  VOXLOOM_CHECK(!closing, ErrorCode::kUnavailable, "inference: the server is closing");
  ++callers;
  if (ticket->work) {
    background.push(ticket->task.client, ticket);
  } else {
    cancel_if([&](const TicketPtr& other) { return !other->work && other->same_work(*ticket); });
    preempt();
    waiting.push(ticket->task.client, ticket);
  }
  changed.notify_one();
  while (!ticket->done) {
    finished.wait_for(lock, kPeerCheck);
    if (!ticket->done && ticket->task.stop.cancelled()) {
      cancel_if([&](const TicketPtr& other) { return other == ticket; });
    }
  }
  --callers;
  if (closing) finished.notify_all();
  lock.unlock();
  if (ticket->error) std::rethrow_exception(ticket->error);
}

InferOutcome InferService::run(const InferTask& task) {
  const auto ticket = std::make_shared<Ticket>();
  ticket->model = &must_find(*this, task.model);
  ticket->task = task;
  impl_->wait_for(ticket);
  return std::move(ticket->outcome);
}

void InferService::run_in_background(const InferTask& task, const Work& work) {
  const auto ticket = std::make_shared<Ticket>();
  ticket->model = &must_find(*this, task.model);
  ticket->task = task;
  ticket->work = work;
  impl_->wait_for(ticket);
}

void InferService::prefetch(const InferTask& task) {
  Ahead wish{task, &must_find(*this, task.model), 0};
  auto& impl = *impl_;
  const std::lock_guard lock(impl.mutex);
  const bool doubled = std::any_of(impl.ahead.begin(), impl.ahead.end(), [&](const Ahead& other) {
    return other.task.image_key == task.image_key && other.model->package == wish.model->package;
  });
  if (impl.closing || doubled) return;
  if (impl.ahead.size() >= kMostAhead) impl.ahead.pop_front();
  impl.ahead.push_back(std::move(wish));
  impl.changed.notify_one();
}

void InferService::forget(const std::string& image_key) {
  auto& impl = *impl_;
  const std::lock_guard lock(impl.mutex);
  std::erase_if(impl.ahead, [&](const Ahead& a) { return a.task.image_key == image_key; });
  impl.forgotten.push_back(image_key);
  impl.changed.notify_one();
}

void InferService::withdraw_model(const std::string& name) {
  const ServedModel& model = must_know(*this, name);
  auto& impl = *impl_;
  const std::lock_guard lock(impl.mutex);
  impl.withdrawn.insert(model.package);
  std::erase_if(impl.ahead, [&](const Ahead& a) { return a.model->package == model.package; });
  impl.reload(model);
}

void InferService::renew_model(const std::string& name) {
  const ServedModel& model = must_know(*this, name);
  const std::lock_guard lock(impl_->mutex);
  impl_->withdrawn.erase(model.package);
  impl_->reload(model);
}

InferStats InferService::stats() const {
  const std::lock_guard lock(impl_->mutex);
  InferStats stats = impl_->stats;
  stats.waiting = static_cast<int64_t>(impl_->waiting.size());
  return stats;
}

}  // namespace voxloom::serve
