#pragma once

#include <chrono>
#include <exception>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include <torch/csrc/distributed/c10d/Store.hpp>

#include "voxloom/core/rank_environment.h"
#include "voxloom/train/distributed/liveness.h"

namespace voxloom::train {

/// The store of key and value that rank 0 holds, when all ranks have come.
struct Meeting {
  c10::intrusive_ptr<c10d::Store> store;
  NoticeBoard board;  ///< On a connection of its own.
};

/// Comes to the meeting place, waits for all ranks and compares their settings. Throws as
/// join_ranks() says. Rank 0 listens on loopback only where the place is a loopback address.
[[nodiscard]] Meeting meet(const RankInfo& place,
                           std::chrono::milliseconds limit,
                           const nlohmann::ordered_json& settings);

/// What differs between the ranks' settings, rank 0's first; empty: nothing. "lr is 0.1 at rank 0
/// and 0.2 at rank 1; ..."
[[nodiscard]] std::string setting_differences(const std::vector<nlohmann::ordered_json>& settings);

/// What an error of libtorch says, without its stack.
[[nodiscard]] std::string first_line(const std::exception& e);

}  // namespace voxloom::train
