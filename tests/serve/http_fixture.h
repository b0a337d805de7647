#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include <gtest/gtest.h>
#include <unistd.h>

#include "voxloom/serve/http/server.h"

#include "tests/serve/raw_client.h"

namespace voxloom::serve::http {

/// Set once, waited for; a wait that lasts a minute fails.
class Event {
 public:
  void set() {
    const std::lock_guard lock(mutex_);
    set_ = true;
    changed_.notify_all();
  }
  bool wait() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(60), [&] { return set_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool set_ = false;
};

/// Asks again and again, for up to a minute.
inline bool eventually(const std::function<bool()>& holds) {
  for (int i = 0; i < 6000; ++i) {
    if (holds()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

class HttpTest : public testing::Test {
 protected:
  HttpTest() {
    static std::atomic<int> count{0};
    folder_ = std::filesystem::temp_directory_path() /
              ("voxloom_http_" + std::to_string(::getpid()) + "_" + std::to_string(count++));
    std::filesystem::create_directories(folder_);
    options_.port = 0;
    options_.spool = folder_ / "spool";
  }
  ~HttpTest() override {
    server_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  Route& add(std::string method, std::string pattern, Handler handler, Work work = Work::kPool) {
    Route route;
    route.method = std::move(method);
    route.pattern = std::move(pattern);
    route.handler = std::move(handler);
    route.work = work;
    routes_.push_back(std::move(route));
    return routes_.back();
  }

  void start() {
    Router router;
    for (Route& route : routes_) router.add(std::move(route));
    server_ = std::make_unique<Server>(
        options_, std::move(router), authoriser_, [this](const Finished& finished) {
          const std::lock_guard lock(mutex_);
          finished_.push_back(finished);
        });
    server_->start();
  }

  RawAnswer ask(std::string_view bytes) {
    RawClient client(server_->port());
    return client.ask(bytes);
  }

  std::filesystem::path write_file(const std::string& name, std::string_view content) {
    const std::filesystem::path path = folder_ / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << content;
    return path;
  }

  size_t spooled() const {
    std::error_code ec;
    size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(options_.spool, ec)) {
      static_cast<void>(entry);
      ++count;
    }
    return count;
  }

  std::vector<Finished> finished() {
    const std::lock_guard lock(mutex_);
    return finished_;
  }

  std::filesystem::path folder_;
  ServerOptions options_;
  std::vector<Route> routes_;
  Authoriser authoriser_;
  std::unique_ptr<Server> server_;

 private:
  std::mutex mutex_;
  std::vector<Finished> finished_;
};

}  // namespace voxloom::serve::http
