// Roles and sizes of the published data sets (guidewire.md 1.10, R1 to R6).
#include "voxloom/dataset/guard_sets.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include "voxloom/core/error.h"

namespace voxloom::dataset {
namespace {

/// Frames by sequence.
using Frames = std::map<std::string, int64_t>;

const Frames kMosxavTest = {{"v00", 50},
                            {"v01", 33},
                            {"v02", 33},
                            {"v03", 24},
                            {"v04", 50},
                            {"v05", 19},
                            {"v06", 14},
                            {"v07", 42},
                            {"v08", 59},
                            {"v09", 54},
                            {"v10", 56},
                            {"v11", 54}};
const Frames kWeissSealed = {{"T5", 143}, {"T6", 228}};
constexpr size_t kMosxavSequences = 30;
constexpr std::array<std::string_view, 5> kWeissOther = {"T1", "T2", "T3", "T4", "Phantom"};
constexpr const char* kWeissOnly =
    "the sealed set is WEISS T5/T6 only: the FGA-Net videos are not there";

/// Sets whose rules or numbering need them to be known, however a folder or a reader spells them.
constexpr std::array<std::string_view, 5> kSets = {
    "CathAction", "MOSXAV", "WEISS", "FGANet", "ARCADE"};
constexpr std::array<std::string_view, 3> kNumberedByPart = {"CathAction", "MOSXAV", "ARCADE"};

std::string folded(std::string_view name) {
  std::string out;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0) out += static_cast<char>(std::tolower(byte));
  }
  return out;
}

/// The set's own spelling, or `name` where it is none of them.
std::string_view set_name(std::string_view name) {
  const std::string text = folded(name);
  for (const auto set : kSets) {
    if (folded(set) == text) return set;
  }
  return name;
}

