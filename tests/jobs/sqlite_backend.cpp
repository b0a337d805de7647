#include <filesystem>

#include <unistd.h>

#include "backend.h"

namespace voxloom::jobs {

std::string fresh_database_url(std::string&) {
  namespace fs = std::filesystem;
  const auto* info = testing::UnitTest::GetInstance()->current_test_info();
  const fs::path folder = fs::path(testing::TempDir()) /
                          (std::string("jobs-") + info->test_suite_name() + "-" + info->name());
  fs::remove_all(folder);
  fs::create_directories(folder);
  return "sqlite:" + (folder / "jobs.sqlite").string();
}

}  // namespace voxloom::jobs
