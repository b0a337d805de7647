// Which image comes next: built-in strategies, image keys, marks of other clients, external
// commands, and the answer that clients get.
#include <algorithm>
#include <fstream>
#include <map>
#include <set>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "voxloom/serve/sampling/sampler.h"

#include "memory_datastore.h"

using namespace voxloom;         // NOLINT(*-using-namespace)
using namespace voxloom::serve;  // NOLINT(*-using-namespace)
using testing_store::MemoryDatastore;
using testing_store::TemporaryFolder;

namespace {

/// Calls fn and returns the error it must throw.
template <class Fn>
Error error_of(Fn&& fn) {
  try {
    fn();
  } catch (const Error& e) {
    return e;
  }
  ADD_FAILURE() << "no error was thrown";
  return {ErrorCode::kInternal, ""};
}

class SamplerTest : public testing::Test {
 protected:
  SamplerTest() {
    for (const char* id : {"a", "b", "c"}) store_.put(id, std::string("/images/") + id + ".nrrd");
  }

  Sampler make(const std::vector<std::string>& commands = {}, int64_t timeout_ms = 10000) {
    return Sampler(options(commands, timeout_ms));
  }
  SamplerOptions options(const std::vector<std::string>& commands, int64_t timeout_ms) {
    SamplerOptions options;
    options.seed = 5;
    options.now_s = [this] { return now_; };
    for (const auto& text : commands) {
      options.commands.push_back(parse_external_command(text));
      options.commands.back().limits.timeout_ms = timeout_ms;
    }
    return options;
  }
  Json next(Sampler& sampler, const std::string& strategy, const std::string& client) {
    return sampler.next_sample(
        store_, strategy, Json{{"client_id", client}}, "", nullptr, CancelToken());
  }
  /// A program that runs `text` under sh.
  std::string script(const std::string& name, const std::string& text) {
    const auto file = folder_ / name;
    std::ofstream(file) << "#!/bin/sh\n" << text << "\n";
    std::filesystem::permissions(file, std::filesystem::perms::owner_all);
    return file.string();
  }

  MemoryDatastore store_;
  TemporaryFolder folder_;
  int64_t now_ = 1700000000;
};

}  // namespace

TEST_F(SamplerTest, TheAnswerHasIdPathNameChecksumInfoAndTheMark) {
  store_.put("b", "/images/b.nrrd", {{"ts", 7}, {"name", "scan b.nrrd"}, {"dice", 0.5}});
  store_.put_label("a", "final");
  auto sampler = make();
  const auto answer = sampler.next_sample(
      store_,
      "first",
      nullptr,
      "anna",
      [](const std::string& id, const std::filesystem::path&) { return "SHA256:" + id; },
      CancelToken());
  EXPECT_EQ(
      answer.dump(),
      R"({"id":"b","path":"/images/b.nrrd","name":"scan b.nrrd","checksum":"SHA256:b","ts":7,)"
      R"("dice":0.5,"strategy":{"first":{"ts":1700000000,"client_id":"anna"}}})");
  EXPECT_EQ(store_.find("b")->info["strategy"]["first"]["client_id"], "anna");
}

TEST_F(SamplerTest, FirstAndLastGoByIdAndSkipCompletedImages) {
  auto sampler = make();
  EXPECT_EQ(next(sampler, "first", "x")["id"], "a");
  EXPECT_EQ(next(sampler, "last", "x")["id"], "c");
  store_.put_label("a", "final");
  store_.put_label("c", "original");
  EXPECT_EQ(next(sampler, "first", "x")["id"], "b");
  EXPECT_EQ(next(sampler, "last", "x")["id"], "c");
}

TEST_F(SamplerTest, NothingLeftIsAnEmptyObjectForEveryStrategy) {
  for (const char* id : {"a", "b", "c"}) store_.put_label(id, "final");
  auto sampler = make();
  for (const char* name : {"random", "first", "last"}) {
    EXPECT_EQ(next(sampler, name, "x").dump(), "{}") << name;
  }
  EXPECT_EQ(store_.info_writes(), 0);
}

TEST_F(SamplerTest, RandomAnswersAlsoWhenAllWereServedThisSecond) {
  auto sampler = make();
  std::map<std::string, int> seen;
  for (int i = 0; i < 60; ++i) {
    const auto answer = next(sampler, "random", "x");
    ASSERT_TRUE(answer.contains("id")) << i;
    ++seen[answer["id"]];
    if (i >= 3) {
      EXPECT_EQ(answer["weight"], 0) << "all three were served in this second";
    }
  }
  EXPECT_EQ(seen.size(), 3U) << "equal weights: every image as likely";
}

