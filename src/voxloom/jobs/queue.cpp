#include "voxloom/jobs/queue.h"

#include <algorithm>

#include "voxloom/core/json_text.h"
#include "voxloom/jobs/uuid.h"

namespace voxloom::jobs {
namespace {

constexpr size_t kMaxNameBytes = 200;
constexpr size_t kMaxMessageBytes = 4000;
constexpr size_t kNamedInErrors = 10;

std::string state_text(CaseState state) {
  return std::string(case_state_name(state));
}

std::string quoted_list(const std::vector<std::string>& names) {
  std::string text;
  for (size_t i = 0; i < std::min(names.size(), kNamedInErrors); ++i) {
    text += (i == 0 ? "'" : ", '") + names[i] + "'";
  }
  if (names.size() > kNamedInErrors) {
    text += format(" and {} more", names.size() - kNamedInErrors);
  }
  return text;
}

void check_name(std::string_view what, const std::string& name) {
  const bool plain =
      std::all_of(name.begin(), name.end(), [](unsigned char c) { return c >= 32 && c != 127; });
  VOXLOOM_CHECK(plain && !name.empty() && name.size() <= kMaxNameBytes,
                ErrorCode::kInvalidArgument,
                "{}: must have 1 to {} bytes and no control characters, got {} bytes",
                what,
                kMaxNameBytes,
                name.size());
}

/// Rows "state", "attempts", ... of voxloom_cases that this attempt still holds.
constexpr std::string_view kHeld =
    " WHERE queue = ? AND case_key = ? AND token = ? AND state = 'running'";

}  // namespace

std::string_view case_state_name(CaseState state) {
  constexpr std::string_view kNames[] = {"waiting", "running", "done", "failed"};
  return kNames[static_cast<size_t>(state)];
}

Queue::Queue(std::shared_ptr<Database> database, std::string name, Json settings)
    : database_(std::move(database)), name_(std::move(name)), settings_(std::move(settings)) {}

Queue Queue::create(std::shared_ptr<Database> database,
                    const std::string& name,
                    const Json& settings,
                    int64_t max_attempts,
                    Existing existing) {
  check_name("queue name", name);
  VOXLOOM_CHECK(max_attempts >= 1,
                ErrorCode::kInvalidArgument,
                "queue '{}': attempts must be at least 1, got {}",
                name,
                max_attempts);
  database->transaction([&](Transaction& t) {
    const int64_t made = t.run(
                              "INSERT INTO voxloom_queues (name, settings, max_attempts, "
                              "created_ms) VALUES (?, ?, ?, ?) ON CONFLICT (name) DO NOTHING",
                              {name, settings.dump(), max_attempts, t.now_ms()})
                             .changed;
    if (made == 1) return;
    if (existing == Existing::kReplace) {
      t.run("UPDATE voxloom_queues SET settings = ?, max_attempts = ? WHERE name = ?",
            {settings.dump(), max_attempts, name});
      return;
    }
    const auto rows =
        t.run("SELECT settings, max_attempts FROM voxloom_queues WHERE name = ?", {name}).rows;
    VOXLOOM_CHECK(
        parse_json(rows.at(0).text(0), "queue settings") == settings &&
            rows[0].integer(1) == max_attempts,
        ErrorCode::kAlreadyExists,
        "queue '{}' exists with other settings ({}, {} attempts); use another name, or --force to "
        "change it",
        name,
        rows[0].text(0),
        rows[0].integer(1));
  });
  return Queue(std::move(database), name, settings);
}

Queue Queue::open(std::shared_ptr<Database> database, const std::string& name) {
  const auto rows =
      database->query("SELECT settings FROM voxloom_queues WHERE name = ?", {name}).rows;
  if (rows.empty()) {
    const auto known = names(*database);
    throw Error(ErrorCode::kNotFound,
                format("queue '{}' does not exist in '{}'; there: {}",
                       name,
                       database->name(),
                       known.empty() ? std::string("none") : quoted_list(known)));
  }
  return Queue(std::move(database), name, parse_json(rows[0].text(0), "queue settings"));
}

std::vector<std::string> Queue::names(Database& database) {
  std::vector<std::string> list;
  for (const auto& row : database.query("SELECT name FROM voxloom_queues ORDER BY name").rows) {
    list.push_back(row.text(0));
  }
  return list;
}

int64_t Queue::add(std::span<const QueueCase> cases) {
  for (const auto& item : cases) check_name("case key", item.key);
  int64_t added = 0;
  database_->transaction([&](Transaction& t) {
    added = 0;  // the body may run again
    std::vector<std::string> different;
    const auto last =
        t.run("SELECT MAX(position) FROM voxloom_cases WHERE queue = ?", {name_}).rows;
    int64_t position = last.at(0).is_null(0) ? 0 : last[0].integer(0) + 1;
    for (const auto& item : cases) {
      const int64_t made =
          t.run(
               "INSERT INTO voxloom_cases (queue, case_key, position, request, state, redo, "
               "attempts) VALUES (?, ?, ?, ?, 'waiting', 0, 0) "
               "ON CONFLICT (queue, case_key) DO NOTHING",
               {name_, item.key, position, item.request.dump()})
              .changed;
      added += made;
      position += made;
      if (made == 1) continue;
      const auto rows = t.run("SELECT request FROM voxloom_cases WHERE queue = ? AND case_key = ?",
                              {name_, item.key})
                            .rows;
      if (parse_json(rows.at(0).text(0), "queue case") != item.request)
        different.push_back(item.key);
    }
    VOXLOOM_CHECK(different.empty(),
                  ErrorCode::kAlreadyExists,
                  "queue '{}': {} of the cases are there with another input: {}",
                  name_,
                  different.size(),
                  quoted_list(different));
  });
  return added;
}

void Queue::bury_lost(Transaction& t) {
  const auto lost = t.run(
                         "SELECT case_key, worker FROM voxloom_cases WHERE queue = ? AND state = "
                         "'running' AND lease_until_ms < ? AND attempts >= (SELECT max_attempts "
                         "FROM voxloom_queues WHERE name = ?)" +
                             std::string(t.take_rows()),
                         {name_, t.now_ms(), name_})
                        .rows;
  for (const auto& row : lost) {
    t.run(
        "UPDATE voxloom_cases SET state = 'failed', token = NULL, end_ms = ?, message = ? "
        "WHERE queue = ? AND case_key = ?",
        {t.now_ms(),
         format("its worker '{}' was lost at the last attempt", row.text(1)),
         name_,
         row.text(0)});
  }
}

std::optional<CaseClaim> Queue::claim(const std::string& worker, std::chrono::milliseconds lease) {
  std::optional<CaseClaim> claim;
  database_->transaction([&](Transaction& t) {
    claim.reset();
    bury_lost(t);
    const int64_t max_attempts =
        t.run("SELECT max_attempts FROM voxloom_queues WHERE name = ?", {name_})
            .rows.at(0)
            .integer(0);
    const int64_t now = t.now_ms();
    const auto rows =
        t.run(
             "SELECT case_key, request, redo, attempts FROM voxloom_cases WHERE queue = ? AND "
             "(state = 'waiting' OR (state = 'running' AND lease_until_ms < ? AND attempts < ?)) "
             "ORDER BY attempts, position, case_key LIMIT 1" +
                 std::string(t.take_rows()),
             {name_, now, max_attempts})
            .rows;
    if (rows.empty()) return;
    claim = CaseClaim{.key = rows[0].text(0),
                      .token = make_token(),
                      .request = parse_json(rows[0].text(1), "queue case"),
                      .redo = rows[0].integer(2) != 0,
                      .attempt = rows[0].integer(3) + 1,
                      .max_attempts = max_attempts};
    t.run(
        "UPDATE voxloom_cases SET state = 'running', token = ?, worker = ?, attempts = ?, "
        "lease_until_ms = ?, start_ms = ?, end_ms = NULL WHERE queue = ? AND case_key = ?",
        {claim->token, worker, claim->attempt, now + lease.count(), now, name_, claim->key});
  });
  return claim;
}

bool Queue::extend(const CaseClaim& claim, std::chrono::milliseconds lease) {
  bool held = false;
  database_->transaction([&](Transaction& t) {
    held = t.run("UPDATE voxloom_cases SET lease_until_ms = ?" + std::string(kHeld),
                 {t.now_ms() + lease.count(), name_, claim.key, claim.token})
               .changed == 1;
  });
  return held;
}

bool Queue::finish(const CaseClaim& claim, const std::function<void()>& publish) {
  bool held = false;
  database_->transaction([&](Transaction& t) {
    held = t.run("UPDATE voxloom_cases SET state = 'done', redo = 0, end_ms = ?, message = NULL" +
                     std::string(kHeld),
                 {t.now_ms(), name_, claim.key, claim.token})
               .changed == 1;
    if (!held) {
      // A commit whose answer was lost may have marked it: the token stays with a done case.
      held = !t.run(
                   "SELECT 1 FROM voxloom_cases WHERE queue = ? AND case_key = ? AND token = ? "
                   "AND state = 'done'",
                   {name_, claim.key, claim.token})
                  .rows.empty();
      return;
    }
    // The row is locked by the update: nobody can take the case before the commit.
    if (publish) publish();
  });
  return held;
}

Queue::Failed Queue::fail(const CaseClaim& claim, const std::string& message) {
  Failed outcome = Failed::kNotOurs;
  const bool last = claim.attempt >= claim.max_attempts;
  database_->transaction([&](Transaction& t) {
    const bool held =
        t.run("UPDATE voxloom_cases SET state = ?, end_ms = ?, message = ?" + std::string(kHeld),
              {state_text(last ? CaseState::kFailed : CaseState::kWaiting),
               t.now_ms(),
               message.substr(0, kMaxMessageBytes),
               name_,
               claim.key,
               claim.token})
            .changed == 1;
    if (held) outcome = last ? Failed::kForGood : Failed::kWillRetry;
  });
  return outcome;
}

bool Queue::release(const CaseClaim& claim) {
  return database_
             ->run(
                 "UPDATE voxloom_cases SET state = 'waiting', token = NULL, attempts = attempts "
                 "- 1, start_ms = NULL" +
                     std::string(kHeld),
                 {name_, claim.key, claim.token})
             .changed == 1;
}

QueueCounts Queue::counts() {
  QueueCounts counts;
  database_->transaction([&](Transaction& t) {
    bury_lost(t);
    counts = {};
    const auto rows =
        t.run("SELECT state, COUNT(*) FROM voxloom_cases WHERE queue = ? GROUP BY state", {name_})
            .rows;
    for (const auto& row : rows) {
      const std::string state = row.text(0);
      if (state == "waiting") counts.waiting = row.integer(1);
      if (state == "running") counts.running = row.integer(1);
      if (state == "done") counts.done = row.integer(1);
      if (state == "failed") counts.failed = row.integer(1);
    }
  });
  return counts;
}

std::vector<CaseInfo> Queue::list(CaseState state, int64_t limit) {
  std::vector<CaseInfo> list;
  const auto rows = database_
                        ->query(
                            "SELECT case_key, worker, message, attempts, start_ms, end_ms FROM "
                            "voxloom_cases WHERE queue = ? AND state = ? ORDER BY position, "
                            "case_key LIMIT ?",
                            {name_, state_text(state), limit})
                        .rows;
  for (const auto& row : rows) {
    list.push_back({.key = row.text(0),
                    .worker = row.text(1),
                    .message = row.text(2),
                    .state = state,
                    .attempts = row.integer(3),
                    .start_ms = row.integer(4),
                    .end_ms = row.integer(5)});
  }
  return list;
}

int64_t Queue::retry_failed() {
  return database_
      ->run(
          "UPDATE voxloom_cases SET state = 'waiting', attempts = 0, token = NULL WHERE queue = "
          "? AND state = 'failed'",
          {name_})
      .changed;
}

void Queue::retry_case(const std::string& key) {
  database_->transaction([&](Transaction& t) {
    const auto rows =
        t.run("SELECT state FROM voxloom_cases WHERE queue = ? AND case_key = ?", {name_, key})
            .rows;
    VOXLOOM_CHECK(
        !rows.empty(), ErrorCode::kNotFound, "queue '{}': case '{}' does not exist", name_, key);
    const bool free = t.run(
                           "UPDATE voxloom_cases SET redo = CASE WHEN state = 'done' THEN 1 ELSE "
                           "redo END, state = 'waiting', attempts = 0, token = NULL WHERE queue "
                           "= ? AND case_key = ? AND state <> 'running'",
                           {name_, key})
                          .changed == 1;
    VOXLOOM_CHECK(
        free, ErrorCode::kUnavailable, "queue '{}': case '{}' is being worked on", name_, key);
  });
}

}  // namespace voxloom::jobs
