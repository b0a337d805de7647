// The only table of commands. Add a line here and a file cmd_<name>.cpp.
#include "commands.h"

namespace voxloom::app {

const std::vector<Command>& commands() {
  static const std::vector<Command> table = {
    demo_command(),
    segment_command(),
    segment_eval_command(),
    segment_train_command(),
    model_list_command(),
    model_info_command(),
    model_convert_command(),
    model_verify_command(),
    model_export_command(),
    data_info_command(),
    data_convert_command(),
    data_split_command(),
    data_check_command(),
#if VOXLOOM_HAS_SERVER
    queue_add_command(),
    queue_work_command(),
    queue_status_command(),
    queue_retry_command(),
#endif
    wire_simulate_command(),
    wire_prepare_command(),
    wire_train_command(),
    wire_eval_command(),
    wire_predict_command(),
    wire_track_command(),
    wire_cascade_command(),
    wire_filters_command(),
    wire_label_command(),
    wire_biplane_command(),
    launch_command(),
    bench_command(),
#if VOXLOOM_HAS_SERVER
    serve_command(),
    serve_job_command(),
    serve_user_add_command(),
    serve_user_list_command(),
    serve_user_remove_command(),
    serve_user_token_command(),
    logs_command(),
#endif
    help_command(),
  };
  return table;
}

}  // namespace voxloom::app
