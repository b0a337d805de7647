#include "voxloom/train/run_report.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "voxloom/core/format.h"
#include "voxloom/core/html.h"
#include "voxloom/core/svg_plot.h"
#include "voxloom/io/raster.h"

namespace voxloom::train {
namespace {

using nlohmann::ordered_json;

std::string row(std::string_view name, std::string_view value) {
  return format("<tr><td>{}</td><td>{}</td></tr>\n", html_escape(name), html_escape(value));
}

std::string duration_text(double seconds) {
  if (seconds < 60) return format("{:.1f} s", seconds);
  const auto whole = static_cast<int64_t>(seconds);
  return format("{}:{:02}:{:02} h", whole / 3600, whole / 60 % 60, whole % 60);
}

std::string value_text(const ordered_json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

/// Curves by name, in order of name.
using Curves = std::map<std::string, LineSeries>;

void add_point(Curves& curves, const std::string& name, double step, const ordered_json& value) {
  if (!value.is_number()) return;
  LineSeries& line = curves[name];
  line.label = name;
  line.x.push_back(step);
  line.y.push_back(value.get<double>());
}

std::vector<LineSeries> lines_of(const Curves& curves) {
  std::vector<LineSeries> lines;
  for (const auto& [name, line] : curves) lines.push_back(line);
  return lines;
}

bool all_positive(const Curves& curves) {
  return std::all_of(curves.begin(), curves.end(), [](const auto& item) {
    return std::all_of(
        item.second.y.begin(), item.second.y.end(), [](double y) { return y > 0.0; });
  });
}

/// Plots with one scale each: losses together, every validation metric alone.
std::string curves_html(const Run& run) {
  Curves losses, rates, metrics;
  for (const ordered_json& line : read_metrics(run.metrics_file())) {
    const double step = line.value("step", 0.0);
    if (line.value("kind", "") == "train") {
      if (line.contains("loss")) add_point(losses, "loss", step, line["loss"]);
      if (line.contains("lr")) add_point(rates, "learning rate", step, line["lr"]);
      if (!line.contains("terms")) continue;
      for (const auto& [name, value] : line["terms"].items()) {
        add_point(losses, name, step, value);
      }
    } else if (line.contains("metrics")) {
      for (const auto& [name, value] : line["metrics"].items()) {
        add_point(metrics, name, step, value);
      }
    }
  }
  std::string html = "<h2>Training</h2>\n";
  html += svg_line_plot("Training loss", "step", lines_of(losses), all_positive(losses));
  html += svg_line_plot("Learning rate", "step", lines_of(rates));
  html += "\n<h2>Validation</h2>\n";
  for (const auto& [name, line] : metrics) {
    html += svg_line_plot(name, "step", std::span(&line, 1)) + "\n";
  }
  return html;
}

std::string pictures_html(const std::vector<Picture>& pictures) {
  if (pictures.empty()) return "";
  std::string html = "<h2>Pictures of the last validation</h2>\n";
  for (const Picture& picture : pictures) {
    const std::string png =
        io::encode_png(io::rgb_raster(picture.width, picture.height, picture.rgb));
    html += format("<figure>{}<figcaption>{}</figcaption></figure>\n",
                   html_image(std::as_bytes(std::span(png.data(), png.size())), picture.name),
                   html_escape(picture.name));
  }
  return html;
}

std::string state_html(const TrainerOptions& options,
                       const TrainingState& state,
                       int64_t total_steps) {
  const double step_s = std::max(1e-9, state.step_s);
  std::string html = "<table>\n";
  html += row("steps", format("{} of {}", state.step, total_steps));
  if (state.skipped_steps > 0) html += row("skipped steps", format("{}", state.skipped_steps));
  html += row("time", duration_text(state.elapsed_s));
  html += row("time in training steps", duration_text(state.step_s));
  html += row("items per second", format("{:.2f}", static_cast<double>(state.items) / step_s));
  html += row("waiting for the loader", format("{:.2f} %", 100.0 * state.loader_wait_s / step_s));
  html += "</table>\n<h2>Best validation</h2>\n";
  if (state.best_step == 0) return html + "<p class=\"note\">None yet.</p>\n";
  html += format(
      "<p>Step {}, chosen by {}.</p>\n<table>\n", state.best_step, html_escape(options.metric));
  for (const auto& [name, value] : state.best_metrics) html += row(name, format("{:.5g}", value));
  return html + "</table>\n";
}

}  // namespace

void write_report(const Run& run,
                  const TrainerOptions& options,
                  const TrainingState& state,
                  int64_t total_steps,
                  const std::vector<Picture>& pictures) {
  const RunInfo& info = run.info();
  const std::string name = run.folder().filename().string();
  std::string body = format("<h1>Training run {}</h1>\n", html_escape(name));
  body += state_html(options, state, total_steps);
  body += curves_html(run);
  body += pictures_html(pictures);
  body += "<h2>Options</h2>\n<table>\n";
  body += row("command line", info.command_line);
  body += row("version", info.version);
  body += row("threads", format("{}", info.threads));
  body += row("data fingerprint", info.data_fingerprint);
  for (const auto& note : info.notes) body += row("note", note);
  for (const auto& [key, value] : info.options.items()) body += row(key, value_text(value));
  body += "</table>\n";
  AtomicFile file(run.report(), Overwrite::kReplace);
  file.write(html_page("Training run " + name, body));
  file.commit();
}

std::string options_markdown(const RunInfo& info) {
  std::string text = "| option | value |\n|---|---|\n";
  for (const auto& [key, value] : info.options.items()) {
    text += format("| {} | `{}` |\n", key, value_text(value));
  }
  return text;
}

}  // namespace voxloom::train
