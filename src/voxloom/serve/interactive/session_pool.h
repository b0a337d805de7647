#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>

#include "voxloom/infer/segmenter.h"

namespace voxloom::serve {

/// Whose session it is.
struct SessionKey {
  std::string client, image, model, label;
  bool operator==(const SessionKey&) const = default;
};

/// Open volumes, loaded models and the sessions on them, within a memory budget. Sessions of one
/// image share one volume; sessions of one package share one model and, on one image, the features
/// of its slices: a session made ahead, another label and another client encode nothing twice. What
/// was unused longest goes first; what is in use stays even where it is larger than the budget
/// alone. A volume of more than half the budget is not kept in memory but read from its file, slab
/// by slab.
///
/// Not thread-safe: it belongs to the compute thread, as the models and volumes in it do.
class SessionPool {
 public:
  using Open = std::function<std::shared_ptr<image::VolumeSource>()>;
  using MakeSegmenter = std::function<std::unique_ptr<infer::Segmenter>(const std::string&)>;

  /// `feature_bytes`: what the sessions of a network together keep of slices in memory.
  SessionPool(int64_t budget_bytes, int64_t feature_bytes, MakeSegmenter make_segmenter);

  /// The volume of `image`, opened with `open` when it is not open. Throws what `open` throws.
  std::shared_ptr<image::VolumeSource> image(const std::string& image, const Open& open);

  /// The loaded model of a package. Throws what making it throws.
  infer::Segmenter& segmenter(const std::string& package);

  enum class Origin { kKept, kWarmed, kNew };
  struct Found {
    infer::SegmentSession* session;
    Origin origin;
  };
  /// The session of `key`: the one of before, one that warm_session() made ready, or a new one. Its
  /// image must be open. Throws what making the model throws.
  Found session(const SessionKey& key, const std::string& package);

  /// A session for whoever opens `image` next with this package, opened where there is room beside
  /// the last session of every client. Null: there is no room, or a session is there already.
  infer::SegmentSession* warm_session(const std::string& image,
                                      const std::string& package,
                                      const Open& open);

  void drop(const SessionKey& key);       ///< After a failure that may have left it half done.
  void forget(const std::string& image);  ///< The volume and all sessions of an image.
  /// The model of a package and all sessions that use it: its weights were replaced.
  void forget_package(const std::string& package);
  void drop_spare(const std::string& image, const std::string& package);

  [[nodiscard]] int64_t sessions() const { return static_cast<int64_t>(sessions_.size()); }
  [[nodiscard]] int64_t bytes() const;

 private:
  struct OpenImage {
    std::shared_ptr<image::VolumeSource> source;
    int64_t bytes = 0;
    uint64_t used = 0;  ///< The higher, the later.
  };
  struct Session {
    SessionKey key;  ///< Of a spare one: only the image.
    std::string package;
    bool spare = false;
    std::unique_ptr<infer::SegmentSession> session;
    int64_t bytes = 0;
    uint64_t used = 0;
  };
  using Sessions = std::list<Session>;

  OpenImage open_image(const Open& open) const;
  [[nodiscard]] int64_t session_bytes(const std::string& package, const image::Geometry& g) const;
  Sessions::iterator find_spare(const std::string& image, const std::string& package);
  [[nodiscard]] bool has_session(const std::string& image) const;
  /// Whether it is what its client used last.
  [[nodiscard]] bool is_latest(const Session& session) const;
  /// All bytes, with the features of one more network where no session has it; "": of none.
  [[nodiscard]] int64_t bytes_with(const std::string& package) const;
  /// Drops what was unused longest until `more` bytes and the features of `package` fit. `busy`: an
  /// image in use. With `gently` the last session of every client stays. Returns whether they fit.
  bool make_room(int64_t more, const std::string& package, const std::string& busy, bool gently);

  int64_t budget_bytes_, feature_bytes_;
  MakeSegmenter make_segmenter_;
  uint64_t clock_ = 0;
  std::map<std::string, std::unique_ptr<infer::Segmenter>> segmenters_;  ///< By package.
  std::map<std::string, OpenImage> images_;
  Sessions sessions_;
};

}  // namespace voxloom::serve
