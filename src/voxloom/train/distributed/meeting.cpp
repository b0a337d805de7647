#include "voxloom/train/distributed/meeting.h"

#include <cerrno>
#include <cstring>
#include <thread>

#include <netdb.h>
#include <nlohmann/json.hpp>
#include <sys/socket.h>
#include <unistd.h>

#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "voxloom/core/error.h"

namespace voxloom::train {
namespace {

using nlohmann::ordered_json;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;
using Bytes = std::vector<uint8_t>;

constexpr milliseconds kLook{50};

Bytes to_bytes(const std::string& text) {
  return {text.begin(), text.end()};
}

std::string to_text(const Bytes& bytes) {
  return {bytes.begin(), bytes.end()};
}

bool is_loopback(const std::string& host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

/// A listening socket: on the loopback address where that is where ranks meet, else on all.
int listen_at(const std::string& host, uint16_t port) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* list = nullptr;
  const char* name = is_loopback(host) ? host.c_str() : nullptr;
  const int code = ::getaddrinfo(name, std::to_string(port).c_str(), &hints, &list);
  VOXLOOM_CHECK(code == 0,
                ErrorCode::kUnavailable,
                "distributed: MASTER_ADDR must name rank 0's machine, got '{}' ({})",
                host,
                ::gai_strerror(code));
  int failed = 0, fd = -1;
  for (const addrinfo* item = list; item != nullptr && fd < 0; item = item->ai_next) {
    fd = ::socket(item->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    // A run that is started again need not wait for the connections of the old one to expire.
    if (fd >= 0) ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (fd < 0 || ::bind(fd, item->ai_addr, item->ai_addrlen) != 0 || ::listen(fd, 1024) != 0) {
      failed = errno;
      if (fd >= 0) ::close(fd);
      fd = -1;
    }
  }
  ::freeaddrinfo(list);
  VOXLOOM_CHECK(fd >= 0,
                ErrorCode::kUnavailable,
                "distributed: port {} must be free on rank 0's machine, got: {}",
                port,
                std::strerror(failed));
  return fd;
}

c10::intrusive_ptr<c10d::TCPStore> connect(const RankInfo& place, milliseconds limit, bool server) {
  c10d::TCPStoreOptions options;
  options.port = place.master_port;
  options.isServer = server;
  options.waitWorkers = false;
  options.timeout = limit;
  // The plain server takes over a socket.
  options.useLibUV = false;
  if (server) options.masterListenFd = listen_at(place.master_host, place.master_port);
  try {
    return c10::make_intrusive<c10d::TCPStore>(place.master_host, options);
  } catch (const std::exception& e) {
    throw Error(ErrorCode::kUnavailable,
                format("distributed: rank 0 must answer at {}:{} within {} s, got: {}",
                       place.master_host,
                       place.master_port,
                       std::chrono::duration<double>(limit).count(),
                       first_line(e)));
  }
}

std::string settings_key(int64_t rank) {
  return format("settings/{}", rank);
}

/// The ranks that have not come within the limit.
std::vector<int64_t> missing_ranks(c10d::Store& store, int64_t size, milliseconds limit) {
  const auto end = Clock::now() + limit;
  std::vector<int64_t> missing;
  for (int64_t r = 0; r < size; ++r) missing.push_back(r);
  for (;;) {
    std::erase_if(missing, [&](int64_t r) { return store.check({settings_key(r)}); });
    if (missing.empty() || Clock::now() >= end) return missing;
    std::this_thread::sleep_for(kLook);
  }
}

NoticeBoard make_board(c10::intrusive_ptr<c10d::Store> store) {
  return {.put = [store](const std::string& key,
                         const std::string& text) { store->set(key, to_bytes(text)); },
          .put_first =
              [store](const std::string& key, const std::string& text) {
                return to_text(store->compareSet(key, {}, to_bytes(text)));
              },
          .has = [store](const std::string& key) { return store->check({key}); },
          .get =
              [store](const std::vector<std::string>& keys) {
                std::vector<std::string> texts;
                for (const Bytes& bytes : store->multiGet(keys)) texts.push_back(to_text(bytes));
                return texts;
              }};
}

/// Rank 0 holds the store, so it waits until the others have read it.
void compare_settings(c10d::Store& store, const RankInfo& place, const ordered_json& own) {
  std::vector<ordered_json> all;
  for (int64_t r = 0; r < place.world_size; ++r) {
    all.push_back(r == place.rank ? own : ordered_json::parse(to_text(store.get(settings_key(r)))));
  }
  store.add("compared", 1);
  const std::string different = setting_differences(all);
  if (different.empty()) return;
  const auto end = Clock::now() + std::chrono::seconds(5);
  while (place.rank == 0 && Clock::now() < end && store.add("compared", 0) < place.world_size) {
    std::this_thread::sleep_for(kLook);
  }
  throw Error(ErrorCode::kInvalidArgument,
              format("distributed: all ranks must run with the same options, got {}", different));
}

}  // namespace

std::string first_line(const std::exception& e) {
  std::string text = e.what();
  if (const auto* c10 = dynamic_cast<const c10::Error*>(&e)) text = c10->what_without_backtrace();
  return text.substr(0, text.find('\n'));
}

std::string setting_differences(const std::vector<ordered_json>& settings) {
  std::string list;
  const auto note = [&](const std::string& key, size_t rank, const ordered_json* other) {
    const auto& first = settings[0];
    list += format("{}{} is {} at rank 0 and {} at rank {}",
                   list.empty() ? "" : "; ",
                   key,
                   first.contains(key) ? first.at(key).dump() : "missing",
                   other != nullptr ? other->dump() : "missing",
                   rank);
  };
  for (size_t r = 1; r < settings.size(); ++r) {
    for (const auto& [key, value] : settings[0].items()) {
      const bool has = settings[r].contains(key);
      if (!has || settings[r].at(key) != value) note(key, r, has ? &settings[r].at(key) : nullptr);
    }
    for (const auto& [key, value] : settings[r].items()) {
      if (!settings[0].contains(key)) note(key, r, &value);
    }
  }
  return list;
}

Meeting meet(const RankInfo& place, milliseconds limit, const ordered_json& settings) {
  Meeting meeting;
  meeting.store = connect(place, limit, place.rank == 0);
  std::vector<int64_t> missing;
  try {
    meeting.store->set(
        settings_key(place.rank),
        to_bytes(settings.dump(-1, ' ', false, ordered_json::error_handler_t::replace)));
    missing = missing_ranks(*meeting.store, place.world_size, limit);
    if (missing.empty()) {
      compare_settings(*meeting.store, place, settings);
      meeting.board = make_board(connect(place, limit, false));
      // Present before anyone looks for signs of life.
      meeting.board.put(format("alive/{}", place.rank), "0");
      const auto end = Clock::now() + limit;
      meeting.store->add("ready", 1);
      while (meeting.store->add("ready", 0) < place.world_size && Clock::now() < end) {
        std::this_thread::sleep_for(kLook);
      }
    }
  } catch (const c10::Error& e) {
    throw Error(ErrorCode::kUnavailable,
                format("distributed: rank 0 left before all ranks had met at {}:{} ({})",
                       place.master_host,
                       place.master_port,
                       first_line(e)));
  }
  std::string names;
  for (const int64_t r : missing) names += format("{}{}", names.empty() ? "" : ", ", r);
  VOXLOOM_CHECK(missing.empty(),
                ErrorCode::kUnavailable,
                "distributed: all {} ranks must come to {}:{} within {} s, got {}; missing: {} {}",
                place.world_size,
                place.master_host,
                place.master_port,
                std::chrono::duration<double>(limit).count(),
                place.world_size - static_cast<int64_t>(missing.size()),
                missing.size() == 1 ? "rank" : "ranks",
                names);
  return meeting;
}

}  // namespace voxloom::train
