#pragma once

#include <string>

#include <gtest/gtest.h>

#include "voxloom/jobs/database.h"

namespace voxloom::jobs {

/// The URL of an empty database for one test. Each of the test programs has its own kind. Empty
/// where that kind can't be had; `reason` then says why.
std::string fresh_database_url(std::string& reason);

/// A test with an empty database.
class DatabaseFixture : public testing::Test {
 protected:
  void SetUp() override {
    std::string reason;
    url_ = fresh_database_url(reason);
    if (url_.empty()) GTEST_SKIP() << reason;
    database_ = open_database(url_);
  }
  std::string url_;
  std::shared_ptr<Database> database_;
};

}  // namespace voxloom::jobs
