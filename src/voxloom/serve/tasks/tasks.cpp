#include "voxloom/serve/tasks/tasks.h"

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/error.h"
#include "voxloom/core/json_text.h"
#include "voxloom/core/log.h"
#include "voxloom/serve/datastore/open_image.h"
#include "voxloom/serve/sampling/prompt_choice.h"
#include "voxloom/serve/tasks/batch_job.h"
#include "voxloom/serve/tasks/train_job.h"
#include "voxloom/weights/package.h"

namespace voxloom::serve {

namespace fs = std::filesystem;

namespace {

/// The prompts of a case: those of the request, else a box as active learning chooses it.
Json case_params(const Json& request, const PromptChooser::Prompt& prompt) {
  Json params = request;
  for (const char* key : {"images",
                          "model",
                          "save_label",
                          "label_tag",
                          "max_batch_size",
                          "multi_gpu",
                          "gpus",
                          "max_workers",
                          "logging"}) {
    params.erase(key);
  }
  if (!params.contains("roi") && !params.contains("foreground") &&
      prompt.origin != PromptOrigin::kNone) {
    const auto& lo = prompt.box.lo;
    const auto& hi = prompt.box.hi;
    params["roi"] = {lo[0], hi[0], lo[1], hi[1], lo[2], hi[2]};
  }
  params["result_extension"] = ".nii.gz";
  params["result_compress"] = true;
  return params;
}

/// None where the image can't be read: the child says so for its case.
PromptChooser::Prompt prompt_for(PromptChooser& prompts,
                                 const ImageRecord& record,
                                 const fs::path& path,
                                 const CancelToken& stop) {
  try {
    return prompts.choose(record, file_stamp(path), stop);
  } catch (const Error& e) {
    if (e.code() == ErrorCode::kCancelled) throw;
    return {};
  }
}

bool wanted(const ImageRecord& record, const std::string& images) {
  return images == "all" || (images == "labeled") == record.completed();
}

}  // namespace

Tasks::Tasks(Services& services,
             std::shared_ptr<jobs::Database> database,
             std::string scope,
             fs::path folder,
             fs::path program)
    : services_(services), folder_(std::move(folder)), program_(std::move(program)) {
  fs::create_directories(folder_);
  std::vector<jobs::JobKind> kinds(3);
  kinds[0].name = kBatchInfer;
  kinds[0].argv = [this](const jobs::JobRecord& job) { return batch_command(job); };
  kinds[0].resumable = true;  // images that have the label already are left out
  kinds[1].name = kScoring;
  kinds[1].argv = [this](const jobs::JobRecord& job) { return scoring_command(job); };
  kinds[1].resumable = true;
  kinds[2].name = kTrain;
  kinds[2].argv = [this](const jobs::JobRecord& job) { return train_command(job); };
  kinds[2].resumable = true;  // the run folder has checkpoints
  runner_ = std::make_unique<jobs::JobRunner>(
      std::move(database),
      std::move(scope),
      std::move(kinds),
      [this](const jobs::JobRecord& job) {
        if (!jobs::is_finished(job.status)) return;
        std::error_code ignored;
        fs::remove_all(folder_of(job), ignored);
      },
      [this](const jobs::JobRecord& job, std::string_view line) { on_line(job, line); });
}

Tasks::~Tasks() = default;

fs::path Tasks::folder_of(const jobs::JobRecord& job) const {
  return folder_ / job.id;
}

std::vector<std::string> Tasks::batch_command(const jobs::JobRecord& job) {
  Datastore& store = *services_.store;
  const std::string images = job.request.value("images", "all");
  const std::string tag = job.request.value("label_tag", std::string(kOriginalTag));
  const auto most = job.request.value("max_batch_size", int64_t{0});
  const CancelToken stop;
  PromptChooser prompts(store, 1);
  prompts.update(stop);

  BatchRequest request;
  request.model = job.request.at("model").get<std::string>();
  for (const ServedModel& model : services_.infer->models()) {
    request.models.push_back(model.name + "=" + model.package);
  }
  OptionList runtime;
  services_.runtime.visit(runtime);
  request.runtime = runtime.to_json();
  request.folder = folder_of(job);
  for (const std::string& id : store.image_ids()) {
    if (most > 0 && static_cast<int64_t>(request.cases.size()) >= most) break;
    const auto record = store.find(id);
    if (!record || !wanted(*record, images)) continue;
    const LabelRecord* label = record->label(tag);
    if (job.attempts > 1 && label != nullptr && label->info.value("job", "") == job.id) continue;
    const auto path = store.image_path(id, stop);
    request.cases.push_back(
        {id,
         path,
         fs::is_directory(path) ? record->info.value("SeriesInstanceUID", "") : std::string(),
         record->ext,
         case_params(job.request, prompt_for(prompts, *record, path, stop))});
  }
  fs::create_directories(request.folder);
  const fs::path file = request.folder / "request.json";
  AtomicFile output(file, Overwrite::kReplace);
  output.write(request.to_json().dump());
  output.commit();
  return {program_.string(), "serve", "job", file.string()};
}

std::vector<std::string> Tasks::scoring_command(const jobs::JobRecord& job) {
  Json pairs = Json::array();
  for (const std::string& id : services_.store->image_ids()) {
    const auto record = services_.store->find(id);
    if (!record || record->label(kFinalTag) == nullptr || record->label(kOriginalTag) == nullptr) {
      continue;
    }
    pairs.push_back({{"id", id},
                     {"truth", services_.store->label_path(id, kFinalTag).string()},
                     {"predicted", services_.store->label_path(id, kOriginalTag).string()}});
  }
  fs::create_directories(folder_of(job));
  const fs::path file = folder_of(job) / "request.json";
  AtomicFile output(file, Overwrite::kReplace);
  output.write(Json{{"scoring", job.request.value("method", "dice")}, {"pairs", pairs}}.dump());
  output.commit();
  return {program_.string(), "serve", "job", file.string()};
}

std::vector<std::string> Tasks::train_command(const jobs::JobRecord& job) {
  TrainRequest request;
  request.model = job.request.at("model").get<std::string>();
  const ServedModel* model = services_.infer->find(request.model);
  VOXLOOM_CHECK(model != nullptr,
                ErrorCode::kNotFound,
                "train: the model '{}' is not served any more",
                request.model);
  request.package = fs::absolute(weights::find_package(model->package).folder);
  request.folder = folder_of(job);
  request.options = job.request;
  const fs::path file = request.folder / "request.json";
  // A job that goes on keeps the cases that it began with.
  if (!fs::exists(request.folder / "run" / "run.yaml")) {
    const CancelToken stop;
    for (const std::string& id : services_.store->image_ids()) {
      const auto record = services_.store->find(id);
      if (!record || record->label(kFinalTag) == nullptr) continue;
      request.cases.push_back(
          {id, services_.store->image_path(id, stop), services_.store->label_path(id, kFinalTag)});
    }
    VOXLOOM_CHECK(request.cases.size() >= 2,
                  ErrorCode::kInvalidArgument,
                  "train: two images with a final label must be there, one to train and one to "
                  "validate, got {}",
                  request.cases.size());
    fs::create_directories(request.folder);
    AtomicFile output(file, Overwrite::kReplace);
    output.write(request.to_json().dump());
    output.commit();
  }
  return {program_.string(), "serve", "job", file.string()};
}

void Tasks::on_line(const jobs::JobRecord& job, std::string_view text) {
  const Json line = read_json(text).value;
  if (!line.is_object() || !line.contains("case")) return;
  try {
    if (job.kind == kBatchInfer) save_prediction(job, line);
    if (job.kind == kScoring) save_score(line);
    if (job.kind == kTrain) adopt_package(line);
    const std::lock_guard lock(mutex_);
    Json& result = results_[job.id];
    if (job.kind == kTrain) {
      const double dice = line.at("dice").get<double>(), before = line.at("baseline").get<double>();
      result[line.at("case").get<std::string>()] = {
          {"dice", dice}, {"baseline", before}, {"used", dice >= before}};
    } else if (job.kind == kScoring) {
      result[line.at("case").get<std::string>()] = line.at("dice");
    } else {
      const std::string tag = job.request.value("label_tag", std::string(kOriginalTag));
      Json entry{{"label", line.at("case")}, {"tag", tag}};
      for (const char* key : {"params", "error"}) {
        if (line.contains(key)) entry[key] = line[key];
      }
      result[line.at("case").get<std::string>()] = std::move(entry);
    }
    if (results_.size() > 32) results_.erase(results_.begin());
  } catch (const std::exception& e) {
    VOXLOOM_LOG_WARN("job {}: what it made could not be saved: {}", job.id, e.what());
  }
}

void Tasks::save_prediction(const jobs::JobRecord& job, const Json& line) {
  if (!line.contains("file") || !line["file"].is_string()) return;
  const fs::path file = line["file"].get<std::string>();
  services_.store->save_label(
      line.at("case").get<std::string>(),
      job.request.value("label_tag", std::string(kOriginalTag)),
      file,
      file.filename().string(),
      {{"model", job.request.at("model")}, {"params", line.at("params")}, {"job", job.id}});
}

void Tasks::save_score(const Json& line) {
  if (line.at("dice").is_null()) return;
  services_.store->update_image_info(line.at("case").get<std::string>(),
                                     {{"dice", line.at("dice")}});
}

void Tasks::adopt_package(const Json& line) {
  const auto name = line.at("case").get<std::string>();
  const ServedModel* model = services_.infer->find_known(name);
  VOXLOOM_CHECK(model != nullptr, ErrorCode::kNotFound, "train: there is no model '{}'", name);
  const double dice = line.at("dice").get<double>(), before = line.at("baseline").get<double>();
  const bool use = dice >= before;
  install_trained(
      weights::find_package(model->package).folder, line.at("package").get<std::string>(), use);
  if (use) services_.infer->renew_model(name);
  VOXLOOM_LOG_INFO("train: the new weights of {} have a Dice of {:.4f}, the old ones {:.4f}: {}",
                   name,
                   dice,
                   before,
                   use ? "they are used from now on" : "they are put aside");
}

Json Tasks::result_of(const std::string& job_id) {
  const std::lock_guard lock(mutex_);
  const auto found = results_.find(job_id);
  return found == results_.end() ? Json::object() : found->second;
}

}  // namespace voxloom::serve
