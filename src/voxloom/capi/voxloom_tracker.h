/**
 * The guidewire tracker for programs in C (or anything that calls C): a frame in, what was found
 * out. Plain C11; installed as <voxloom/voxloom_tracker.h>, linked with voxloom::voxloom.
 *
 *     voxloom_tracker* tracker = NULL;
 *     if (voxloom_tracker_create(VOXLOOM_TRACKER_ABI, "models/guidewire", "{}", &tracker)) {
 *       fprintf(stderr, "%s\n", voxloom_last_error());
 *       return 1;
 *     }
 *     voxloom_frame frame = {.struct_size = sizeof frame, .pixels = grey, .size_bytes = 512 * 512,
 *                            .width = 512, .height = 512, .stride_bytes = 512, .bits = 8,
 *                            .capture_time_ns = now};
 *     const voxloom_wire_result* found = NULL;
 *     if (voxloom_tracker_push(tracker, &frame, &found) == VOXLOOM_OK && found->has_tip)
 *       use(found->tip);
 *     voxloom_tracker_destroy(tracker);
 *
 * Positions are in pixels of the frame, (x right, y down), pixel centres at whole numbers. What was
 * bridged or predicted is marked as such and never part of the mask.
 *
 * Threads: a tracker is used by one thread at a time; a call that comes while another one runs on
 * the same tracker is answered VOXLOOM_UNAVAILABLE and changes nothing. Different trackers may be
 * used by different threads. The number of threads that compute is one number for the whole
 * process: the option "threads" of the last tracker created with it.
 *
 * Errors: every function that can fail returns a voxloom_status; voxloom_last_error() says what
 * must hold and what was found. No C++ exception leaves this interface, and nothing ends the
 * process. After VOXLOOM_INVALID_ARGUMENT the tracker is as it was before the call, except that the
 * result of the call before is gone. After any other failure of voxloom_tracker_push() it has
 * forgotten the earlier frames, as after voxloom_tracker_reset(), and may be used on.
 *
 * For research; not for use on patients.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VOXLOOM_C_API __attribute__((visibility("default")))

/** Raised when this header changes in a way that a compiled program would notice. Fields may be
 * added at the end of results without that. */
#define VOXLOOM_TRACKER_ABI 1u

/** What a call ended with. The numbers are fixed: append only. */
typedef enum voxloom_status {
  VOXLOOM_OK = 0,
  VOXLOOM_INVALID_ARGUMENT = 1, /**< The caller can fix it by changing the call. */
  VOXLOOM_NOT_FOUND = 2,        /**< A named package does not exist. */
  VOXLOOM_DATA_CORRUPT = 3,     /**< A package was read but is damaged. */
  VOXLOOM_UNSUPPORTED = 4,      /**< Valid, but not for this build. */
  VOXLOOM_INTERNAL = 5,         /**< A bug in the library. */
  VOXLOOM_UNAVAILABLE = 6,      /**< libvoxloom_ml.so is absent, or the tracker is busy. */
  VOXLOOM_CANCELLED = 7,
  VOXLOOM_ALREADY_EXISTS = 8,
  VOXLOOM_OUT_OF_MEMORY = 9
} voxloom_status;

/** What is known about the wire. The numbers are fixed: append only. */
typedef enum voxloom_wire_state {
  VOXLOOM_WIRE_LOST = 0,     /**< Not seen for too long, or never. */
  VOXLOOM_WIRE_TRACKING = 1, /**< Seen in this frame. */
  VOXLOOM_WIRE_PREDICTED = 2 /**< Not seen; shown from its motion. */
} voxloom_wire_state;

typedef struct voxloom_tracker voxloom_tracker;

/** One grey frame. The pixels are read during the call only. */
typedef struct voxloom_frame {
  size_t struct_size;    /**< sizeof(voxloom_frame). */
  const void* pixels;    /**< First pixel of the top row. */
  size_t size_bytes;     /**< Of the buffer: at least stride_bytes * (height - 1) + one row. */
  int32_t width, height; /**< px, 1 to 16384. */
  int64_t stride_bytes;  /**< From a row to the next, at least width * bits / 8. */
  int32_t bits;          /**< 8, or 16 in the byte order of the machine. */
  int32_t white; /**< Pixel value shown as white: 4095 for 12 bits in 16; 0: all bits set. */
  int64_t capture_time_ns; /**< Of any clock that never runs back; never before the last frame's. */
  double pixel_mm;         /**< Edge of a pixel in mm; 0: the option "pixel_mm", or unknown. */
} voxloom_frame;

/** A position (px) or a unit vector in the frame. */
typedef struct voxloom_point {
  double x, y;
} voxloom_point;

typedef struct voxloom_line {
  const voxloom_point* points; /**< Base first, tip last, about 1 px apart. */
  size_t count;
} voxloom_line;

/** Points first ... last of the centre line were joined by the tracker; nothing was seen there. */
typedef struct voxloom_gap {
  size_t first, last;
  double length_px;
} voxloom_gap;

typedef struct voxloom_stage {
  const char* name; /**< "network", "paths", "curve". */
  double ms;
} voxloom_stage;

/** What was found in one frame. Belongs to the tracker and lives, with all that it points to, until
 * the next call with that tracker. */
