#include "voxloom/core/parallel.h"

#include <atomic>
#include <vector>

#include <gtest/gtest.h>

#include "voxloom/core/error.h"

using namespace voxloom;  // NOLINT(*-using-namespace)

TEST(ParallelForTest, VisitsEveryItemOnce) {
  std::vector<std::atomic<int>> seen(1001);
  parallel_for(0, 1001, 7, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) seen[static_cast<size_t>(i)]++;
  });
  for (const auto& count : seen) EXPECT_EQ(count.load(), 1);
}

TEST(ParallelForTest, PassesExceptionsOn) {
  EXPECT_THROW(
      parallel_for(0, 100, 1, [](int64_t, int64_t) { throw Error(ErrorCode::kInternal, "stop"); }),
      Error);
}

TEST(ThreadBudgetTest, RefusesANegativeNumber) {
  EXPECT_THROW(set_thread_budget(-1), Error);
  set_thread_budget(1);
  EXPECT_EQ(thread_budget(), 1);
  set_thread_budget(0);
  EXPECT_GE(thread_budget(), 1);
}
