#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "voxloom/serve/sampling/external_strategy.h"
#include "voxloom/serve/sampling/image_keys.h"
#include "voxloom/serve/sampling/strategy.h"

namespace voxloom::serve {

class Scorer;

struct SamplerOptions {
  int64_t taken_timeout_s = 3600;         ///< An image served to a client is theirs for this long.
  std::vector<ExternalCommand> commands;  ///< `--strategy NAME=COMMAND`.
  /// Seed of `random`; absent: a new one each start.
  std::optional<uint64_t> seed;
  /// Seconds since 1970; absent: the system clock.
  std::function<int64_t()> now_s;
  /// Scores for `uncertain`, `disagree` and `hard`, which exist only with it. May be null.
  std::shared_ptr<const Scorer> scorer;
};

/// Called for the answer: "SHA256:<hex>" of an image file, or nothing.
using Checksum = std::function<std::optional<std::string>(const std::string& id,
                                                          const std::filesystem::path& path)>;

/// The strategies of a server: the list for `/info` and the answers of
/// `POST /activelearning/{strategy}`. Thread-safe.
class Sampler {
 public:
  /// Throws kInvalidArgument for two strategies of one name, or one named like an image key.
  explicit Sampler(SamplerOptions options);
  ~Sampler();
  Sampler(const Sampler&) = delete;
  Sampler& operator=(const Sampler&) = delete;

  /// `strategies` of `/info`: random, first, last, the scores, commands, then one for each
  /// unlabelled image. Made anew only when something changed.
  [[nodiscard]] std::shared_ptr<const Json> info(const Datastore& store);
  /// Equal values, equal info(): for whoever keeps what is made from it.
  [[nodiscard]] std::pair<uint64_t, uint64_t> revision(const Datastore& store) const;

  /// Chooses the next image, marks it as taken (`info.strategy[<strategy>] = {ts, client_id}`) and
  /// returns the answer: id, what the strategy adds, path, name, checksum, the image's info.
  /// `{}` when nothing is left. `user` is the client when `body` has no client_id.
  /// Two clients that ask at once get two images where there are two.
  /// Throws kNotFound naming the known strategies, kInvalidArgument (body), what the datastore
  /// and external commands throw.
  [[nodiscard]] Json next_sample(Datastore& store,
                                 std::string_view strategy,
                                 const Json& body,
                                 const std::string& user,
                                 const Checksum& checksum,
                                 const CancelToken& stop);

 private:
  struct Named {
    std::string name;
    std::unique_ptr<Strategy> strategy;
  };

  [[nodiscard]] SampleRequest read_request(std::string_view strategy,
                                           const Json& body,
                                           const std::string& user,
                                           const CancelToken& stop) const;
  [[nodiscard]] std::optional<Choice> choose(const Datastore& store, const SampleRequest& request);
  [[nodiscard]] Strategy* find(std::string_view name) const;
  void mark(Datastore& store, const std::string& id, const SampleRequest& request);

  SamplerOptions options_;
  std::vector<Named> strategies_;
  ImageKeys keys_;
  std::mutex choosing_;  ///< From the choice to its mark.
  std::mutex info_mutex_;
  std::pair<uint64_t, uint64_t> info_revision_{};
  std::shared_ptr<const Json> info_;
};

}  // namespace voxloom::serve