typedef struct voxloom_wire_result {
  int64_t number;          /**< From 0 since creation or reset. */
  int64_t capture_time_ns; /**< As given with the frame. */
  double time_s;           /**< Since the first frame. */
  double age_ms;           /**< From the call of voxloom_tracker_push() until this was complete. */
  voxloom_wire_state state;
  int32_t predicted;  /**< 1: centre line and tip come from motion; nothing was seen. */
  const char* reason; /**< Why predicted or lost; "" while tracking. */

  int64_t width, height; /**< px, of the frame. */
  const uint8_t* mask;   /**< [height][width] 0 or 1: what was seen, never predicted. */
  const char* mask_rle;  /**< The same as COCO's compressed run lengths. */
  int64_t box[4];        /**< x, y, width, height of the mask in px; zeros when it is empty. */
  double score;          /**< Mean probability over the mask, 0 to 1. */

  voxloom_line centerline;           /**< The main wire's; empty when lost. */
  const uint8_t* centerline_bridged; /**< [centerline.count] 1 where nothing was seen. */
  const voxloom_gap* gaps;
  size_t gap_count;
  const voxloom_line* other_wires;
  size_t other_wire_count;

  int32_t spline_degree;      /**< 3; 0 when there is no spline. */
  const double* spline_knots; /**< [spline_coefficient_count + 4], px of chord length. */
  const voxloom_point* spline_coefficients; /**< Curve over [knots[3], knots[count]]. */
  size_t spline_knot_count, spline_coefficient_count;

  int32_t has_tip;
  voxloom_point tip;           /**< px, finer than a pixel. */
  voxloom_point tip_direction; /**< Unit vector, out of the wire. */
  double tip_confidence;       /**< 0 to 1: mean probability of the last 15 px; 0 when predicted. */

  double length_px;                            /**< Of the centre line. */
  double width_px;                             /**< Median over the wire; 0: not seen. */
  double min_curvature_radius_px;              /**< 0: straight, or not seen. */
  double pixel_mm, length_mm;                  /**< 0: unknown. */
  int64_t components_before, components_after; /**< Of the mask, around the filter. */

  const voxloom_stage* stages; /**< Where the time went, in order. */
  size_t stage_count;
} voxloom_wire_result;

/** The ABI number of the library that is loaded. */
VOXLOOM_C_API uint32_t voxloom_tracker_abi(void);

/** "0.1.0+...": the build of the library. */
VOXLOOM_C_API const char* voxloom_version(void);

/** "ok", "invalid_argument", ... */
VOXLOOM_C_API const char* voxloom_status_name(voxloom_status status);

/** Why the last call of this thread failed: `<where>: <what must hold>, got <value>`; "" when it
 * did not. Valid until the thread's next call. */
VOXLOOM_C_API const char* voxloom_last_error(void);

/** Makes a tracker. Opens libvoxloom_ml.so on first need (0.2 s).
 * abi      VOXLOOM_TRACKER_ABI.
 * package  Folder of a model package, or its name (looked for in $VOXLOOM_MODELS, ./models,
 *          share/voxloom/models beside the library and the user's data folder).
 * options  JSON object, NULL or "" for the defaults. The names are those of the options of
 *          `voxloom wire track` with '_' for '-': "high", "low", "min_length_px", "max_wires",
 *          "bridge_px", "predict_frames", "temporal", "bright", "pixel_mm", "engine", "precision",
 *          "device", "threads", ...; those that name a source or an output don't exist here.
 * tracker  Set to NULL on failure. */
VOXLOOM_C_API voxloom_status voxloom_tracker_create(uint32_t abi,
                                                    const char* package,
                                                    const char* options,
                                                    voxloom_tracker** tracker);

/** The model and how it runs, as a JSON object: name, architecture, engine, precision, classes.
 * Lives as long as the tracker. */
VOXLOOM_C_API voxloom_status voxloom_tracker_info(voxloom_tracker* tracker, const char** json);

/** Computes one empty frame of that size and resets, so that the first real one is as fast as the
 * rest (networks are compiled for one size of frame). */
VOXLOOM_C_API voxloom_status voxloom_tracker_warm_up(voxloom_tracker* tracker,
                                                     int32_t width,
                                                     int32_t height);

/** Finds the wire in the next frame of the stream. result may be NULL. */
VOXLOOM_C_API voxloom_status voxloom_tracker_push(voxloom_tracker* tracker,
                                                  const voxloom_frame* frame,
                                                  const voxloom_wire_result** result);

/** The result of the last push as `voxloom wire track` writes it, one line of JSON, with
 * "capture_time_ns". Lives until the next call with that tracker; the result itself stays, too. */
VOXLOOM_C_API voxloom_status voxloom_tracker_json(voxloom_tracker* tracker, const char** json);

/** Forgets earlier frames: call before another stream. */
VOXLOOM_C_API voxloom_status voxloom_tracker_reset(voxloom_tracker* tracker);

/** Frees the tracker; NULL is fine. Not while another thread uses it. */
VOXLOOM_C_API void voxloom_tracker_destroy(voxloom_tracker* tracker);

#ifdef __cplusplus
}
#endif
