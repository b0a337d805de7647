// Turns, cancelling, sessions, memory and prefetch, with a model that waits when told to.
#include <gmock/gmock.h>

#include "interactive_fixtures.h"

namespace voxloom::serve {
namespace {

using testing::Background;
using ::testing::ElementsAre;
using testing::FakeService;
using testing::grid_of;
using testing::wait_until;

TEST(InferServiceTest, ANewerClickCancelsTheOlderOne) {
  FakeService fake;
  fake.state->hold = true;
  Background older(*fake.service, fake.task("one", "image:a", 1));
  fake.state->wait_entered(1);
  Background waiting(*fake.service, fake.task("one", "image:a", 2));
  older.join();  // ends although the model holds
  fake.state->wait_entered(2);
  Background newest(*fake.service, fake.task("one", "image:a", 3));
  waiting.join();
  fake.state->release();
  newest.join();
  EXPECT_EQ(older.code, ErrorCode::kCancelled);
  EXPECT_EQ(waiting.code, ErrorCode::kCancelled);
  ASSERT_TRUE(newest.outcome);
  const auto stats = fake.service->stats();
  EXPECT_EQ(stats.runs, 1U);
  EXPECT_EQ(stats.cancelled, 2U);
  EXPECT_EQ(stats.sessions, 1) << "the session is usable after a cancelled run";
  EXPECT_EQ(stats.session_hits, 2U);
}

TEST(InferServiceTest, OtherImagesModelsAndClientsAreNotCancelled) {
  FakeService fake;
  fake.state->hold = true;
  Background first(*fake.service, fake.task("one", "image:a", 1));
  fake.state->wait_entered(1);
  Background image(*fake.service, fake.task("one", "image:b", 2));
  Background client(*fake.service, fake.task("two", "image:a", 3));
  wait_until([&] { return fake.service->stats().waiting == 2; });
  fake.state->release();
  for (auto* task : {&first, &image, &client}) {
    task->join();
    EXPECT_TRUE(task->outcome);
  }
}

TEST(InferServiceTest, AClientThatWentAwayStopsItsRunAndItsPlaceInTheQueue) {
  FakeService fake;
  fake.state->hold = true;
  const auto gone = fake.task("one", "image:a", 1), gone_too = fake.task("two", "image:a", 2);
  Background running(*fake.service, gone);
  fake.state->wait_entered(1);
  Background waiting(*fake.service, gone_too);
  wait_until([&] { return fake.service->stats().waiting == 1; });
  gone_too.stop.cancel();
  waiting.join();
  EXPECT_EQ(waiting.code, ErrorCode::kCancelled);
  gone.stop.cancel();
  running.join();
  EXPECT_EQ(running.code, ErrorCode::kCancelled);
  EXPECT_THAT(fake.state->order, ElementsAre("run 1"));
}

TEST(InferServiceTest, ClientsAreServedInTurn) {
  FakeService fake;
  fake.state->hold = true;
  std::vector<std::unique_ptr<Background>> all;
  const auto add = [&](const std::string& client, const std::string& image, int64_t x) {
    const auto before = fake.service->stats().waiting;
    all.push_back(std::make_unique<Background>(*fake.service, fake.task(client, image, x)));
    if (x == 10) {
      fake.state->wait_entered(1);
    } else {
      wait_until([&] { return fake.service->stats().waiting == before + 1; });
    }
  };
  // One client asks for five images before the other asks for two.
  add("busy", "image:a", 10);
  add("busy", "image:b", 11);
  add("busy", "image:c", 12);
  add("busy", "image:d", 13);
  add("calm", "image:a", 20);
  add("calm", "image:b", 21);
  fake.state->release();
  for (auto& task : all) task->join();
  EXPECT_THAT(fake.state->order,
              ElementsAre("run 10", "run 11", "run 20", "run 12", "run 21", "run 13"));
}

TEST(InferServiceTest, BackgroundWorkGivesWayAndIsBegunAnew) {
  FakeService fake;
  std::atomic<int> begun{0};
  std::thread scorer([&] {
    fake.service->run_in_background(fake.task("scorer", "image:a", 1),
                                    [&](infer::Segmenter&,
                                        const std::shared_ptr<image::VolumeSource>&,
                                        const CancelToken& stop) {
                                      if (++begun > 1) return;
                                      for (;;) {  // until a client comes
                                        stop.check();
                                        std::this_thread::sleep_for(std::chrono::milliseconds(1));
                                      }
                                    });
  });
  wait_until([&] { return begun == 1; });
  const auto outcome = fake.service->run(fake.task("one", "image:b", 2));
  EXPECT_TRUE(outcome.mask);
  scorer.join();
  EXPECT_EQ(begun, 2);
  EXPECT_EQ(fake.service->stats().cancelled, 0U);
}

TEST(InferServiceTest, OneSessionPerClientImageAndLabelOneVolumePerImageOneModel) {
  FakeService fake;
  const auto run = [&](const std::string& client, const std::string& image, const char* label) {
    auto task = fake.task(client, image, 1);
    task.params["label"] = label;
    static_cast<void>(fake.service->run(task));
  };
  run("one", "image:a", "liver");
  run("one", "image:a", "spleen");
  run("two", "image:a", "liver");
  run("one", "image:a", "liver");
  run("one", "image:b", "liver");
  const auto stats = fake.service->stats();
  EXPECT_EQ(stats.sessions, 4);
  EXPECT_EQ(stats.session_hits, 1U);
  EXPECT_EQ(stats.session_misses, 4U);
  EXPECT_EQ(fake.opened, 2);
  EXPECT_EQ(fake.state->loaded, 1);
}

TEST(InferServiceTest, MemoryStaysBelowTheBudgetAndFlatOverManyRuns) {
  // An image has 32 KiB, a session 1 MiB, the features of all 16 MiB: three fit into 20 MiB.
  FakeService fake(20);
  for (int i = 0; i < 200; ++i) {
    const auto outcome = fake.service->run(fake.task("one", "image:" + std::to_string(i % 23), 1));
    std::filesystem::remove(*outcome.mask);
    EXPECT_LE(fake.service->stats().memory_bytes, int64_t{20} << 20);
    EXPECT_LE(fake.state->sessions, 3);
  }
  const auto stats = fake.service->stats();
  EXPECT_EQ(stats.runs, 200U);
  EXPECT_EQ(stats.sessions, 3);
  EXPECT_EQ(stats.waiting, 0);
  EXPECT_TRUE(std::filesystem::is_empty(fake.folder.path()));
}

TEST(InferServiceTest, TheLongestUnusedSessionGoesFirst) {
  FakeService fake(20);  // three sessions
  for (const char* image : {"image:a", "image:b", "image:c", "image:a", "image:d"}) {
    static_cast<void>(fake.service->run(fake.task("one", image, 1)));
  }
  const auto before = fake.service->stats();
  EXPECT_EQ(before.sessions, 3);
  static_cast<void>(fake.service->run(fake.task("one", "image:a", 1)));
  EXPECT_EQ(fake.service->stats().session_hits, before.session_hits + 1) << "a was used again";
  static_cast<void>(fake.service->run(fake.task("one", "image:b", 1)));
  EXPECT_EQ(fake.service->stats().session_misses, before.session_misses + 1) << "b was not";
}

/// Counts the most slices that were asked for at once.
class SlabSource final : public image::VolumeSource {
 public:
  SlabSource(const image::Geometry& g, std::atomic<int64_t>& largest)
      : source_(image::make_source(image::Volume(g, image::PixelType::kUint8))),
        largest_(largest) {}
  const image::Geometry& geometry() const override { return source_->geometry(); }
  image::PixelType type() const override { return source_->type(); }
  image::Volume read_slab(int64_t z0, int64_t z1) override {
    largest_ = std::max<int64_t>(largest_, z1 - z0);
    ++reads;
    return source_->read_slab(z0, z1);
  }
  std::atomic<int> reads{0};

