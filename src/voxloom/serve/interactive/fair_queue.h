#pragma once

#include <algorithm>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace voxloom::serve {

/// Clients in turn, the tasks of one client in their order. Not thread-safe.
template <class Task>
class FairQueue {
 public:
  void push(const std::string& client, Task task) {
    const auto lane = std::find_if(
        lanes_.begin(), lanes_.end(), [&](const Lane& l) { return l.client == client; });
    if (lane != lanes_.end()) {
      lane->tasks.push_back(std::move(task));
      return;
    }
    lanes_.push_back({client, {}});
    lanes_.back().tasks.push_back(std::move(task));
  }

  /// The first task of the client whose turn it is; its next one waits for all other clients.
  std::optional<Task> pop() {
    if (lanes_.empty()) return std::nullopt;
    Lane lane = std::move(lanes_.front());
    lanes_.pop_front();
    Task task = std::move(lane.tasks.front());
    lane.tasks.pop_front();
    if (!lane.tasks.empty()) lanes_.push_back(std::move(lane));
    return task;
  }

  /// Takes out every task for which `matches` is true, and returns them.
  template <class Matches>
  std::vector<Task> take(Matches matches) {
    std::vector<Task> taken;
    for (auto& lane : lanes_) {
      std::deque<Task> kept;
      for (auto& task : lane.tasks) {
        if (matches(task)) {
          taken.push_back(std::move(task));
        } else {
          kept.push_back(std::move(task));
        }
      }
      lane.tasks = std::move(kept);
    }
    std::erase_if(lanes_, [](const Lane& lane) { return lane.tasks.empty(); });
    return taken;
  }

  [[nodiscard]] bool empty() const { return lanes_.empty(); }
  [[nodiscard]] size_t size() const {
    size_t count = 0;
    for (const auto& lane : lanes_) count += lane.tasks.size();
    return count;
  }

 private:
  struct Lane {
    std::string client;
    std::deque<Task> tasks;  ///< Never empty.
  };
  std::deque<Lane> lanes_;  ///< The next client first.
};

}  // namespace voxloom::serve
