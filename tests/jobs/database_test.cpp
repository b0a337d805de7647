#include "voxloom/jobs/database.h"

#include <filesystem>
#include <fstream>
#include <thread>

#include <gmock/gmock.h>

#include "backend.h"

using namespace voxloom;        // NOLINT(*-using-namespace)
using namespace voxloom::jobs;  // NOLINT(*-using-namespace)
using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

class SqliteTest : public DatabaseFixture {};

TEST_F(SqliteTest, KeepsAWriteAheadLogAndSyncsEveryCommit) {
  EXPECT_EQ(database_->run("SELECT * FROM pragma_journal_mode").rows.at(0).text(0), "wal");
  EXPECT_EQ(database_->run("SELECT * FROM pragma_synchronous").rows.at(0).integer(0), 2);
}

TEST_F(SqliteTest, AnExceptionRollsBack) {
  EXPECT_THROW(database_->transaction([](Transaction& t) {
    t.run("INSERT INTO voxloom_queues VALUES ('q', '{}', 3, 0)");
    throw std::runtime_error("changed my mind");
  }),
               std::runtime_error);
  EXPECT_TRUE(database_->run("SELECT * FROM voxloom_queues").rows.empty());
  database_->run("INSERT INTO voxloom_queues VALUES ('q', '{}', 3, 0)");
}

TEST_F(SqliteTest, GivesUpAfterItsPatienceNamingTheDatabase) {
  auto other = open_database(url_);
  other->set_patience(0ms);
  other->run("PRAGMA busy_timeout=1");
  database_->transaction([&](Transaction&) {
    try {
      other->run("INSERT INTO voxloom_queues VALUES ('q', '{}', 3, 0)");
      ADD_FAILURE() << "the database is locked";
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::kUnavailable);
      EXPECT_THAT(e.what(), HasSubstr(url_));
    }
  });
}

TEST_F(SqliteTest, ReadersDoNotWaitForAWriter) {
  auto other = open_database(url_);
  other->set_patience(0ms);
  other->query("PRAGMA busy_timeout=1");
  database_->transaction([&](Transaction& t) {
    t.run("INSERT INTO voxloom_queues VALUES ('q', '{}', 3, 0)");
    EXPECT_TRUE(other->query("SELECT * FROM voxloom_queues").rows.empty());
  });
  EXPECT_EQ(other->query("SELECT * FROM voxloom_queues").rows.size(), 1U);
}

TEST_F(SqliteTest, ABusyDatabaseIsTriedAgain) {
  std::atomic<bool> held{false}, done{false};
  std::thread holder([&] {
    database_->transaction([&](Transaction&) {
      held = true;
      while (!done) std::this_thread::sleep_for(1ms);
    });
  });
  while (!held) std::this_thread::sleep_for(1ms);
  std::thread writer([&] {
    auto second = open_database(url_);
    second->run("INSERT INTO voxloom_queues VALUES ('q', '{}', 3, 0)");
  });
  done = true;
  holder.join();
  writer.join();
  EXPECT_EQ(database_->run("SELECT * FROM voxloom_queues").rows.size(), 1U);
}

TEST_F(SqliteTest, TablesOfANewerVersionAreRefused) {
  database_->run("UPDATE voxloom_schema SET version = 99");
  try {
    static_cast<void>(open_database(url_));
    FAIL() << "version 99 is not known";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kUnsupported);
    EXPECT_THAT(e.what(), HasSubstr("version 99"));
  }
}

TEST_F(SqliteTest, AFileThatIsNoDatabaseIsRefused) {
  const auto file = std::filesystem::path(testing::TempDir()) / "no_database";
  std::ofstream(file) << std::string(4096, 'x');
  try {
    static_cast<void>(open_database("sqlite:" + file.string()));
    FAIL() << "it is no database";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kDataCorrupt) << e.what();
  }
}

TEST(DatabaseUrlTest, OtherUrlsAreRefusedWithoutShowingThem) {
  for (const char* url : {"mysql://me:secret@host/db", "sqlite:", "", "queue.sqlite"}) {
    try {
      static_cast<void>(open_database(url));
      ADD_FAILURE() << url;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::kInvalidArgument) << url;
      EXPECT_THAT(e.what(), Not(HasSubstr("secret")));
    }
  }
}

TEST(DatabaseUrlTest, PasswordsAreNotShown) {
  EXPECT_EQ(shown_url("postgresql://me:secret@host:99/work?sslmode=require"),
            "postgresql://me@host:99/work");
  EXPECT_EQ(shown_url("postgresql://me@host/work?password=secret"), "postgresql://me@host/work");
  EXPECT_EQ(shown_url("sqlite:/a/b"), "sqlite:/a/b");
  try {
    static_cast<void>(shown_url("postgresql://me:secret@ho st:x/%zz"));
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), Not(HasSubstr("secret")));
  }
}

TEST(DatabaseUrlTest, AFolderThatDoesNotExistIsUnavailable) {
  try {
    static_cast<void>(open_database("sqlite:/nonexistent/x.sqlite"));
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kUnavailable);
    EXPECT_THAT(e.what(), HasSubstr("/nonexistent/x.sqlite"));
  }
}
