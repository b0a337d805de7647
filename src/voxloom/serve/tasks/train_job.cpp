#include "voxloom/serve/tasks/train_job.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <string_view>

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/error.h"
#include "voxloom/infer/ml_library.h"
#include "voxloom/weights/package.h"

namespace voxloom::serve {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

/// Settings that the server decides.
constexpr std::array kOwn{"data", "output", "model", "resume", "baseline", "licence", "cache_mb"};

/// The trainer's progress as lines: a share of all epochs, a message a note.
class LineProgress : public Progress {
 public:
  explicit LineProgress(std::function<void(const ordered_json&)> report)
      : report_(std::move(report)) {}

  void begin(std::string_view stage, int64_t total) override {
    total_ = total;
    done_ = 0;
    epoch_ = epochs_ = 0;
    constexpr std::string_view kEpoch = "epoch ";
    if (stage.starts_with(kEpoch)) {
      const char* end = stage.data() + stage.size();
      const auto first = std::from_chars(stage.data() + kEpoch.size(), end, epoch_);
      if (first.ptr != end) static_cast<void>(std::from_chars(first.ptr + 1, end, epochs_));
    }
    tell(std::string(stage));
  }
  void advance(int64_t steps) override { done_ += steps; }
  void note(std::string_view text) override {
    if (epochs_ > 0) tell(format("epoch {}/{}: {}", epoch_, epochs_, text));
  }

 private:
  void tell(const std::string& message) {
    if (epochs_ > 0 && total_ > 0) {
      const double inside = static_cast<double>(done_) / static_cast<double>(total_);
      share_ = (static_cast<double>(epoch_ - 1) + inside) / static_cast<double>(epochs_);
    }
    report_({{"progress", std::clamp(share_, 0.0, 0.99)}, {"message", message}});
  }

  std::function<void(const ordered_json&)> report_;
  int64_t total_ = 0, done_ = 0, epoch_ = 0, epochs_ = 0;
  double share_ = 0.0;
};

/// The cases as a manifest that the recipe reads.
fs::path write_manifest(const TrainRequest& request) {
  ordered_json cases = ordered_json::array();
  for (const TrainCase& item : request.cases) {
    cases.push_back({{"id", item.id},
                     {"image", fs::absolute(item.image).string()},
                     {"label", fs::absolute(item.label).string()}});
  }
  const fs::path file = request.folder / "cases.json";
  AtomicFile output(file, Overwrite::kReplace);
  output.write(ordered_json{{"cases", std::move(cases)}}.dump());
  output.commit();
  return file;
}

}  // namespace

bool is_trainable(const ServedModel& model) {
  return model.variant.starts_with("medsam2");
}

ordered_json trainer_info(const ServedModel& model) {
  const infer::SegmentTrainOptions options;
  return {{"description",
           format("Trains {} further on the final labels; used when it is no worse than before",
                  model.name)},
          {"config",
           {{"max_epochs", 10},
            {"val_split", options.val_share},
            {"lr", options.trainer.lr},
            {"freeze_image_encoder", true}}}};
}

infer::SegmentTrainOptions train_options(const ordered_json& body) {
  infer::SegmentTrainOptions options;
  options.trainer.epochs = 10;
  options.freeze_image_encoder = true;
  OptionList list;
  options.visit(list);
  for (const auto& [name, value] : body.items()) {
    std::string key = name;
    if (key == "max_epochs") key = "epochs";
    if (key == "val_split") key = "val_share";
    const bool own = std::find(kOwn.begin(), kOwn.end(), key) != kOwn.end();
    if (!own && list.find(key) != nullptr) list.read_json({{key, value}}, "train");
  }
  options.validate();
  return options;
}

ordered_json TrainRequest::to_json() const {
  ordered_json list = ordered_json::array();
  for (const TrainCase& item : cases) {
    list.push_back(
        {{"id", item.id}, {"image", item.image.string()}, {"label", item.label.string()}});
  }
  return {{"train", model},
          {"package", package.string()},
          {"folder", folder.string()},
          {"options", options},
          {"cases", list}};
}

TrainRequest TrainRequest::from_json(const ordered_json& json) {
  try {
    TrainRequest request;
    request.model = json.at("train").get<std::string>();
    request.package = json.at("package").get<std::string>();
    request.folder = json.at("folder").get<std::string>();
    request.options = json.at("options");
    for (const ordered_json& item : json.at("cases")) {
      request.cases.push_back({item.at("id").get<std::string>(),
                               item.at("image").get<std::string>(),
                               item.at("label").get<std::string>()});
    }
    return request;
  } catch (const nlohmann::json::exception& e) {
    throw Error(ErrorCode::kDataCorrupt, format("train request: {}", e.what()));
  }
}

void run_train(const TrainRequest& request,
               const CancelToken& stop,
               const std::function<void(const ordered_json&)>& report) {
  infer::SegmentTrainOptions options = train_options(request.options);
  const fs::path run = request.folder / "run";
  options.data = write_manifest(request).string();
  options.model = request.package.string();
  options.run = run.string();
  options.resume = fs::exists(run / "run.yaml");
  LineProgress progress(report);
  const ordered_json result =
      infer::ml_api().segment_train(options, "server", /*force=*/false, progress, stop);
  const double dice = result.at("metrics").at("dice").get<double>();
  const double before = result.at("baseline").at("dice").get<double>();
  report({{"case", request.model},
          {"package", result.at("model")},
          {"dice", dice},
          {"baseline", before},
          {"steps", result.at("steps")},
          {"progress", 1.0},
          {"message",
           format("Dice {:.4f}, before {:.4f}: {}",
                  dice,
                  before,
                  dice >= before ? "used from now on" : "put aside")}});
}

void install_trained(const fs::path& served, const fs::path& trained, bool use) {
  const fs::path folder = fs::absolute(served);
  const std::string name = folder.filename().string();
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const fs::path aside =
      folder.parent_path() /
      format("{}.{}.deleted", name, std::chrono::duration_cast<std::chrono::seconds>(now).count());
  const fs::path fresh = folder.parent_path() / format(".{}.trained", name);
  try {
    fs::remove_all(fresh);
    fs::copy(trained, fresh, fs::copy_options::recursive);
    if (use) {
      fs::rename(folder, aside);
      fs::rename(fresh, folder);
    } else {
      fs::rename(fresh, aside);
    }
  } catch (const fs::filesystem_error& e) {
    throw Error(ErrorCode::kUnavailable, format("package '{}': {}", folder.string(), e.what()));
  }
}

}  // namespace voxloom::serve
