#include "voxloom/dataset/data_check.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "voxloom/core/error.h"
#include "voxloom/core/sha256.h"
#include "voxloom/dataset/each_sample.h"
#include "voxloom/dataset/manifest.h"
#include "voxloom/dataset/perceptual_hash.h"

namespace voxloom::dataset {
namespace {

struct Reading {
  uint64_t hash = 0;
  bool has_hash = false;
  std::string sha256_image, sha256_mask;
  std::string problem;
};

void check_hash(const std::filesystem::path& file,
                const std::string& recorded,
                const std::string& got) {
  VOXLOOM_CHECK(recorded.empty() || recorded == got,
                ErrorCode::kDataCorrupt,
                "'{}': must be the file that the manifest was made of, got other bytes",
                file.string());
}

Reading read_one(const Sample& sample) {
  Reading out;
  try {
    out.sha256_image = sha256_file(sample.image);
    if (!sample.mask.empty()) out.sha256_mask = sha256_file(sample.mask);
    const LabelledImage image = load_sample(sample, SealedAccess::kUnsealed);
    out.hash = difference_hash(image.image, image.width, image.height);
    out.has_hash = true;
    check_hash(sample.image, sample.sha256_image, out.sha256_image);
    check_hash(sample.mask, sample.sha256_mask, out.sha256_mask);
  } catch (const Error& error) {
    out.problem = error.what();
  }
  return out;
}

std::vector<Reading> read_all(const std::vector<Sample>& samples,
                              Progress& progress,
                              const CancelToken& stop) {
  std::vector<Reading> readings(samples.size());
  for_each_sample("check images and masks", std::ssize(samples), progress, stop, [&](size_t i) {
    readings[i] = read_one(samples[i]);
  });
  return readings;
}

/// A picture without a sequence stands for itself.
std::string scene_key(const Sample& sample) {
  std::string name = sequence_key(sample);
  return name.empty() ? sample_name(sample) : name;
}

std::vector<NearDuplicate> near_duplicates(const std::vector<Sample>& samples,
                                           const std::vector<Reading>& readings) {
  std::vector<size_t> index;
  std::vector<uint64_t> hashes;
  std::vector<int> roles;
  for (size_t i = 0; i < samples.size(); ++i) {
    if (!readings[i].has_hash || samples[i].role == Role::kNone) continue;
    index.push_back(i);
    hashes.push_back(readings[i].hash);
    roles.push_back(static_cast<int>(samples[i].role));
  }
  const auto key = [&](size_t i) { return scene_key(samples[i]); };
  // Pairs of videos have many pairs of frames: only the closest of each is kept.
  std::map<std::tuple<std::string, Role, std::string, Role>, NearDuplicate> found;
  for_each_near_pair(hashes, roles, [&](size_t first, size_t second, int distance) {
    size_t a = index[first], b = index[second];
    if (samples[b].role < samples[a].role) std::swap(a, b);
    auto [at, is_new] = found.try_emplace({key(a), samples[a].role, key(b), samples[b].role},
                                          NearDuplicate{a, b, distance, 0});
    NearDuplicate& near = at->second;
    ++near.pairs;
    if (std::tuple(distance, a, b) < std::tuple(near.distance, near.a, near.b)) {
      near.a = a;
      near.b = b;
      near.distance = distance;
    }
  });
  std::vector<NearDuplicate> out;
  for (const auto& [names, near] : found) out.push_back(near);
  std::ranges::sort(out, [](const NearDuplicate& x, const NearDuplicate& y) {
    return std::tuple(x.distance, x.a, x.b) < std::tuple(y.distance, y.a, y.b);
  });
  return out;
}

/// Independent draws: what looks alike there was not copied.
bool both_simulated(const std::vector<Sample>& samples, const NearDuplicate& pair) {
  return is_simulated(samples[pair.a]) && is_simulated(samples[pair.b]);
}

Finding simulated_finding(const std::vector<Sample>& samples,
                          const std::vector<NearDuplicate>& near) {
  return {
      .rule = "R7",
      .found = format("{} pair{} of simulated sequences of two roles look alike (at most {} bits "
                      "apart): their scenes are alike but drawn independently",
                      near.size(),
                      near.size() == 1 ? "" : "s",
                      kNearDistance),
      .samples = {sample_name(samples[near.front().a]), sample_name(samples[near.front().b])},
      .remedy = {}};
}

Finding near_finding(const std::vector<Sample>& samples, const std::vector<NearDuplicate>& near) {
  Finding out{
      .rule = "R7",
      .found = format("pictures of two roles must differ in more than {} bits of their "
                      "perceptual hash, got {} pair{} of sequences that don't",
                      kNearDistance,
                      near.size(),
                      near.size() == 1 ? "" : "s"),
      .samples = {},
      .remedy = "look at the pairs (--report), then leave them out (--clean) or in one role"};
  for (const auto& pair : near) {
    out.samples.push_back(sample_name(samples[pair.a]));
    out.samples.push_back(sample_name(samples[pair.b]));
  }
  return out;
}

}  // namespace

DataCheck check_data(const std::vector<std::filesystem::path>& manifests,
                     const SealedRegister& sealed,
                     Completeness completeness,
                     Progress& progress,
                     const CancelToken& stop) {
  DataCheck out;
  for (const auto& path : manifests) {
    auto samples = read_manifest(path).samples;
    std::ranges::move(samples, std::back_inserter(out.samples));
  }
  for (const auto& sample : out.samples) ++out.roles[sample.role];
  const auto readings = read_all(out.samples, progress, stop);
  auto as_they_are = out.samples;
  for (size_t i = 0; i < readings.size(); ++i) {
    if (!readings[i].problem.empty()) out.problems.push_back({i, readings[i].problem});
    // The rules look at what lies on the disk, not at what once did.
    if (!readings[i].sha256_image.empty()) as_they_are[i].sha256_image = readings[i].sha256_image;
  }
  out.rules = check_hold_out(as_they_are, completeness);
  std::ranges::move(sealed.check(as_they_are), std::back_inserter(out.rules.violations));
  progress.begin("compare pictures", 0);
  out.near_duplicates = near_duplicates(out.samples, readings);
  progress.end();
  const auto simulated = std::stable_partition(
      out.near_duplicates.begin(), out.near_duplicates.end(), [&](const NearDuplicate& pair) {
        return !both_simulated(out.samples, pair);
      });
  if (simulated != out.near_duplicates.end()) {
    out.rules.notes.push_back(
        simulated_finding(out.samples, {simulated, out.near_duplicates.end()}));
    out.near_duplicates.erase(simulated, out.near_duplicates.end());
  }
  if (!out.near_duplicates.empty()) {
    out.rules.violations.push_back(near_finding(out.samples, out.near_duplicates));
  }
  return out;
}

std::vector<Sample> without_near_duplicates(const DataCheck& check) {
  std::set<std::pair<std::string, Role>> dropped;
  for (const auto& pair : check.near_duplicates) {
    const Sample& first = check.samples[pair.a];
    dropped.emplace(scene_key(first), first.role);
  }
  std::vector<Sample> out;
  for (const auto& sample : check.samples) {
    if (!dropped.contains({scene_key(sample), sample.role})) out.push_back(sample);
  }
  return out;
}

}  // namespace voxloom::dataset
