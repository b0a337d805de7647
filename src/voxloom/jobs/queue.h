#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "voxloom/jobs/database.h"

namespace voxloom::jobs {

using Json = nlohmann::ordered_json;

/// One piece of cohort work: a key of its own within the queue and what to do.
struct QueueCase {
  std::string key;
  Json request;
};

/// States in the database: append only.
enum class CaseState { kWaiting, kRunning, kDone, kFailed };
[[nodiscard]] std::string_view case_state_name(CaseState state);

/// What a worker holds while it works on a case. The token is of this attempt alone: whoever lost
/// its lease to another worker holds a token that nothing accepts any more.
struct CaseClaim {
  std::string key, token;
  Json request;
  bool redo = false;  ///< Asked for again by retry_case: an output that exists is replaced.
  int64_t attempt = 1, max_attempts = 1;
};

struct CaseInfo {
  std::string key, worker, message;
  CaseState state = CaseState::kWaiting;
  int64_t attempts = 0;
  int64_t start_ms = 0, end_ms = 0;  ///< Of the last attempt; 0: not yet.
};

struct QueueCounts {
  int64_t waiting = 0, running = 0, done = 0, failed = 0;
  [[nodiscard]] int64_t total() const { return waiting + running + done + failed; }
  /// Nothing is left to do or being done.
  [[nodiscard]] bool finished() const { return waiting == 0 && running == 0; }
};

/// A named queue of cases in a database, for workers on many machines. Every case is held by at
/// most one worker at a time: a claim has a lease, and whoever does not renew it loses the case to
/// the next. Thread-safe as its Database is.
///
///     Queue queue = Queue::open(open_database(url), "liver");
///     while (auto claim = queue.claim("host:1", 60s)) {
///       ...  // queue.extend(*claim, 60s) every 20 s
///       queue.finish(*claim);
///     }
class Queue {
 public:
  /// Makes the queue. One that exists must have the same settings, else kAlreadyExists; with
  /// kReplace it takes these.
  enum class Existing { kMustMatch, kReplace };
  static Queue create(std::shared_ptr<Database> database,
                      const std::string& name,
                      const Json& settings,
                      int64_t max_attempts = 3,
                      Existing existing = Existing::kMustMatch);
  /// Throws kNotFound naming the queues there are.
  static Queue open(std::shared_ptr<Database> database, const std::string& name);
  static std::vector<std::string> names(Database& database);

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const Json& settings() const { return settings_; }

  /// Adds what is not there yet; a key that is there with the same request changes nothing. Returns
  /// how many are new. All or nothing: throws kAlreadyExists naming keys with another request.
  int64_t add(std::span<const QueueCase> cases);

  /// The next case: those never tried first, in the order of their adding. Takes over cases whose
  /// lease ran out; a case whose attempts are used up that way becomes failed.
  std::optional<CaseClaim> claim(const std::string& worker, std::chrono::milliseconds lease);

  /// False when the case is no longer this claim's: stop working on it.
  bool extend(const CaseClaim& claim, std::chrono::milliseconds lease);

  /// The case is done. `publish` (may be empty) runs while no other worker can take the case: put
  /// the result into place there; it may run twice. What it throws leaves the case with this
  /// claim. False, without a call of `publish`, when the case is no longer this claim's.
  bool finish(const CaseClaim& claim, const std::function<void()>& publish = {});

  /// The attempt failed. The case waits for another one, or is failed when all are used up.
  enum class Failed { kWillRetry, kForGood, kNotOurs };
  Failed fail(const CaseClaim& claim, const std::string& message);

  /// Gives the case back untried: the attempt does not count. False when it is not this claim's.
  bool release(const CaseClaim& claim);

  /// Counts after taking cases whose last lease ran out as failed.
  [[nodiscard]] QueueCounts counts();
  /// Cases in one state, in the order of their adding.
  [[nodiscard]] std::vector<CaseInfo> list(CaseState state, int64_t limit = 1000);

  /// Failed cases wait again, with all attempts. Returns how many.
  int64_t retry_failed();
  /// Any case that is not running waits again; a done one will replace its output.
  /// Throws kNotFound, or kUnavailable while a worker holds it.
  void retry_case(const std::string& key);

 private:
  Queue(std::shared_ptr<Database> database, std::string name, Json settings);
  void bury_lost(Transaction& t);

  std::shared_ptr<Database> database_;
  std::string name_;
  Json settings_;
};

}  // namespace voxloom::jobs
