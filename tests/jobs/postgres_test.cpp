// What only PostgreSQL can show: a server that goes away, and passwords in URLs.
#include <chrono>
#include <thread>

#include <gmock/gmock.h>

#include "voxloom/jobs/queue.h"

#include "backend.h"
#include "postgres_cluster.h"

using namespace voxloom;        // NOLINT(*-using-namespace)
using namespace voxloom::jobs;  // NOLINT(*-using-namespace)
using namespace std::chrono_literals;

class PostgresTest : public DatabaseFixture {};

TEST_F(PostgresTest, ConnectsAgainAfterTheServerWentAway) {
  auto queue = Queue::create(database_, "q", Json::object());
  queue.add(std::vector<QueueCase>{{"a", Json::object()}});
  const auto claim = queue.claim("w", 60s);
  ASSERT_TRUE(claim);
  std::thread server([] { postgres_cluster().restart(); });
  server.join();
  EXPECT_TRUE(queue.extend(*claim, 60s));
  EXPECT_TRUE(queue.finish(*claim));
  EXPECT_EQ(queue.counts().done, 1);
}

TEST_F(PostgresTest, ASessionThatTheServerEndsIsReplaced) {
  const auto pid = database_->run("SELECT pg_backend_pid()").rows.at(0).integer(0);
  auto other = open_database(url_);
  other->run("SELECT pg_terminate_backend(CAST(? AS INTEGER))", {pid});
  EXPECT_NE(database_->run("SELECT pg_backend_pid()").rows.at(0).integer(0), pid);
}

TEST_F(PostgresTest, GivesUpAfterItsPatienceAndNamesNoPassword) {
  const std::string gone = "postgresql://me:secret@/work?host=/nonexistent&port=5999";
  try {
    static_cast<void>(open_database(gone));
    FAIL() << "there is no server";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kUnavailable);
    EXPECT_THAT(e.what(), testing::HasSubstr("postgresql://me@/nonexistent:5999/work"));
    EXPECT_THAT(e.what(), testing::Not(testing::HasSubstr("secret")));
  }
}

TEST_F(PostgresTest, ManyProgramsMayMakeTheTablesAtOnce) {
  // The fixture made the tables; a fresh schema has none.
  std::string reason;
  for (int round = 0; round < 3; ++round) {
    const std::string url = fresh_database_url(reason);
    std::vector<std::thread> threads;
    std::atomic<int> opened{0};
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        static_cast<void>(open_database(url));
        ++opened;
      });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(opened, 4);
  }
}

TEST_F(PostgresTest, TextNumbersAndNullsComeBackAsTheyWere) {
  const auto row = database_
                       ->run(
                           "SELECT CAST(? AS BIGINT), CAST(? AS DOUBLE PRECISION), ?, CAST(? "
                           "AS TEXT), '?'",
                           {int64_t{-5}, 0.1, std::string("it's \"one\"\n\xc3\xa4"), {}})
                       .rows.at(0);
  EXPECT_EQ(row.integer(0), -5);
  EXPECT_EQ(row.number(1), 0.1);
  EXPECT_EQ(row.text(2), "it's \"one\"\n\xc3\xa4");
  EXPECT_TRUE(row.is_null(3));
  EXPECT_EQ(row.text(4), "?");
}
