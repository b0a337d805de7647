#include "voxloom/dataset/prepare.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "voxloom/core/error.h"
#include "voxloom/core/random.h"
#include "voxloom/core/sha256.h"
#include "voxloom/dataset/each_sample.h"
#include "voxloom/dataset/picture_file.h"

namespace voxloom::dataset {
namespace {

using IdCounts = std::array<int64_t, 256>;

/// What reading one sample gave.
struct Reading {
  IdCounts ids{};
  std::string problem;
};

Reading read_one(Sample& sample) {
  Reading out;
  try {
    sample.sha256_image = sha256_file(sample.image);
    const GreyPicture image = read_picture(sample.image);
    if (sample.mask.empty()) return out;
    sample.sha256_mask = sha256_file(sample.mask);
    const RawMask mask = read_mask_file(sample.mask);
    VOXLOOM_CHECK(mask.width == image.width && mask.height == image.height,
                  ErrorCode::kDataCorrupt,
                  "'{}': a mask must have the size of its image {}x{}, got {}x{}",
                  sample.mask.string(),
                  image.width,
                  image.height,
                  mask.width,
                  mask.height);
    for (const uint8_t id : mask.ids) ++out.ids[id];
  } catch (const Error& error) {
    out.problem = error.what();
  }
  return out;
}

std::vector<Reading> read_all(std::vector<Sample>& samples,
                              Progress& progress,
                              const CancelToken& stop) {
  std::vector<Reading> readings(samples.size());
  for_each_sample("read images and masks", std::ssize(samples), progress, stop, [&](size_t i) {
    readings[i] = read_one(samples[i]);
  });
  return readings;
}

/// The class map that fits the ids in use.
ClassMap guess_class_map(const IdCounts& ids) {
  const bool binary =
      ids[255] > 0 &&
      std::ranges::all_of(ids.begin() + 1, ids.end() - 1, [](auto n) { return n == 0; });
  return binary ? binary_class_map(WireClass::kGuidewire) : unified_class_map();
}

void complete_class_maps(std::vector<Sample>& samples, const std::vector<Reading>& readings) {
  IdCounts together{};
  const ClassMap unknown = empty_class_map();
  for (size_t i = 0; i < samples.size(); ++i) {
    if (samples[i].classes != unknown) continue;
    for (size_t id = 0; id < together.size(); ++id) together[id] += readings[i].ids[id];
  }
  const ClassMap guess = guess_class_map(together);
  for (auto& sample : samples) {
    if (sample.classes == unknown) sample.classes = guess;
  }
}

std::string unknown_ids(const Sample& sample, const IdCounts& ids) {
  std::string list;
  for (size_t id = 0; id < ids.size(); ++id) {
    if (ids[id] == 0 || sample.classes[id] != kUnknownClass) continue;
    list += list.empty() ? "" : ", ";
    list += std::to_string(id);
  }
  if (list.empty()) return {};
  return format("'{}': mask ids must be known to the class map, got {}; --classes gives one",
                sample.mask.string(),
                list);
}

void check_ids(const std::vector<Sample>& samples, std::vector<std::string>& problems) {
  std::set<std::string_view> seen;
  for (const auto& sample : samples) {
    if (!seen.insert(sample.id).second) {
      problems.push_back(
          format("'{}': the id must be unique, got '{}' again", sample.image.string(), sample.id));
    }
  }
}

void throw_problems(const std::vector<std::string>& problems) {
  if (problems.empty()) return;
  std::string list;
  for (const auto& problem : problems) list += "\n  " + problem;
  throw Error(
      ErrorCode::kDataCorrupt,
      format(
          "data: every image must have a usable mask, got {} problems:{}", problems.size(), list));
}

std::map<Role, RoleCounts> count_roles(const std::vector<Sample>& samples,
                                       const std::vector<Reading>& readings) {
  std::map<Role, RoleCounts> roles;
  std::map<Role, std::set<std::string_view>> sequences;
  for (size_t i = 0; i < samples.size(); ++i) {
    const Sample& sample = samples[i];
    RoleCounts& counts = roles[sample.role];
    ++counts.samples;
    sequences[sample.role].insert(sample.sequence);
    if (sample.mask.empty()) {
      ++counts.unannotated;
      continue;
    }
    // No statistic may look at sealed data (guidewire.md 1.10, R8).
    if (sample.role == Role::kSealed) continue;
    int64_t object = 0;
    for (size_t id = 0; id < sample.classes.size(); ++id) {
      const uint8_t unified = sample.classes[id];
      counts.pixels[unified] += readings[i].ids[id];
      if (unified != 0 && unified != 255) object += readings[i].ids[id];
    }
    if (object == 0) ++counts.empty_masks;
  }
  for (auto& [role, counts] : roles)
    counts.sequences = static_cast<int64_t>(sequences[role].size());
  return roles;
}

/// Labelled pixels of a part against those of the published set.
void compare_pixels(const Listing& listing,
                    const std::vector<Reading>& readings,
                    std::vector<std::string>& notes) {
  for (const auto& published : listing.published_pixels) {
    int64_t pixels = 0;
    for (size_t i = 0; i < readings.size(); ++i) {
      if (listing.samples[i].subset == published.subset) pixels += readings[i].ids[published.id];
    }
    if (pixels == published.pixels) continue;
    notes.push_back(format("{}: the published set has {} pixels of id {}, got {}",
                           published.subset,
                           published.pixels,
                           published.id,
                           pixels));
  }
}

}  // namespace

Preparation prepare(Listing listing, Progress& progress, const CancelToken& stop) {
  VOXLOOM_CHECK(listing.made.empty(),
                ErrorCode::kInvalidArgument,
                "data: pictures must have been exported, got {} that were not",
                listing.made.size());
  check_ids(listing.samples, listing.problems);
  const auto readings = read_all(listing.samples, progress, stop);
  complete_class_maps(listing.samples, readings);
  for (size_t i = 0; i < readings.size(); ++i) {
    std::string problem = readings[i].problem;
    if (problem.empty()) problem = unknown_ids(listing.samples[i], readings[i].ids);
    if (!problem.empty()) listing.problems.push_back(std::move(problem));
  }
  throw_problems(listing.problems);
  Preparation out;
  out.roles = count_roles(listing.samples, readings);
  compare_pixels(listing, readings, listing.notes);
  out.notes = std::move(listing.notes);
  out.remarks = std::move(listing.remarks);
  out.samples = std::move(listing.samples);
  return out;
}

void split_train(std::vector<Sample>& samples, double share, uint64_t seed) {
  VOXLOOM_CHECK(share > 0.0 && share < 1.0,
                ErrorCode::kInvalidArgument,
                "split: the validation share must be within (0, 1), got {}",
                share);
  std::set<std::string> names;
  for (const auto& sample : samples) {
    if (sample.role == Role::kTrain) names.insert(sample.sequence);
  }
  std::vector<std::string> sequences(names.begin(), names.end());
  VOXLOOM_CHECK(sequences.size() >= 2,
                ErrorCode::kInvalidArgument,
                "split: must have at least two training sequences, got {}",
                sequences.size());
  Rng rng(seed);
  rng.shuffle(sequences);
  const auto wanted =
      static_cast<size_t>(std::lround(share * static_cast<double>(sequences.size())));
  const size_t count = std::clamp<size_t>(wanted, 1, sequences.size() - 1);
  const std::set<std::string_view> chosen(sequences.begin(),
                                          sequences.begin() + static_cast<std::ptrdiff_t>(count));
  for (auto& sample : samples) {
    if (sample.role == Role::kTrain && chosen.contains(sample.sequence)) sample.role = Role::kVal;
  }
}

}  // namespace voxloom::dataset
