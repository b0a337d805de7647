/* A guidewire tracker inside a program in C: frames in, the tip out, a line a frame.
 *
 *   tracker [--options JSON] [--fps N] [--json] PACKAGE FRAME.pgm...
 *   tracker [...] --raw WIDTHxHEIGHT[x16] PACKAGE FILE      frames one after the other, "-": stdin
 *
 * A controller would take frames from its grabber instead, with the clock's time of each. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <voxloom/voxloom_tracker.h>

typedef struct picture {
  unsigned char* pixels;
  size_t size_bytes;
  int width, height, bits, white;
} picture;

static int failed(const char* what) {
  fprintf(stderr, "%s: %s\n", what, voxloom_last_error());
  return 1;
}

/* PGM, binary: "P5 WIDTH HEIGHT WHITE", one white space, pixels. Returns 0 when it was read. */
static int read_pgm(const char* path, picture* out) {
  FILE* file = fopen(path, "rb");
  int good =
      file != NULL && fscanf(file, "P5 %d %d %d", &out->width, &out->height, &out->white) == 3;
  good = good && out->width > 0 && out->height > 0 && out->width <= 16384 && out->height <= 16384 &&
         out->white > 0 && out->white <= 65535 && fgetc(file) != EOF;
  if (good) {
    out->bits = out->white > 255 ? 16 : 8;
    out->size_bytes = (size_t)out->width * (size_t)out->height * (size_t)(out->bits / 8);
    free(out->pixels);
    out->pixels = malloc(out->size_bytes);
    good = out->pixels != NULL && fread(out->pixels, 1, out->size_bytes, file) == out->size_bytes;
  }
  if (file != NULL) fclose(file);
  if (!good) {
    fprintf(stderr, "%s: must be a binary PGM picture (P5)\n", path);
    return 1;
  }
  if (out->bits == 16) { /* PGM has the high byte first; the tracker takes the machine's order. */
    for (size_t i = 0; i + 1 < out->size_bytes; i += 2) {
      const uint16_t value = (uint16_t)(out->pixels[i] << 8 | out->pixels[i + 1]);
      memcpy(out->pixels + i, &value, sizeof value);
    }
  }
  return 0;
}

/* One frame through the tracker and onto standard output. Returns 0 when that worked. */
static int track(voxloom_tracker* tracker, const picture* grey, int64_t time_ns, int as_json) {
  const voxloom_frame frame = {.struct_size = sizeof frame,
                               .pixels = grey->pixels,
                               .size_bytes = grey->size_bytes,
                               .width = grey->width,
                               .height = grey->height,
                               .stride_bytes = (int64_t)grey->width * (grey->bits / 8),
                               .bits = grey->bits,
                               .white = grey->white,
                               .capture_time_ns = time_ns};
  const voxloom_wire_result* found = NULL;
  if (voxloom_tracker_push(tracker, &frame, &found) != VOXLOOM_OK) return failed("frame");
  if (as_json) {
    const char* line = NULL;
    if (voxloom_tracker_json(tracker, &line) != VOXLOOM_OK) return failed("result");
    puts(line);
    return 0;
  }
  printf("frame %lld ", (long long)found->number);
  if (found->state == VOXLOOM_WIRE_LOST) {
    printf("lost: %s\n", found->reason);
  } else if (found->has_tip) {
    printf("tip %.2f %.2f confidence %.2f%s, %zu points, %zu gaps, %.1f ms\n",
           found->tip.x,
           found->tip.y,
           found->tip_confidence,
           found->predicted ? " predicted" : "",
           found->centerline.count,
           found->gap_count,
           found->age_ms);
  }
  return 0;
}

static int track_raw(
    voxloom_tracker* tracker, picture* grey, const char* path, double fps, int as_json) {
  FILE* file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
  if (file == NULL) {
    perror(path);
    return 1;
  }
  int status = 0;
  grey->pixels = malloc(grey->size_bytes);
  for (int64_t i = 0; status == 0 && grey->pixels != NULL; ++i) {
    const size_t got = fread(grey->pixels, 1, grey->size_bytes, file);
    if (got == 0) break;
    if (got != grey->size_bytes) {
      fprintf(stderr, "%s: frame %lld ends early\n", path, (long long)i);
      status = 1;
      break;
    }
    status = track(tracker, grey, (int64_t)((double)i / fps * 1e9 + 0.5), as_json);
  }
  if (file != stdin) fclose(file);
  return status;
}

int main(int argc, char** argv) {
  const char* options = "{}";
  picture grey = {0};
  double fps = 15.0;
  int as_json = 0, raw = 0, next = 1;
  for (; next < argc && strncmp(argv[next], "--", 2) == 0; ++next) {
    if (strcmp(argv[next], "--json") == 0) {
      as_json = 1;
    } else if (strcmp(argv[next], "--options") == 0 && next + 1 < argc) {
      options = argv[++next];
    } else if (strcmp(argv[next], "--fps") == 0 && next + 1 < argc) {
      fps = atof(argv[++next]);
    } else if (strcmp(argv[next], "--raw") == 0 && next + 1 < argc) {
      grey.bits = 8;
      raw = sscanf(argv[++next], "%dx%dx%d", &grey.width, &grey.height, &grey.bits) >= 2;
    } else {
      break;
    }
  }
  if (argc - next < 2 || !(fps > 0.0) || (raw && (grey.width <= 0 || grey.height <= 0))) {
    fprintf(stderr,
            "usage: tracker [--options JSON] [--fps N] [--json] [--raw WIDTHxHEIGHT[x16]] "
            "PACKAGE FRAME...\n");
    return 2;
  }
  if (raw) {
    grey.size_bytes = (size_t)grey.width * (size_t)grey.height * (size_t)(grey.bits / 8);
  }

  voxloom_tracker* tracker = NULL;
  if (voxloom_tracker_create(VOXLOOM_TRACKER_ABI, argv[next], options, &tracker) != VOXLOOM_OK) {
    return failed("tracker");
  }
  const char* model = NULL;
  int status = voxloom_tracker_info(tracker, &model) == VOXLOOM_OK ? 0 : failed("model");
  if (status == 0) fprintf(stderr, "voxloom %s, model %s\n", voxloom_version(), model);
  if (raw && status == 0) {
    status = track_raw(tracker, &grey, argv[next + 1], fps, as_json);
  } else {
    for (int i = next + 1; status == 0 && i < argc; ++i) {
      status = read_pgm(argv[i], &grey);
      const double seconds = (double)(i - next - 1) / fps;
      if (status == 0) status = track(tracker, &grey, (int64_t)(seconds * 1e9 + 0.5), as_json);
    }
  }
  voxloom_tracker_destroy(tracker);
  free(grey.pixels);
  return status;
}