TEST_F(SamplerTest, RandomPrefersWhatWasNotServedLately) {
  auto sampler = make();
  std::set<std::string> first_three;
  for (int i = 0; i < 3; ++i) first_three.insert(next(sampler, "random", "x")["id"]);
  EXPECT_EQ(first_three.size(), 3U);
  store_.update_image_info("b", {{"strategy", {{"random", {{"ts", now_ - 1000000}}}}}});
  now_ += 1;
  const auto answer = next(sampler, "random", "x");
  EXPECT_EQ(answer["id"], "b");
  EXPECT_EQ(answer["weight"], 1000001) << "the weight of the chosen image";
}

TEST_F(SamplerTest, OddTimeStampsInTheIndexDoNoHarm) {
  store_.update_image_info("a", {{"strategy", {{"random", {{"ts", "soon"}}}}}});
  store_.update_image_info("b", {{"strategy", 5}});
  store_.update_image_info("c", {{"strategy", {{"random", {{"ts", 1e300}, {"client_id", 3}}}}}});
  auto sampler = make();
  for (const char* name : {"random", "first", "last"}) {
    EXPECT_TRUE(next(sampler, name, "x").contains("id")) << name;
  }
}

TEST_F(SamplerTest, ImagesThatOthersHaveAreLeftOutUntilTheTimeIsOver) {
  auto sampler = make();
  EXPECT_EQ(next(sampler, "first", "anna")["id"], "a");
  EXPECT_EQ(next(sampler, "first", "bert")["id"], "b");
  EXPECT_EQ(next(sampler, "last", "carl")["id"], "c");
  EXPECT_EQ(next(sampler, "first", "anna")["id"], "a") << "her own image again";
  // All are taken: better one that somebody has than none.
  EXPECT_EQ(next(sampler, "last", "dora")["id"], "c");
  now_ += 3599;
  EXPECT_EQ(next(sampler, "first", "emil")["id"], "a") << "all are taken still";
  now_ += 1;
  EXPECT_EQ(next(sampler, "first", "fritz")["id"], "b") << "a is emil's, b is free again";
}

TEST_F(SamplerTest, ClientsThatAskAtOnceGetDifferentImages) {
  for (int i = 0; i < 40; ++i) store_.put("n" + std::to_string(100 + i), "/images/n.nrrd");
  auto sampler = make();
  std::vector<std::string> got(16);
  std::vector<std::thread> clients;
  for (size_t i = 0; i < got.size(); ++i) {
    clients.emplace_back([&, i] {
      got[i] = next(sampler, i % 2 == 0 ? "first" : "random", "client" + std::to_string(i))["id"];
    });
  }
  for (auto& client : clients) client.join();
  EXPECT_EQ(std::set<std::string>(got.begin(), got.end()).size(), got.size());
}

TEST_F(SamplerTest, EveryUnlabelledImageHasAKeyThatShowsItsFile) {
  store_.put_label("b", "final");
  auto sampler = make();
  const auto info = sampler.info(store_);
  std::vector<std::string> keys;
  for (const auto& [key, value] : info->items()) keys.push_back(key);
  EXPECT_THAT(keys, testing::ElementsAre("random", "first", "last", "img_0000", "img_0001"));
  EXPECT_EQ((*info)["img_0000"]["description"], "Image: a.nrrd");
  EXPECT_EQ((*info)["img_0001"]["description"], "Image: c.nrrd");
  EXPECT_EQ(next(sampler, "img_0001", "x")["id"], "c");
}

TEST_F(SamplerTest, KeysStayWithTheirImageWhenImagesComeAndGo) {
  auto sampler = make();
  static_cast<void>(sampler.info(store_));
  store_.put("aa", "/images/aa.nrrd");
  store_.remove_image("a");
  const auto info = sampler.info(store_);
  EXPECT_FALSE(info->contains("img_0000"));
  EXPECT_EQ((*info)["img_0001"]["description"], "Image: b.nrrd");
  EXPECT_EQ((*info)["img_0003"]["description"], "Image: aa.nrrd");
  EXPECT_EQ(next(sampler, "img_0003", "x")["id"], "aa");
  const auto gone = error_of([&] { next(sampler, "img_0000", "x"); });
  EXPECT_EQ(gone.code(), ErrorCode::kNotFound);
  EXPECT_THAT(gone.what(), testing::HasSubstr("was removed"));
  store_.put("a", "/images/a.nrrd");
  EXPECT_EQ((*sampler.info(store_))["img_0000"]["description"], "Image: a.nrrd");
  // A completed image is listed no more, but still to be had by who asks for exactly it.
  store_.put_label("b", "final");
  EXPECT_FALSE(sampler.info(store_)->contains("img_0001"));
  EXPECT_EQ(next(sampler, "img_0001", "x")["id"], "b");
}

