// The hold-out rules that a manifest alone can break.
#include "voxloom/dataset/guard.h"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>
#include <utility>

#include "voxloom/core/error.h"
#include "voxloom/core/log.h"
#include "voxloom/dataset/guard_sets.h"

namespace voxloom::dataset {
namespace {

/// Samples named in one line of text; findings hold them all.
constexpr size_t kNamed = 4;

/// "a, b and 3 more"
std::string some_of(const std::vector<std::string>& names) {
  std::string out;
  for (size_t i = 0; i < std::min(names.size(), kNamed); ++i) {
    out += (out.empty() ? "" : ", ") + names[i];
  }
  if (names.size() > kNamed) out += format(" and {} more", names.size() - kNamed);
  return out;
}

/// One sample of each role that shares something which must stay in one role.
using ByRole = std::map<Role, const Sample*>;

std::string role_list(const ByRole& roles) {
  std::string out;
  for (const auto& [role, sample] : roles) {
    out += (out.empty() ? "" : ", ") + std::string(role_name(role));
  }
  return out;
}

/// R7 for what `key` gives: empty keys and role none don't count.
template <class Key>
void check_one_role(const std::vector<Sample>& samples,
                    const Key& key,
                    const char* what,
                    const char* remedy,
                    std::vector<Finding>& violations) {
  std::unordered_map<std::string, ByRole> shared;
  std::vector<std::string> order;  // Of first appearance, so that messages don't depend on hashing.
  for (const auto& sample : samples) {
    if (sample.role == Role::kNone) continue;
    std::string name = key(sample);
    if (name.empty()) continue;
    auto [at, is_new] = shared.try_emplace(std::move(name));
    if (is_new) order.push_back(at->first);
    at->second.emplace(sample.role, &sample);
  }
  std::vector<std::string> named;
  Finding finding{.rule = "R7", .found = {}, .samples = {}, .remedy = remedy};
  for (const auto& name : order) {
    const ByRole& roles = shared.at(name);
    if (roles.size() < 2) continue;
    named.push_back(format("'{}' ({})", name, role_list(roles)));
    for (const auto& [role, sample] : roles) finding.samples.push_back(sample_name(*sample));
  }
  if (named.empty()) return;
  finding.found =
      format("{} must have one role, got {} in two: {}", what, named.size(), some_of(named));
  violations.push_back(std::move(finding));
}

void check_backgrounds(const std::vector<Sample>& samples, std::vector<Finding>& violations) {
  std::set<std::string_view> sealed;
  for (const auto& sample : samples) {
    if (sample.role == Role::kSealed && !sample.sha256_image.empty()) {
      sealed.insert(sample.sha256_image);
    }
  }
  Finding finding{.rule = "R10",
                  .found = {},
                  .samples = {},
                  .remedy = "make synthetic images on pictures of training sets or on none"};
  for (const auto& sample : samples) {
    if (!sample.sha256_background.empty() && sealed.contains(sample.sha256_background)) {
      finding.samples.push_back(sample_name(sample));
    }
  }
  if (finding.samples.empty()) return;
  finding.found = format("backgrounds must not come from sealed images, got {} that do",
                         finding.samples.size());
  violations.push_back(std::move(finding));
}

}  // namespace

std::string sample_name(const Sample& sample) {
  return sample.dataset + ":" + sample.id;
}

GuardReport check_hold_out(const std::vector<Sample>& samples, Completeness completeness) {
  GuardReport report;
  check_published_sets(samples, completeness, report);
  check_one_role(
      samples, sequence_key, "a sequence", "move whole sequences to one role", report.violations);
  check_one_role(
      samples,
      [](const Sample& sample) { return sample.sha256_image; },
      "an image file",
      "remove the copies from one of the roles",
      report.violations);
  check_backgrounds(samples, report.violations);
  return report;
}

std::string finding_text(const Finding& finding) {
  std::string text = finding.rule + ": " + finding.found;
  if (!finding.samples.empty()) {
    text +=
        format(" (sample{} {})", finding.samples.size() == 1 ? "" : "s", some_of(finding.samples));
  }
  if (!finding.remedy.empty()) text += "; " + finding.remedy;
  return text;
}

void refuse_violations(const GuardReport& report, std::string_view where) {
  for (const auto& note : report.notes) {
    VOXLOOM_LOG_WARN("{}: {}", where, finding_text(note));
  }
  if (report.violations.empty()) return;
  std::string list;
  for (const auto& violation : report.violations) list += "\n  " + finding_text(violation);
  throw Error(ErrorCode::kInvalidArgument,
              format("{}: the hold-out rules must hold, got {} violation{}:{}",
                     where,
                     report.violations.size(),
                     report.violations.size() == 1 ? "" : "s",
                     list));
}

}  // namespace voxloom::dataset
