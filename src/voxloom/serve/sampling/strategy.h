#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "voxloom/core/cancel.h"
#include "voxloom/serve/datastore/datastore.h"

namespace voxloom::serve {

/// One call of `POST /activelearning/{strategy}`.
struct SampleRequest {
  std::string strategy;         ///< The key that was asked for.
  Json body = Json::object();   ///< As the client sent it.
  std::string client;           ///< Who asks: client_id, else the account; may be empty.
  int64_t now_s = 0;            ///< Seconds since 1970.
  int64_t taken_timeout_s = 0;  ///< An image served to a client is theirs for this long.
  CancelToken stop;
};

/// The image that a strategy chose.
struct Choice {
  std::string id;
  Json extra = Json::object();  ///< Put into the answer: "weight", "score".
};

/// A way to choose the next image to annotate. Thread-safe.
class Strategy {
 public:
  virtual ~Strategy() = default;
  /// `{"description": ...}` for `/info`, cheap.
  [[nodiscard]] virtual Json info(const Datastore& store) const = 0;
  /// Grows when info() changes for another reason than the datastore.
  [[nodiscard]] virtual uint64_t revision() const { return 0; }
  /// Nothing when no image is left. Never computes anything long, unless slow().
  [[nodiscard]] virtual std::optional<Choice> next(const Datastore& store,
                                                   const SampleRequest& request) = 0;
  /// Waits for something outside; others are served meanwhile.
  [[nodiscard]] virtual bool slow() const { return false; }
};

/// Who has an image: the latest mark of any strategy that is not timed out and not `client`'s own.
struct Mark {
  int64_t ts = 0;
  std::string client;
};
[[nodiscard]] std::optional<Mark> taken_by_other(const Json& image_info,
                                                 const SampleRequest& request);

/// Seconds since 1970 at which `strategy` served the image last; 0 when it never did.
[[nodiscard]] int64_t last_served(const Json& image_info, const std::string& strategy);

/// Images without a `final` label in datastore order, those that others have left out while there
/// are any others.
[[nodiscard]] std::vector<ImageRecord> open_images(const Datastore& store,
                                                   const SampleRequest& request);

}  // namespace voxloom::serve