TEST_F(SamplerTest, AKeyServesATakenImageAndSaysWhoHasIt) {
  auto sampler = make();
  next(sampler, "first", "anna");
  const auto answer = next(sampler, "img_0000", "bert");
  EXPECT_EQ(answer["id"], "a");
  EXPECT_EQ(answer["taken_by"]["client_id"], "anna");
  EXPECT_EQ(answer["strategy"]["img_0000"]["client_id"], "bert");
  EXPECT_EQ(answer["strategy"]["first"]["client_id"], "anna") << "other marks stay";
}

TEST_F(SamplerTest, InfoIsMadeAnewOnlyWhenSomethingChanged) {
  auto sampler = make();
  const auto first = sampler.info(store_);
  EXPECT_EQ(sampler.info(store_), first);
  const auto revision = sampler.revision(store_);
  store_.put("d", "/images/d.nrrd");
  EXPECT_NE(sampler.revision(store_), revision);
  EXPECT_NE(sampler.info(store_), first);
}

TEST_F(SamplerTest, AnUnknownStrategyIsNotFoundAndTheKnownOnesAreNamed) {
  auto sampler = make();
  for (const char* name : {"nothing", "img_0003", "img_00000", "img_", ""}) {
    const auto error = error_of([&] { next(sampler, name, "x"); });
    EXPECT_EQ(error.code(), ErrorCode::kNotFound) << name;
    EXPECT_THAT(error.what(), testing::HasSubstr("random, first, last")) << name;
  }
  EXPECT_EQ(store_.info_writes(), 0);
}

TEST_F(SamplerTest, ABodyOfAnotherKindIsRefused) {
  auto sampler = make();
  for (const auto& body : {Json::array(), Json("text"), Json{{"client_id", 5}}}) {
    const auto error = error_of(
        [&] { return sampler.next_sample(store_, "first", body, "", nullptr, CancelToken()); });
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument) << body;
  }
}

TEST_F(SamplerTest, ACommandGetsAllImagesAndChoosesOne) {
  store_.put_label("a", "final");
  const auto input = (folder_ / "input.json").string();
  auto sampler =
      make({"mine=" + script("s", "cat > '" + input + R"('; echo '{"id": "b", "score": 0.25}')")});
  const auto answer = next(sampler, "mine", "anna");
  EXPECT_EQ(answer["id"], "b");
  EXPECT_EQ(answer["score"], 0.25);
  EXPECT_EQ(answer["strategy"]["mine"]["client_id"], "anna");
  const auto seen = Json::parse(std::ifstream(input));
  EXPECT_EQ(seen["strategy"], "mine");
  EXPECT_EQ(seen["request"]["client_id"], "anna");
  ASSERT_EQ(seen["images"].size(), 3U);
  EXPECT_EQ(seen["images"][0].dump(),
            R"({"id":"a","info":{"ts":1,"name":"a.nrrd"},"labels":{"final":{"ts":2}}})");
  EXPECT_TRUE(sampler.info(store_)->contains("mine"));
}

