#pragma once

#include "command.h"

namespace voxloom::app {

Command demo_command();
Command segment_command();
Command segment_eval_command();
Command segment_train_command();
Command model_list_command();
Command model_info_command();
Command model_convert_command();
Command model_verify_command();
Command model_export_command();
Command data_info_command();
Command data_convert_command();
Command data_split_command();
Command data_check_command();
Command wire_prepare_command();
Command wire_simulate_command();
Command wire_train_command();
Command wire_eval_command();
Command wire_predict_command();
Command wire_track_command();
Command wire_cascade_command();
Command wire_filters_command();
Command wire_label_command();
Command wire_biplane_command();
Command queue_add_command();
Command queue_work_command();
Command queue_status_command();
Command queue_retry_command();
Command launch_command();
Command bench_command();
Command serve_command();              // with VOXLOOM_SERVER
Command serve_job_command();          // with VOXLOOM_SERVER
Command serve_user_add_command();     // with VOXLOOM_SERVER
Command serve_user_list_command();    // with VOXLOOM_SERVER
Command serve_user_remove_command();  // with VOXLOOM_SERVER
Command serve_user_token_command();   // with VOXLOOM_SERVER
Command logs_command();               // with VOXLOOM_SERVER
Command help_command();

}  // namespace voxloom::app
