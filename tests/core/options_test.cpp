#include "voxloom/core/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "voxloom/core/error.h"

using namespace voxloom;  // NOLINT(*-using-namespace)
using nlohmann::ordered_json;
using testing::HasSubstr;
using testing::ThrowsMessage;

namespace {

enum class Mode { kFast, kExact };

struct Settings {
  bool flag = false;
  int64_t count = 3;
  double ratio = 0.5;
  std::string text = "a";
  std::vector<std::string> list;
  Mode mode = Mode::kFast;

  void visit(OptionList& options) {
    options.option("--flag", flag, "A flag.");
    options.option("--count", count, "A count.").with_range(0, 10);
    options.option("--ratio", ratio, "A ratio.");
    options.option("--some-text", text, "A text.");
    options.option("--list", list, "A list.");
    options.choice("--mode", mode, {"fast", "exact"}, "A choice.");
  }
};

}  // namespace

TEST(OptionsTest, JsonRoundTripKeepsEveryValue) {
  Settings a{.flag = true,
             .count = 7,
             .ratio = 0.1,
             .text = "b c",
             .list = {"x", "y"},
             .mode = Mode::kExact};
  OptionList out;
  a.visit(out);
  Settings b;
  OptionList in;
  b.visit(in);
  in.read_json(out.to_json(), "config");
  EXPECT_TRUE(b.flag);
  EXPECT_EQ(b.count, 7);
  EXPECT_EQ(b.ratio, 0.1);
  EXPECT_EQ(b.text, "b c");
  EXPECT_EQ(b.list, (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(b.mode, Mode::kExact);
}

TEST(OptionsTest, ReferencesStayValidWhileTheListGrows) {
  std::string text = "a";
  std::vector<int64_t> counts(1000);
  OptionList list;
  OptionSpec& first = list.option("--some-text", text, "A text.");
  for (size_t i = 0; i < counts.size(); ++i) {
    list.option(format("--count-{}", i), counts[i], "A count.");
  }
  EXPECT_EQ(&first, list.find("some_text"));
  EXPECT_EQ(&first, &list.specs().front());
  first.with_choices({"a", "b"}).as_speed_only();
  EXPECT_TRUE(list.specs().front().speed_only);
  EXPECT_THROW(list.find("--some-text")->set({"c"}), Error);
  list.find("--some-text")->set({"b"});
  EXPECT_EQ(text, "b");
}

TEST(OptionsTest, NamesEveryUnknownSettingAtOnce) {
  Settings s;
  OptionList list;
  s.visit(list);
  EXPECT_THAT(
      [&] {
        list.read_json(ordered_json{{"cuont", 1}, {"rato", 2}}, "config 'c.yaml'");
      },
      ThrowsMessage<Error>(HasSubstr("unknown settings cuont, rato; known are flag, count")));
}

TEST(OptionsTest, RefusesValuesOutOfRangeOrOfTheWrongKind) {
  Settings s;
  OptionList list;
  s.visit(list);
  EXPECT_THAT([&] { list.find("--count")->set({"11"}); },
              ThrowsMessage<Error>(HasSubstr("--count: must lie within [0, 10], got 11")));
  EXPECT_THAT([&] { list.find("--count")->set({"2.5"}); },
              ThrowsMessage<Error>(HasSubstr("must be a whole number, got '2.5'")));
  EXPECT_THAT([&] { list.find("mode")->set({"slow"}); },
              ThrowsMessage<Error>(HasSubstr("must be one of fast, exact, got 'slow'")));
  EXPECT_EQ(s.count, 3);
}
