#include "voxloom/core/utf8.h"

#include <string>

#include <gtest/gtest.h>

using namespace std::string_literals;  // NOLINT(*-using-namespace)
using namespace voxloom;               // NOLINT(*-using-namespace)

TEST(Utf8Test, AcceptsOnlyWellFormedText) {
  for (const std::string& good :
       {"abc"s, "\xc3\xbc"s, "\xe2\x82\xac"s, "\xf0\x9f\x98\x80"s, "\x00"s, ""s}) {
    EXPECT_TRUE(is_utf8(good)) << testing::PrintToString(good);
  }
  for (const std::string& bad : {"\x80"s,
                                 "\xc3"s,
                                 "\xc0\x80"s,
                                 "\xe0\x80\x80"s,
                                 "\xed\xa0\x80"s,
                                 "\xf0\x80\x80\x80"s,
                                 "\xf4\x90\x80\x80"s,
                                 "\xff"s,
                                 "a\xe2\x82"s}) {
    EXPECT_FALSE(is_utf8(bad)) << testing::PrintToString(bad);
  }
}
