// c10d's Gloo behind the Communicator.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <thread>

#include <arpa/inet.h>
#include <netdb.h>
#include <nlohmann/json.hpp>
#include <sys/socket.h>
#include <unistd.h>

// libtorch's package says so to CMake only.
#ifndef USE_C10D_GLOO
#define USE_C10D_GLOO
#endif
#include <c10/util/Logging.h>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "voxloom/core/error.h"
#include "voxloom/core/log.h"
#include "voxloom/train/distributed/communicator.h"
#include "voxloom/train/distributed/liveness.h"
#include "voxloom/train/distributed/meeting.h"

namespace voxloom::train {
namespace {

using std::chrono::milliseconds;

// Liveness ends a wait for a rank that is gone; this ends one for a rank that lives and is stuck.
constexpr auto kStuck = std::chrono::hours(6);
constexpr milliseconds kLook{250};
constexpr int kFatalOnly = 3;  // of libtorch's log levels

milliseconds to_ms(double seconds) {
  return milliseconds(static_cast<int64_t>(seconds * 1000.0));
}

/// The numeric address under which `host` sees this machine. No packet is sent.
std::string address_towards(const std::string& host, uint16_t port) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* list = nullptr;
  const int code = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
  VOXLOOM_CHECK(code == 0,
                ErrorCode::kUnavailable,
                "distributed: MASTER_ADDR must name a machine, got '{}' ({})",
                host,
                ::gai_strerror(code));
  std::string found;
  for (const addrinfo* item = list; item != nullptr && found.empty(); item = item->ai_next) {
    const int fd = ::socket(item->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_storage own = {};
    socklen_t size = sizeof own;
    char text[NI_MAXHOST] = {};
    if (fd >= 0 && ::connect(fd, item->ai_addr, item->ai_addrlen) == 0 &&
        ::getsockname(fd, reinterpret_cast<sockaddr*>(&own), &size) == 0 &&
        ::getnameinfo(reinterpret_cast<sockaddr*>(&own),
                      size,
                      text,
                      sizeof text,
                      nullptr,
                      0,
                      NI_NUMERICHOST) == 0) {
      found = text;
    }
    if (fd >= 0) ::close(fd);
  }
  ::freeaddrinfo(list);
  VOXLOOM_CHECK(!found.empty(),
                ErrorCode::kUnavailable,
                "distributed: there must be a way to MASTER_ADDR '{}', got none",
                host);
  return found;
}

c10::intrusive_ptr<c10d::Backend> make_group(const c10::intrusive_ptr<c10d::Store>& store,
                                             const char* name,
                                             const RankInfo& place,
                                             const JoinOptions& options) {
  auto gloo = c10d::ProcessGroupGloo::Options::create(to_ms(options.join_timeout_s));
  gloo->devices.push_back(c10d::ProcessGroupGloo::createDeviceForHostname(
      address_towards(place.master_host, place.master_port)));
  gloo->threads = 1;  // Collectives run in the order they were started in.
  c10::intrusive_ptr<c10d::Backend> group = c10::make_intrusive<c10d::ProcessGroupGloo>(
      c10::make_intrusive<c10d::PrefixStore>(name, store),
      static_cast<int>(place.rank),
      static_cast<int>(place.world_size),
      gloo);
  group->setTimeout(kStuck);
  return group;
}

class GlooCommunicator final : public Communicator {
 public:
  GlooCommunicator(const RankInfo& place, const JoinOptions& options, Meeting meeting)
      : place_(place), store_(std::move(meeting.store)) {
    gradients_ = make_group(store_, "gradients", place, options);
    small_ = make_group(store_, "small", place, options);
    liveness_ = std::make_unique<Liveness>(
        std::move(meeting.board),
        Liveness::Options{
            .rank = place.rank, .size = place.world_size, .silence = to_ms(options.silence_s)});
  }

  ~GlooCommunicator() override {
    // The board goes with rank 0: the others are to read it to the end.
    if (place_.rank == 0) {
      liveness_->wait_for_others(failed_ ? std::chrono::seconds(5) : std::chrono::seconds(20));
    }
    liveness_.reset();
    if (!failed_) return;
    // A collective may be under way that will never end; its thread can't be joined.
    static_cast<void>(gradients_.release());
    static_cast<void>(small_.release());
    static_cast<void>(store_.release());
  }

  [[nodiscard]] int64_t rank() const override { return place_.rank; }
  [[nodiscard]] int64_t size() const override { return place_.world_size; }

  [[nodiscard]] std::unique_ptr<PendingSum> start_sum(const at::Tensor& tensor) override {
    return std::make_unique<Pending>(*this, start([&] {
      std::vector<at::Tensor> list{tensor};
      return gradients_->allreduce(list);
    }));
  }

  void sum(const at::Tensor& tensor) override {
    wait(start([&] {
      std::vector<at::Tensor> list{tensor};
      return small_->allreduce(list);
    }));
  }