 private:
  std::unique_ptr<image::VolumeSource> source_;
  std::atomic<int64_t>& largest_;
};

TEST(InferServiceTest, AVolumeLargerThanTheBudgetIsReadInSlabs) {
  FakeService fake(36);  // the volume has 20 MiB, session and features 17
  std::atomic<int64_t> largest{0};
  auto task = fake.task("one", "image:large", 1);
  task.open = [&largest]() -> std::shared_ptr<image::VolumeSource> {
    return std::make_shared<SlabSource>(grid_of(512, 512, 80), largest);
  };
  fake.service->prefetch(task);
  wait_until([&] { return fake.service->stats().prefetched == 1; });
  ASSERT_TRUE(fake.service->run(task).mask);
  EXPECT_EQ(largest, 1) << "nobody asked for more than a slice at a time";
}

TEST(InferServiceTest, APrefetchedImageIsReadyForAnyClientAndLabel) {
  FakeService fake;
  fake.service->prefetch(fake.task("", "image:a", 1));
  wait_until([&] { return fake.service->stats().prefetched == 1; });
  EXPECT_THAT(fake.state->warmed, ElementsAre(4, 3, 5, 2, 6, 1, 7, 0));
  auto task = fake.task("one", "image:a", 1);
  task.params["label"] = "liver";
  static_cast<void>(fake.service->run(task));
  static_cast<void>(fake.service->run(fake.task("one", "image:b", 1)));
  const auto stats = fake.service->stats();
  EXPECT_EQ(stats.prefetch_hits, 1U);
  EXPECT_EQ(stats.prefetch_misses, 1U);
  EXPECT_EQ(stats.sessions, 2);
  EXPECT_EQ(fake.opened, 2);
}

TEST(InferServiceTest, AClickInterruptsThePrefetchWhichGoesOnLater) {
  FakeService fake;
  fake.state->hold = true;
  fake.service->prefetch(fake.task("", "image:next", 1));
  fake.state->wait_entered(1);  // the first slice, and the model holds
  Background click(*fake.service, fake.task("one", "image:a", 1));
  fake.state->wait_entered(2);
  EXPECT_EQ(fake.service->stats().prefetched, 0U);
  fake.state->release();
  click.join();
  ASSERT_TRUE(click.outcome);
  wait_until([&] { return fake.service->stats().prefetched == 1; });
  EXPECT_EQ(fake.opened, 2) << "the image is not read again";
}

TEST(InferServiceTest, PrefetchTakesNoRoomFromTheSessionsInUse) {
  FakeService fake(19);  // two sessions
  static_cast<void>(fake.service->run(fake.task("one", "image:a", 1)));
  static_cast<void>(fake.service->run(fake.task("two", "image:b", 1)));
  fake.service->prefetch(fake.task("one", "image:c", 1));
  static_cast<void>(fake.service->run(fake.task("one", "image:a", 1)));
  static_cast<void>(fake.service->run(fake.task("two", "image:b", 1)));
  EXPECT_EQ(fake.service->stats().session_hits, 2U);
}

TEST(InferServiceTest, AForgottenImageIsOpenedAgain) {
  FakeService fake;
  static_cast<void>(fake.service->run(fake.task("one", "image:a", 1)));
  fake.service->forget("image:a");
  static_cast<void>(fake.service->run(fake.task("one", "image:a", 1)));
  EXPECT_EQ(fake.opened, 2);
  EXPECT_EQ(fake.service->stats().sessions, 1);
}

TEST(InferServiceTest, AWithdrawnModelIsUnknownUntilItIsRenewed) {
  FakeService fake;
  auto& service = *fake.service;
  static_cast<void>(service.run(fake.task("one", "image:a", 1)));
  const auto before = service.models_revision();
  service.withdraw_model("fake");
  EXPECT_TRUE(service.models().empty());
  EXPECT_EQ(service.find("fake"), nullptr);
  EXPECT_NE(service.find_known("fake"), nullptr);
  EXPECT_NE(service.models_revision(), before);
  const auto code_of = [](const std::function<void()>& call) -> std::optional<ErrorCode> {
    try {
      call();
    } catch (const Error& e) {
      return e.code();
    }
    return std::nullopt;
  };
  const auto task = fake.task("one", "image:a", 1);
  EXPECT_EQ(code_of([&] { static_cast<void>(service.run(task)); }), ErrorCode::kNotFound);
  EXPECT_EQ(code_of([&] { service.prefetch(task); }), ErrorCode::kNotFound);
  EXPECT_EQ(code_of([&] { service.withdraw_model("none"); }), ErrorCode::kNotFound);
  wait_until([&] { return fake.state->sessions == 0; });
  const auto withdrawn = service.models_revision();
  service.renew_model("fake");
  EXPECT_NE(service.models_revision(), withdrawn);
  EXPECT_EQ(service.models().size(), 1U);
  EXPECT_TRUE(service.run(task).mask);
  EXPECT_EQ(fake.state->loaded, 2) << "the weights may be others";
}

TEST(InferServiceTest, WhatWaitsForAWithdrawnModelIsToldAndWhatRunsEnds) {
  FakeService fake;
  fake.state->hold = true;
  Background running(*fake.service, fake.task("one", "image:a", 1));
  fake.state->wait_entered(1);
  Background waiting(*fake.service, fake.task("two", "image:a", 1));
  wait_until([&] { return fake.service->stats().waiting == 1; });
  fake.service->withdraw_model("fake");
  fake.state->release();
  running.join();
  waiting.join();
  EXPECT_TRUE(running.outcome);
  EXPECT_EQ(waiting.code, ErrorCode::kNotFound);
}

TEST(InferServiceTest, FailuresReachTheCallerAndLeaveTheServiceUsable) {
  FakeService fake;
  auto unreadable = fake.task("one", "image:a", 1);
  unreadable.open = []() -> std::shared_ptr<image::VolumeSource> {
    throw Error(ErrorCode::kDataCorrupt, "broken");
  };
  auto strange = fake.task("one", "image:b", 1);
  strange.open = []() -> std::shared_ptr<image::VolumeSource> { throw 42; };
  auto unknown = fake.task("one", "image:a", 1);
  unknown.model = "other";
  auto scribbles = fake.task("one", "image:a", 1);
  scribbles.label_file = fake.folder / "label.nrrd";
  const auto code_of = [&](const InferTask& task) -> std::optional<ErrorCode> {
    try {
      static_cast<void>(fake.service->run(task));
    } catch (const Error& e) {
      return e.code();
    }
    return std::nullopt;
  };
  EXPECT_EQ(code_of(unreadable), ErrorCode::kDataCorrupt);
  EXPECT_EQ(code_of(strange), ErrorCode::kInternal);
  EXPECT_EQ(code_of(unknown), ErrorCode::kNotFound);
  EXPECT_EQ(code_of(scribbles), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of(fake.task("one", "image:a", 1)), std::nullopt);
  EXPECT_EQ(fake.service->stats().failed, 3U);
}

TEST(InferServiceTest, ClosingEndsWhatRunsAndWhatWaits) {
  FakeService fake;
  fake.state->hold = true;
  Background running(*fake.service, fake.task("one", "image:a", 1));
  fake.state->wait_entered(1);
  Background waiting(*fake.service, fake.task("two", "image:a", 1));
  fake.service->prefetch(fake.task("one", "image:b", 1));
  wait_until([&] { return fake.service->stats().waiting == 1; });
  fake.service.reset();
  running.join();
  waiting.join();
  EXPECT_EQ(running.code, ErrorCode::kCancelled);
  EXPECT_EQ(waiting.code, ErrorCode::kCancelled);
  EXPECT_EQ(fake.state->sessions, 0);
}

TEST(InferServiceTest, WantsABudget) {
  InferServiceOptions options;
  options.memory_mb = 0;
  EXPECT_THROW(InferService({}, options), Error);
}

TEST(InferServiceTest, ManyClientsAtOnce) {
  FakeService fake(64);
  std::vector<std::thread> clients;
  std::atomic<int> answered{0}, cancelled{0};
  for (int c = 0; c < 6; ++c) {
    clients.emplace_back([&, c] {
      for (int i = 0; i < 20; ++i) {
        const auto image = "image:" + std::to_string((i + c) % 5);
        try {
          // Pairs of clients share a name, so that they cancel each other now and then.
          auto task = fake.task("client" + std::to_string(c / 2), image, i);
          if (i % 5 == 0) fake.service->prefetch(task);
          if (i % 7 == 0) fake.service->forget(image);
          static_cast<void>(fake.service->run(task));
          ++answered;
        } catch (const Error& e) {
          EXPECT_EQ(e.code(), ErrorCode::kCancelled) << e.what();
          ++cancelled;
        }
        static_cast<void>(fake.service->stats());
      }
    });
  }
  for (auto& client : clients) client.join();
  EXPECT_EQ(answered + cancelled, 120);
  EXPECT_FALSE(fake.state->overlapped);
  const auto stats = fake.service->stats();
  EXPECT_EQ(stats.runs, static_cast<uint64_t>(answered.load()));
  EXPECT_EQ(stats.cancelled, static_cast<uint64_t>(cancelled.load()));
}

}  // namespace
}  // namespace voxloom::serve
