// A build without VOXLOOM_DISTRIBUTED.
#include <nlohmann/json.hpp>

#include "voxloom/core/error.h"
#include "voxloom/train/distributed/communicator.h"

namespace voxloom::train {

std::unique_ptr<Communicator> join_ranks(const RankInfo& place,
                                         const JoinOptions& /*options*/,
                                         const nlohmann::ordered_json& /*settings*/) {
  throw Error(ErrorCode::kUnsupported,
              format("distributed: this build trains in one process (VOXLOOM_DISTRIBUTED is off), "
                     "got rank {} of {}",
                     place.rank,
                     place.world_size));
}

}  // namespace voxloom::train
