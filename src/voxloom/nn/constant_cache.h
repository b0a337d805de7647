#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <vector>

#include <ATen/core/Tensor.h>

namespace voxloom::nn {

/// Tensors that depend only on sizes (or on parameters that do not change), made once per size
/// and kept. Thread-safe.
class ConstantCache {
 public:
  using Key = std::vector<int64_t>;

  /// The tensor stored under `key`; `make` runs, without gradients, when there is none.
  at::Tensor get(const Key& key, const std::function<at::Tensor()>& make);

  /// Numbers that change whenever the values of `parameter` may have changed: append them to a
  /// key.
  static void append_fingerprint(Key& key, const at::Tensor& parameter);

 private:
  std::mutex mutex_;
  std::map<Key, at::Tensor> tensors_;
};

}  // namespace voxloom::nn