TEST_F(SamplerTest, ACommandIsNoShellLine) {
  const auto program = script("args", R"(printf '{"id": "a", "got": "%s|%s|%s"}' "$1" "$2" "$#")");
  auto sampler = make({"mine='" + program + "' \"two words\" $HOME;true"});
  EXPECT_EQ(next(sampler, "mine", "x")["got"], "two words|$HOME;true|2");
}

TEST_F(SamplerTest, ACommandThatKnowsNoneLeftGivesAnEmptyObject) {
  auto sampler =
      make({"none=" + script("n", "echo '{\"id\": null}'"), "empty=" + script("e", "echo '{}'")});
  EXPECT_EQ(next(sampler, "none", "x").dump(), "{}");
  EXPECT_EQ(next(sampler, "empty", "x").dump(), "{}");
}

TEST_F(SamplerTest, ACommandThatIsSlowIsKilledWithWhatItStarted) {
  const auto trace = folder_ / "trace";
  auto sampler =
      make({"slow=" + script("slow", "(sleep 2; echo late > '" + trace.string() + "') & sleep 30")},
           300);
  const auto error = error_of([&] { next(sampler, "slow", "x"); });
  EXPECT_EQ(error.code(), ErrorCode::kUnavailable);
  EXPECT_THAT(error.what(), testing::HasSubstr("strategy 'slow': command: must end within 0.3 s"));
  std::this_thread::sleep_for(std::chrono::milliseconds(2300));
  EXPECT_FALSE(std::filesystem::exists(trace)) << "its child lived on";
}

TEST_F(SamplerTest, ACommandOfAClientThatWentAwayIsStopped) {
  auto sampler = make({"slow=" + script("slow", "sleep 30")});
  const CancelToken stop;
  stop.cancel();
  const auto error = error_of(
      [&] { return sampler.next_sample(store_, "slow", Json::object(), "", nullptr, stop); });
  EXPECT_EQ(error.code(), ErrorCode::kCancelled);
}

TEST_F(SamplerTest, WhatIsWrongWithACommandIsSaid) {
  struct Row {
    std::string text;
    ErrorCode code;
    std::string message;
  };
  const std::vector<Row> rows{
      {"exit 3", ErrorCode::kUnavailable, "must exit with status 0, got 3"},
      {"kill -SEGV $$", ErrorCode::kUnavailable, "must exit by itself, got signal 11"},
      {"echo hello", ErrorCode::kDataCorrupt, "must be one JSON object, got 6 bytes"},
      {"true", ErrorCode::kDataCorrupt, "must be one JSON object, got 0 bytes"},
      {"echo '[1]'", ErrorCode::kDataCorrupt, "must be one JSON object, got array"},
      {"echo '{\"id\": 5}'", ErrorCode::kDataCorrupt, "'id' in its output must be a text"},
      {"echo '{\"id\": \"zzz\"}'", ErrorCode::kUnavailable, "must be one of the datastore"},
      {"yes | head -c 2000000", ErrorCode::kUnavailable, "must have at most 1048576 bytes"},
  };
  for (size_t i = 0; i < rows.size(); ++i) {
    auto sampler = make({"bad=" + script("bad" + std::to_string(i), rows[i].text)});
    const auto error = error_of([&] { next(sampler, "bad", "x"); });
    EXPECT_EQ(error.code(), rows[i].code) << rows[i].text;
    EXPECT_THAT(error.what(), testing::HasSubstr(rows[i].message)) << rows[i].text;
    EXPECT_THAT(error.what(), testing::HasSubstr("strategy 'bad'")) << rows[i].text;
  }
  auto sampler = make({"gone=/no/such/program"});
  EXPECT_EQ(error_of([&] { next(sampler, "gone", "x"); }).code(), ErrorCode::kNotFound);
  EXPECT_EQ(store_.info_writes(), 0) << "nothing was marked";
}

TEST_F(SamplerTest, ACommandThatReadsNothingOfALongInputDoesNoHarm) {
  for (int i = 0; i < 3000; ++i) {
    store_.put("n" + std::to_string(i), {}, {{"text", std::string(100, 'x')}});
  }
  auto sampler = make({"blind=" + script("blind", "echo '{\"id\": \"a\"}'")});
  EXPECT_EQ(next(sampler, "blind", "x")["id"], "a");
}

TEST_F(SamplerTest, OthersAreServedWhileACommandRuns) {
  const auto go = folder_ / "go";
  auto sampler = make({"slow=" + script("slow",
                                        "while [ ! -e '" + go.string() +
                                            "' ]; do sleep 0.05; done; echo '{\"id\": "
                                            "\"b\"}'")});
  std::string got;
  std::thread waiting([&] { got = next(sampler, "slow", "anna")["id"]; });
  EXPECT_EQ(next(sampler, "first", "bert")["id"], "a");
  std::ofstream(go) << "now";
  waiting.join();
  EXPECT_EQ(got, "b");
}

TEST(ExternalCommandTest, BadNamesAndLinesAreRefused) {
  for (const char* text :
       {"", "name", "=cmd", "a b=cmd", "a/b=cmd", "n=", "n=  ", "n='open", "n=''"}) {
    EXPECT_EQ(error_of([&] { static_cast<void>(parse_external_command(text)); }).code(),
              ErrorCode::kInvalidArgument)
        << text;
  }
  SamplerOptions options;
  options.commands = {parse_external_command("first=true")};
  EXPECT_EQ(error_of([&] { const Sampler sampler(options); }).code(), ErrorCode::kInvalidArgument);
  options.commands = {parse_external_command("img_0001=true")};
  EXPECT_EQ(error_of([&] { const Sampler sampler(options); }).code(), ErrorCode::kInvalidArgument);
}

TEST(ExternalCommandTest, WordsKeepBlanksInQuotes) {
  EXPECT_THAT(split_command("  a 'b c' \"d 'e'\" f\\g ''"),
              testing::ElementsAre("a", "b c", "d 'e'", "f\\g", ""));
}

TEST(ExternalCommandTest, OnlyPlainValuesOfAnAnswerGoOn) {
  const auto choice = parse_external_answer(
      R"({"id": "x", "score": 1.5, "why": "text", "ok": true, "list": [1], "none": null})");
  ASSERT_TRUE(choice);
  EXPECT_EQ(choice->extra.dump(), R"({"score":1.5,"why":"text","ok":true})");
}
