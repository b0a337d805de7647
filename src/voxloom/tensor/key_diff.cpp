#include "voxloom/tensor/key_diff.h"

#include <algorithm>
#include <functional>
#include <unordered_set>

#include "voxloom/core/format.h"

namespace voxloom::tensor {
namespace {

std::string list_some(size_t total, size_t limit, const std::function<std::string(size_t)>& item) {
  std::string text;
  for (size_t i = 0; i < std::min(total, limit); ++i) {
    if (i > 0) text += ", ";
    text += item(i);
  }
  if (total > limit) text += format(" and {} more", total - limit);
  return text;
}

void append(std::string& text, const std::string& part) {
  if (!text.empty()) text += "; ";
  text += part;
}

}  // namespace

std::string KeyDiff::describe(size_t limit) const {
  const auto plural = [](size_t n) { return n == 1 ? "key" : "keys"; };
  std::string text;
  if (!missing.empty()) {
    append(
        text,
        format("{} missing {}: {}",
               missing.size(),
               plural(missing.size()),
               list_some(missing.size(), limit, [&](size_t i) { return "'" + missing[i] + "'"; })));
  }
  if (!unexpected.empty()) {
    append(text,
           format("{} unexpected {}: {}",
                  unexpected.size(),
                  plural(unexpected.size()),
                  list_some(unexpected.size(), limit, [&](size_t i) {
                    return "'" + unexpected[i] + "'";
                  })));
  }
  if (!misshapen.empty()) {
    append(text,
           format("{} {} with a wrong shape: {}",
                  misshapen.size(),
                  plural(misshapen.size()),
                  list_some(misshapen.size(), limit, [&](size_t i) {
                    const auto& m = misshapen[i];
                    return format("'{}' must be {}, got {}", m.name, m.expected, m.found);
                  })));
  }
  return text;
}

KeyDiff diff_keys(const std::vector<NamedShape>& expected, const weights::StateDict& found) {
  KeyDiff diff;
  std::unordered_set<std::string> known;
  for (const NamedShape& want : expected) {
    known.insert(want.name);
    const weights::TensorView* view = found.find(want.name);
    if (view == nullptr) {
      diff.missing.push_back(want.name);
    } else if (view->shape != want.shape) {
      diff.misshapen.push_back({want.name, want.shape, view->shape});
    }
  }
  for (const auto& entry : found.entries()) {
    if (!known.contains(entry.name)) diff.unexpected.push_back(entry.name);
  }
  return diff;
}

}  // namespace voxloom::tensor
