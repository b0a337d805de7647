#include "voxloom/serve/interactive/session_pool.h"

#include <algorithm>
#include <set>

#include "voxloom/core/error.h"
#include "voxloom/serve/interactive/cached_source.h"

namespace voxloom::serve {
namespace {

// What any session costs beside its large parts; keeps their number finite for tiny images.
constexpr int64_t kSessionBytes = int64_t{1} << 20;
// The field and the fronts of the geodesic segmenter, which works on at most so many voxels.
constexpr int64_t kGeodesicVoxelBytes = 16;
constexpr int64_t kGeodesicMostVoxels = int64_t{48} << 20;

}  // namespace

SessionPool::SessionPool(int64_t budget_bytes, int64_t feature_bytes, MakeSegmenter make_segmenter)
    : budget_bytes_(budget_bytes),
      feature_bytes_(feature_bytes),
      make_segmenter_(std::move(make_segmenter)) {}

int64_t SessionPool::bytes() const {
  return bytes_with("");
}

int64_t SessionPool::bytes_with(const std::string& package) const {
  std::set<std::string> networks;
  for (const auto& session : sessions_) networks.insert(session.package);
  networks.insert(package);
  networks.erase("");
  networks.erase("geodesic");
  int64_t sum = feature_bytes_ * static_cast<int64_t>(networks.size());
  for (const auto& [key, open] : images_) sum += open.bytes;
  for (const auto& session : sessions_) sum += session.bytes;
  return sum;
}

int64_t SessionPool::session_bytes(const std::string& package, const image::Geometry& g) const {
  if (package != "geodesic") return kSessionBytes;
  return kSessionBytes + kGeodesicVoxelBytes * std::min(g.voxel_count(), kGeodesicMostVoxels);
}

SessionPool::OpenImage SessionPool::open_image(const Open& open) const {
  OpenImage opened;
  opened.source = open();
  VOXLOOM_CHECK(opened.source != nullptr, ErrorCode::kInternal, "image: opened without a source");
  opened.source->geometry().validate();
  const int64_t bytes = voxel_bytes(*opened.source);
  if (bytes <= budget_bytes_ / 2) {
    opened.source = cached_source(std::move(opened.source));
    opened.bytes = bytes;
  }
  return opened;
}

std::shared_ptr<image::VolumeSource> SessionPool::image(const std::string& image,
                                                        const Open& open) {
  auto found = images_.find(image);
  if (found == images_.end()) {
    auto opened = open_image(open);
    make_room(opened.bytes, "", image, false);
    found = images_.emplace(image, std::move(opened)).first;
  }
  found->second.used = ++clock_;
  return found->second.source;
}

infer::Segmenter& SessionPool::segmenter(const std::string& package) {
  auto& segmenter = segmenters_[package];
  if (!segmenter) segmenter = make_segmenter_(package);
  return *segmenter;
}

SessionPool::Sessions::iterator SessionPool::find_spare(const std::string& image,
                                                        const std::string& package) {
  return std::find_if(sessions_.begin(), sessions_.end(), [&](const Session& s) {
    return s.spare && s.key.image == image && s.package == package;
  });
}

SessionPool::Found SessionPool::session(const SessionKey& key, const std::string& package) {
  for (auto& session : sessions_) {
    if (session.spare || !(session.key == key)) continue;
    session.used = ++clock_;
    return {session.session.get(), Origin::kKept};
  }
  if (const auto spare = find_spare(key.image, package); spare != sessions_.end()) {
    spare->key = key;
    spare->spare = false;
    spare->used = ++clock_;
    return {spare->session.get(), Origin::kWarmed};
  }
  auto& model = segmenter(package);
  const auto& source = images_.at(key.image).source;
  Session session;
  session.key = key;
  session.package = package;
  session.bytes = session_bytes(package, source->geometry());
  make_room(session.bytes, package, key.image, false);
  session.session = model.open(source);
  session.used = ++clock_;
  sessions_.push_back(std::move(session));
  return {sessions_.back().session.get(), Origin::kNew};
}

infer::SegmentSession* SessionPool::warm_session(const std::string& image,
                                                 const std::string& package,
                                                 const Open& open) {
  for (auto& session : sessions_) {
    if (session.key.image != image || session.package != package) continue;
    return session.spare ? session.session.get() : nullptr;
  }
  const auto present = images_.find(image);
  OpenImage opened = present == images_.end() ? open_image(open) : present->second;
  const int64_t fresh = present == images_.end() ? opened.bytes : 0;
  Session session;
  session.key.image = image;
  session.package = package;
  session.spare = true;
  session.bytes = session_bytes(package, opened.source->geometry());
  if (!make_room(fresh + session.bytes, package, image, true)) return nullptr;
  session.session = segmenter(package).open(opened.source);
  opened.used = session.used = ++clock_;
  images_.insert_or_assign(image, std::move(opened));
  sessions_.push_back(std::move(session));
  return sessions_.back().session.get();
}

void SessionPool::drop(const SessionKey& key) {
  sessions_.remove_if([&](const Session& s) { return !s.spare && s.key == key; });
}

void SessionPool::drop_spare(const std::string& image, const std::string& package) {
  const auto spare = find_spare(image, package);
  if (spare != sessions_.end()) sessions_.erase(spare);
}

void SessionPool::forget_package(const std::string& package) {
  std::erase_if(sessions_, [&](const Session& s) { return s.package == package; });
  segmenters_.erase(package);
}

void SessionPool::forget(const std::string& image) {
  sessions_.remove_if([&](const Session& s) { return s.key.image == image; });
  images_.erase(image);
}

bool SessionPool::has_session(const std::string& image) const {
  return std::any_of(
      sessions_.begin(), sessions_.end(), [&](const Session& s) { return s.key.image == image; });
}

bool SessionPool::is_latest(const Session& session) const {
  return !session.spare &&
         std::none_of(sessions_.begin(), sessions_.end(), [&](const Session& other) {
           return !other.spare && other.key.client == session.key.client &&
                  other.used > session.used;
         });
}

bool SessionPool::make_room(int64_t more,
                            const std::string& package,
                            const std::string& busy,
                            bool gently) {
  while (bytes_with(package) + more > budget_bytes_) {
    // Volumes go when no session needs them; those of the sessions dropped here are next.
    auto oldest_image = images_.end();
    for (auto it = images_.begin(); it != images_.end(); ++it) {
      if (it->first == busy || has_session(it->first)) continue;
      if (oldest_image == images_.end() || it->second.used < oldest_image->second.used) {
        oldest_image = it;
      }
    }
    auto oldest = sessions_.end();
    for (auto it = sessions_.begin(); it != sessions_.end(); ++it) {
      if (gently && is_latest(*it)) continue;
      if (oldest == sessions_.end() || it->used < oldest->used) oldest = it;
    }
    if (oldest_image != images_.end() &&
        (oldest == sessions_.end() || oldest_image->second.used < oldest->used)) {
      images_.erase(oldest_image);
    } else if (oldest != sessions_.end()) {
      sessions_.erase(oldest);
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace voxloom::serve
