#include "voxloom/train/distributed/communicator.h"

#include <algorithm>
#include <cstring>

#include <nlohmann/json.hpp>

#include "voxloom/core/error.h"
#include "voxloom/core/sha256.h"
#include "voxloom/train/run.h"

namespace voxloom::train {
namespace {

/// All values of the tensors, one behind the other.
at::Tensor packed(const NamedTensors& tensors) {
  int64_t bytes = 0;
  for (const auto& [name, tensor] : tensors) bytes += static_cast<int64_t>(tensor.nbytes());
  at::Tensor out = at::empty({bytes}, at::kByte);
  auto* to = out.mutable_data_ptr<uint8_t>();
  for (const auto& [name, tensor] : tensors) {
    const at::Tensor flat = tensor.detach().cpu().contiguous();
    std::memcpy(to, flat.const_data_ptr(), flat.nbytes());
    to += flat.nbytes();
  }
  return out;
}

}  // namespace

std::unique_ptr<Communicator> join_from_environment(const JoinOptions& options,
                                                    const RunInfo& info) {
  const auto place = rank_from_environment();
  if (!place) return nullptr;
  nlohmann::ordered_json settings{{"version", info.version},
                                  {"data_fingerprint", info.data_fingerprint}};
  for (const auto& [key, value] : info.options.items()) {
    const auto& free = info.speed_only;
    if (std::find(free.begin(), free.end(), key) == free.end()) settings[key] = value;
  }
  return join_ranks(*place, options, settings);
}

std::string broadcast_text(Communicator& ranks, const std::string& text) {
  at::Tensor size = at::zeros({8}, at::kByte);
  auto bytes = static_cast<int64_t>(text.size());
  std::memcpy(size.mutable_data_ptr(), &bytes, sizeof bytes);
  ranks.broadcast(size);
  std::memcpy(&bytes, size.const_data_ptr(), sizeof bytes);
  at::Tensor content = at::zeros({std::max<int64_t>(1, bytes)}, at::kByte);
  if (ranks.rank() == 0) std::memcpy(content.mutable_data_ptr(), text.data(), text.size());
  ranks.broadcast(content);
  return {static_cast<const char*>(content.const_data_ptr()), static_cast<size_t>(bytes)};
}

void broadcast_tensors(Communicator& ranks, const NamedTensors& tensors) {
  if (tensors.empty()) return;
  const torch::NoGradGuard no_grad;
  const at::Tensor all = packed(tensors);
  ranks.broadcast(all);
  if (ranks.rank() == 0) return;
  const auto* from = all.const_data_ptr<uint8_t>();
  for (const auto& [name, tensor] : tensors) {
    at::Tensor flat = at::empty(tensor.sizes(), tensor.options().device(at::kCPU));
    std::memcpy(flat.mutable_data_ptr(), from, flat.nbytes());
    from += flat.nbytes();
    at::Tensor target = tensor.detach();
    target.copy_(flat);
  }
}

void check_same_tensors(Communicator& ranks, const NamedTensors& tensors) {
  const at::Tensor all = packed(tensors);
  Sha256 hash;
  hash.update(std::string_view(static_cast<const char*>(all.const_data_ptr()), all.nbytes()));
  const std::vector<std::string> hashes = ranks.gather(to_hex(hash.finish()));
  std::string others;
  for (size_t r = 1; r < hashes.size(); ++r) {
    if (hashes[r] != hashes[0]) others += format("{}{}", others.empty() ? "" : ", ", r);
  }
  VOXLOOM_CHECK(others.empty(),
                ErrorCode::kInternal,
                "training: all ranks must hold the same parameters bit for bit, got others at rank "
                "{} than at rank 0 (are these machines of one kind?)",
                others);
}

}  // namespace voxloom::train
