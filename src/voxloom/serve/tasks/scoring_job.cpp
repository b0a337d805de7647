#include "voxloom/serve/tasks/scoring_job.h"

#include <algorithm>

#include "voxloom/core/error.h"
#include "voxloom/serve/sampling/scoring.h"

namespace voxloom::serve {

using nlohmann::ordered_json;

void run_scoring(const ordered_json& request,
                 const CancelToken& stop,
                 const std::function<void(const ordered_json&)>& report) {
  try {
    VOXLOOM_CHECK(request.at("scoring") == "dice",
                  ErrorCode::kNotFound,
                  "scoring: the method must be dice, got {}",
                  request.at("scoring").dump());
    const ordered_json& pairs = request.at("pairs");
    const auto total = static_cast<double>(std::max<size_t>(pairs.size(), 1));
    double done = 0.0;
    for (const ordered_json& pair : pairs) {
      stop.check();
      done += 1.0;
      ordered_json line{{"case", pair.at("id")}, {"dice", nullptr}, {"progress", done / total}};
      try {
        line["dice"] = dice_of_files(pair.at("truth").get<std::string>(),
                                     pair.at("predicted").get<std::string>());
      } catch (const Error& e) {
        line["error"] = e.what();  // The others go on.
      }
      report(line);
    }
  } catch (const nlohmann::json::exception& e) {
    throw Error(ErrorCode::kDataCorrupt, format("scoring request: {}", e.what()));
  }
}

}  // namespace voxloom::serve
