/* The header compiled as C11 with every warning, and each function called from C. */
#include <string.h>

#include "voxloom/capi/voxloom_tracker.h"

/* Returns 0, or the number of the first call that did not answer as it must. */
int use_from_c(void) {
  voxloom_tracker* tracker = (voxloom_tracker*)&tracker;
  const char* text = NULL;
  const voxloom_wire_result* result = NULL;
  const voxloom_frame frame = {.struct_size = sizeof frame};
  if (voxloom_tracker_abi() != VOXLOOM_TRACKER_ABI) return 1;
  if (strlen(voxloom_version()) == 0) return 2;
  if (strcmp(voxloom_status_name(VOXLOOM_NOT_FOUND), "not_found") != 0) return 3;
  if (voxloom_tracker_create(VOXLOOM_TRACKER_ABI, "no-such-package", NULL, &tracker) !=
      VOXLOOM_NOT_FOUND) {
    return 4;
  }
  if (tracker != NULL) return 5;
  if (strstr(voxloom_last_error(), "no-such-package") == NULL) return 6;
  if (voxloom_tracker_info(NULL, &text) != VOXLOOM_INVALID_ARGUMENT) return 7;
  if (voxloom_tracker_warm_up(NULL, 64, 64) != VOXLOOM_INVALID_ARGUMENT) return 8;
  if (voxloom_tracker_push(NULL, &frame, &result) != VOXLOOM_INVALID_ARGUMENT) return 9;
  if (voxloom_tracker_json(NULL, &text) != VOXLOOM_INVALID_ARGUMENT) return 10;
  if (voxloom_tracker_reset(NULL) != VOXLOOM_INVALID_ARGUMENT) return 11;
  voxloom_tracker_destroy(NULL);
  return 0;
}