template <class List, class Value>
bool is_one_of(const List& list, const Value& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

/// What a sample may be, and by which rule.
struct Allowed {
  std::string rule;
  std::string what;         ///< "MOSXAV 'test'"
  std::vector<Role> roles;  ///< Empty: the sample has no place in the set.
  std::string remedy;
};

constexpr const char* kKeepRoles = "keep the roles of 'wire prepare' for this set";

Allowed allowed_cathaction(const Sample& sample) {
  Allowed out{"R1", format("CathAction '{}'", sample.subset), {Role::kTrain}, kKeepRoles};
  if (sample.subset.ends_with("_test")) out.roles.push_back(Role::kValExtra);
  return out;
}

Allowed allowed_mosxav(const Sample& sample) {
  if (sample.subset == "trainval") {
    return {"R2", "MOSXAV 'trainval'", {Role::kFinetune}, kKeepRoles};
  }
  if (sample.subset == "test") return {"R3", "MOSXAV 'test'", {Role::kVal}, kKeepRoles};
  return {"R2",
          format("a subset of MOSXAV must be trainval or test, got '{}'", sample.subset),
          {},
          "prepare it with the set's own layout"};
}

Allowed allowed_weiss(const Sample& sample) {
  const std::string what = format("WEISS {}", sample.sequence);
  if (kWeissSealed.contains(sample.sequence)) return {"R4", what, {Role::kSealed}, kKeepRoles};
  if (is_one_of(kWeissOther, sample.sequence)) {
    return {"R6", what, {Role::kNone, Role::kTrain}, kKeepRoles};
  }
  return {
      "R6",
      format("a sequence of WEISS must be one of T1 to T6 and Phantom, got '{}'", sample.sequence),
      {},
      "prepare it with the set's own layout"};
}

std::string names_of(const std::vector<Role>& roles) {
  std::string out;
  for (const Role role : roles) out += (out.empty() ? "" : " or ") + std::string(role_name(role));
  return out;
}

/// Violations of one kind are one finding.
class Collector {
 public:
  void add(const std::string& rule,
           const std::string& found,
           const std::string& remedy,
           const Sample& sample) {
    auto [at, is_new] = index_.try_emplace(rule + found, findings_.size());
    if (is_new)
      findings_.push_back({.rule = rule, .found = found, .samples = {}, .remedy = remedy});
    findings_[at->second].samples.push_back(sample_name(sample));
  }
  [[nodiscard]] std::vector<Finding>& findings() { return findings_; }

 private:
  std::map<std::string, size_t> index_;
  std::vector<Finding> findings_;
};

void check_roles(const std::vector<Sample>& samples, std::vector<Finding>& violations) {
  Collector found;
  std::map<std::string, std::set<Role>> cathaction;
  for (const auto& sample : samples) {
    const std::string_view set = set_name(sample.dataset);
    Allowed allowed;
    if (set == "CathAction") {
      allowed = allowed_cathaction(sample);
      cathaction[sample.subset].insert(sample.role);
    } else if (set == "MOSXAV") {
      allowed = allowed_mosxav(sample);
    } else if (set == "WEISS") {
      allowed = allowed_weiss(sample);
    } else if (set == "FGANet") {
      allowed = {"R5", "FGANet", {Role::kSealed}, kKeepRoles};
    } else {
      continue;
    }
    if (allowed.roles.empty()) {
      found.add(allowed.rule, allowed.what, allowed.remedy, sample);
    } else if (!is_one_of(allowed.roles, sample.role)) {
      found.add(allowed.rule,
                format("{} must be {}, got {}",
                       allowed.what,
                       names_of(allowed.roles),
                       role_name(sample.role)),
                allowed.remedy,
                sample);
    }
  }
  std::move(found.findings().begin(), found.findings().end(), std::back_inserter(violations));
  for (const auto& [subset, roles] : cathaction) {
    if (!roles.contains(Role::kTrain) || !roles.contains(Role::kValExtra)) continue;
    violations.push_back(
        {.rule = "R1",
         .found = format("CathAction '{}' must be train or val_extra as a whole, got both", subset),
         .samples = {},
         .remedy = "what is reported must not train"});
  }
}

/// "v03 has 23 of 24, v12 has 2 of 0": what should be there and isn't, and what shouldn't be.
std::string differences(const Frames& wanted, const Frames& got) {
  constexpr int kNamed = 4;
  std::string out;
  int count = 0;
  const auto add = [&](const std::string& name, int64_t want, int64_t have) {
    if (want == have || ++count > kNamed) return;
    out += format("{}{} has {} of {}", out.empty() ? "" : ", ", name, have, want);
  };
  for (const auto& [name, want] : wanted) {
    const auto at = got.find(name);
    add(name, want, at == got.end() ? 0 : at->second);
  }
  for (const auto& [name, have] : got) {
    if (!wanted.contains(name)) add(name, 0, have);
  }
  return count > kNamed ? out + format(" and {} more", count - kNamed) : out;
}

int64_t total(const Frames& frames) {
  int64_t sum = 0;
  for (const auto& [name, count] : frames) sum += count;
  return sum;
}

void check_sizes(const std::vector<Sample>& samples, std::vector<Finding>& out) {
  std::set<std::string> trainval;
  Frames test, weiss;
  for (const auto& sample : samples) {
    const std::string_view set = set_name(sample.dataset);
    if (set == "MOSXAV" && sample.subset == "trainval") trainval.insert(sample.sequence);
    if (set == "MOSXAV" && sample.subset == "test") ++test[sample.sequence];
    if (set == "WEISS" && kWeissSealed.contains(sample.sequence)) ++weiss[sample.sequence];
  }
  const auto add = [&](const char* rule, std::string found) {
    out.push_back({.rule = rule,
                   .found = std::move(found),
                   .samples = {},
                   .remedy = "fetch the whole set, or say --incomplete where parts are meant"});
  };
  if (!trainval.empty() && trainval.size() != kMosxavSequences) {
    add("R2",
        format(
            "MOSXAV 'trainval' must have {} sequences, got {}", kMosxavSequences, trainval.size()));
  }
  if (!test.empty() && test != kMosxavTest) {
    add("R3",
        format("MOSXAV 'test' must have sequences v00 to v11 with {} frames, got {} frames: {}",
               total(kMosxavTest),
               total(test),
               differences(kMosxavTest, test)));
  }
  if (!weiss.empty() && weiss != kWeissSealed) {
    add("R4",
        format("WEISS T5 and T6 must have {} frames, got {}: {}",
               total(kWeissSealed),
               total(weiss),
               differences(kWeissSealed, weiss)));
  }
}

struct Present {
  bool weiss_sealed = false, weiss_trained = false, fganet = false, mosxav_val = false;
};

Present present_sets(const std::vector<Sample>& samples) {
  Present out;
  for (const auto& sample : samples) {
    const std::string_view set = set_name(sample.dataset);
    if (set == "FGANet") out.fganet = true;
    if (set == "MOSXAV" && sample.role == Role::kVal) out.mosxav_val = true;
    if (set != "WEISS") continue;
    if (sample.role == Role::kSealed) out.weiss_sealed = true;
    if (sample.role == Role::kTrain) out.weiss_trained = true;
  }
  return out;
}

void add_notes(const std::vector<Sample>& samples, std::vector<Finding>& notes) {
  const Present present = present_sets(samples);
  if (present.weiss_sealed && !present.fganet) {
    notes.push_back({.rule = "R5", .found = kWeissOnly, .samples = {}, .remedy = {}});
  }
  if (present.weiss_trained) {
    notes.push_back({.rule = "R6",
                     .found = "WEISS T1 to T4 or Phantom train: they share scanner and site with "
                              "the sealed T5/T6, so the domain gap measured there is too small",
                     .samples = {},
                     .remedy = "say so with every number, or leave them out"});
  }
}

}  // namespace

void check_published_sets(const std::vector<Sample>& samples,
                          Completeness completeness,
                          GuardReport& report) {
  check_roles(samples, report.violations);
  check_sizes(samples, completeness == Completeness::kWhole ? report.violations : report.notes);
  add_notes(samples, report.notes);
}

std::vector<std::string> report_notes(const std::vector<Sample>& samples) {
  std::vector<Finding> notes;
  check_sizes(samples, notes);
  add_notes(samples, notes);
  std::vector<std::string> out;
  for (const auto& note : notes) out.push_back(finding_text(note));
  const Present present = present_sets(samples);
  if (present.mosxav_val) {
    out.emplace_back(
        "MOSXAV has no guidewire class: its numbers are those of devices, with wires unlabelled");
  }
  if (present.weiss_sealed) {
    out.emplace_back(
        "WEISS labels don't tell guidewire from catheter: its numbers are those of both together");
  }
  return out;
}

bool is_simulated(const Sample& sample) {
  return sample.dataset == "Simulator";
}

std::string sequence_key(const Sample& sample) {
  if (sample.sequence.empty()) return {};
  const std::string set(set_name(sample.dataset));
  if (is_one_of(kNumberedByPart, set)) return set + "/" + sample.subset + "/" + sample.sequence;
  // Every simulation counts from 0: two of them share names, not videos.
  if (is_simulated(sample)) return sample.image.parent_path().lexically_normal().generic_string();
  return set + "/" + sample.sequence;
}

}  // namespace voxloom::dataset