  [[nodiscard]] std::vector<std::string> gather(const std::string& text) override {
    // Texts are short as a rule: one exchange of blocks of equal size; longer ones take a second.
    constexpr int64_t kBlock = 2048;
    int64_t longest = 0;
    std::vector<std::string> texts = gather_blocks(text, kBlock, longest);
    if (longest > kBlock) texts = gather_blocks(text, longest, longest);
    return texts;
  }

  void broadcast(const at::Tensor& bytes) override {
    wait(start([&] {
      std::vector<at::Tensor> list{bytes};
      return small_->broadcast(list);
    }));
  }

  void leave_with(const std::string& error) noexcept override {
    failed_ = true;
    try {
      // libtorch's errors bring a stack along.
      liveness_->report(
          format("rank {} stopped: {}", place_.rank, error.substr(0, error.find('\n'))));
    } catch (const std::exception& e) {
      VOXLOOM_LOG_WARN("distributed: the others could not be told: {}", e.what());
    }
  }

 private:
  using WorkPtr = c10::intrusive_ptr<c10d::Work>;

  class Pending final : public PendingSum {
   public:
    Pending(GlooCommunicator& owner, WorkPtr work) : owner_(owner), work_(std::move(work)) {}
    void wait() override { owner_.wait(work_); }

   private:
    GlooCommunicator& owner_;
    WorkPtr work_;
  };

  template <class Start>
  WorkPtr start(Start&& begin) {
    try {
      return begin();
    } catch (const std::exception& e) {
      fail(first_line(e));
    }
  }

  /// Until it is done, or a rank is known to be gone.
  void wait(const WorkPtr& work) {
    for (;;) {
      try {
        work->wait(kLook);
        return;
      } catch (const std::exception& e) {
        // It may have ended, well or not, between the two.
        if (work->isCompleted() && work->exception() != nullptr) fail(first_line(e));
      }
      if (const auto trouble = liveness_->trouble()) {
        failed_ = true;
        throw Error(ErrorCode::kUnavailable, "distributed: " + *trouble);
      }
    }
  }

  [[noreturn]] void fail(const std::string& what) {
    failed_ = true;
    const auto lost = liveness_->find_lost();
    throw Error(ErrorCode::kUnavailable,
                lost ? format("distributed: {}", *lost)
                     : format("distributed: a connection to another rank broke: {}", what));
  }

  std::vector<std::string> gather_blocks(const std::string& text, int64_t block, int64_t& longest) {
    const auto own = static_cast<int64_t>(text.size());
    constexpr int64_t kHead = sizeof own;
    std::vector<at::Tensor> mine{at::zeros({kHead + block}, at::kByte)};
    auto* bytes = mine[0].mutable_data_ptr<uint8_t>();
    std::memcpy(bytes, &own, sizeof own);
    std::memcpy(bytes + kHead, text.data(), static_cast<size_t>(std::min(own, block)));
    std::vector<std::vector<at::Tensor>> all(1);
    for (int64_t r = 0; r < size(); ++r) all[0].push_back(at::empty_like(mine[0]));
    wait(start([&] { return small_->allgather(all, mine); }));
    std::vector<std::string> texts;
    longest = 0;
    for (const at::Tensor& one : all[0]) {
      const auto* from = one.const_data_ptr<uint8_t>();
      int64_t length = 0;
      std::memcpy(&length, from, sizeof length);
      longest = std::max(longest, length);
      texts.emplace_back(reinterpret_cast<const char*>(from + kHead),
                         static_cast<size_t>(std::min(length, block)));
    }
    return texts;
  }

  RankInfo place_;
  c10::intrusive_ptr<c10d::Store> store_;
  c10::intrusive_ptr<c10d::Backend> gradients_, small_;
  std::unique_ptr<Liveness> liveness_;
  bool failed_ = false;
};

}  // namespace

std::unique_ptr<Communicator> join_ranks(const RankInfo& place,
                                         const JoinOptions& options,
                                         const nlohmann::ordered_json& settings) {
  // c10d logs what it throws, with a stack; our errors say it.
  if (std::getenv("TORCH_CPP_LOG_LEVEL") == nullptr) FLAGS_caffe2_log_level = kFatalOnly;
  Meeting meeting = meet(place, to_ms(options.join_timeout_s), settings);
  try {
    auto ranks = std::make_unique<GlooCommunicator>(place, options, std::move(meeting));
    VOXLOOM_LOG_INFO("distributed: rank {} of {}, met at {}:{}",
                     place.rank,
                     place.world_size,
                     place.master_host,
                     place.master_port);
    return ranks;
  } catch (const Error&) {
    throw;
  } catch (const std::exception& e) {
    throw Error(ErrorCode::kUnavailable,
                format("distributed: rank {} must be able to connect to all others, got: {}",
                       place.rank,
                       first_line(e)));
  }
}

}  // namespace voxloom::train
