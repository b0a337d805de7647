#include "voxloom/core/atomic_file.h"
#include "voxloom/core/error.h"
#include "voxloom/core/json_text.h"
#include "voxloom/core/thread_priority.h"
#include "voxloom/serve/tasks/batch_job.h"
#include "voxloom/serve/tasks/scoring_job.h"
#include "voxloom/serve/tasks/train_job.h"

#include "commands.h"

namespace voxloom::app {
namespace {

struct JobArgs {
  std::string request;
  void visit(OptionList& list) {
    list.positional("REQUEST", request, "File with the request, written by the server.")
        .as_required();
  }
};

int run_job(JobArgs& args, Context& context) {
  const auto json = parse_json(read_text_file(args.request, size_t{256} << 20),
                               format("request '{}'", args.request));
  VOXLOOM_CHECK(json.is_object(),
                ErrorCode::kDataCorrupt,
                "request '{}': must be a JSON object",
                args.request);
  int64_t failed = 0, done = 0;
  const auto report = [&](const nlohmann::ordered_json& line) {
    ++(line.contains("error") ? failed : done);
    *context.out << line.dump() << "\n" << std::flush;
  };
  if (json.contains("train")) {
    lower_thread_priority();  // hours of it, beside people who click
    serve::run_train(serve::TrainRequest::from_json(json), context.stop, report);
  } else if (json.contains("scoring")) {
    serve::run_scoring(json, context.stop, report);
  } else {
    serve::run_batch(serve::BatchRequest::from_json(json), context.stop, report);
  }
  context.result["done"] = done;
  context.result["failed"] = failed;
  return failed > 0 && done == 0 ? 1 : 0;
}

}  // namespace

Command serve_job_command() {
  return make_command<JobArgs>(
      {.name = "serve job",
       .summary = "Run one background job: the child process of an annotation server.",
       .details =
           "The server starts this for batch inference, scoring and training, so that a crash or a "
           "kill can't touch "
           "annotation. It reads one request and prints one JSON line a case. To work "
           "through many images by hand, see 'voxloom queue'.",
       .examples = {{"voxloom serve job request.json", "what the server runs"}},
       .references = {}},
      run_job);
}

}  // namespace voxloom::app
