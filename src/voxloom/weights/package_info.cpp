// model.yaml: both directions between text and PackageInfo.
#include <algorithm>
#include <cmath>

#include "voxloom/core/error.h"
#include "voxloom/core/yaml_text.h"
#include "voxloom/weights/package.h"

namespace voxloom::weights {
namespace {

using nlohmann::ordered_json;

bool is_sha256(const std::string& text) {
  return text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

/// Takes the fields of one object and keeps a list of everything that is wrong.
class Fields {
 public:
  Fields(const ordered_json& object, std::string prefix, std::vector<std::string>& problems)
      : object_(object), prefix_(std::move(prefix)), problems_(problems) {}

  /// The value of `key`, or nullptr with a problem noted where it is required.
  const ordered_json* take(const std::string& key, bool required) {
    known_.push_back(key);
    const auto it = object_.find(key);
    if (it != object_.end()) return &*it;
    if (required) problem(key, "is missing");
    return nullptr;
  }
  void text(const std::string& key, std::string& field, bool required) {
    const ordered_json* value = take(key, required);
    if (value == nullptr) return;
    if (!value->is_string()) {
      problem(key, "must be text");
    } else if (value->get_ref<const std::string&>().empty() && required) {
      problem(key, "must not be empty");
    } else {
      field = value->get<std::string>();
    }
  }
  void sha256(const std::string& key, std::string& field, bool required) {
    std::string value;
    text(key, value, required);
    if (!value.empty() && !is_sha256(value)) {
      problem(key, "must be 64 lower-case hexadecimal digits");
    }
    field = std::move(value);
  }
  void integer(const std::string& key, int64_t lowest, int64_t& field) {
    const ordered_json* value = take(key, true);
    if (value == nullptr) return;
    if (!value->is_number_integer() || value->get<int64_t>() < lowest) {
      problem(key, format("must be an integer of at least {}", lowest));
    } else {
      field = value->get<int64_t>();
    }
  }
  void flag(const std::string& key, bool& field) {
    const ordered_json* value = take(key, true);
    if (value == nullptr) return;
    if (value->is_boolean()) {
      field = value->get<bool>();
    } else {
      problem(key, "must be true or false");
    }
  }
  const ordered_json* object(const std::string& key, bool required) {
    const ordered_json* value = take(key, required);
    if (value == nullptr || value->is_object()) return value;
    problem(key, "must be a group of keys");
    return nullptr;
  }
  void refuse_others() {
    for (const auto& item : object_.items()) {
      if (std::find(known_.begin(), known_.end(), item.key()) == known_.end()) {
        problem(item.key(), "is not a key of this format");
      }
    }
  }
  void problem(const std::string& key, const std::string& what) {
    problems_.push_back("'" + prefix_ + key + "' " + what);
  }

 private:
  const ordered_json& object_;
  std::string prefix_;
  std::vector<std::string>& problems_;
  std::vector<std::string> known_;
};

void read_labels(const ordered_json& list, PackageInfo& info, std::vector<std::string>& problems) {
  if (!list.is_array()) {
    problems.push_back("'labels' must be a list");
    return;
  }
  for (size_t i = 0; i < list.size(); ++i) {
    if (!list[i].is_object()) {
      problems.push_back(format("'labels[{}]' must have value and name", i));
      continue;
    }
    PackageLabel label;
    Fields fields(list[i], format("labels[{}].", i), problems);
    fields.integer("value", 1, label.value);
    fields.text("name", label.name, true);
    fields.refuse_others();
    for (const PackageLabel& other : info.labels) {
      if (other.value == label.value) {
        problems.push_back(format("'labels' has the value {} twice", label.value));
      }
    }
    info.labels.push_back(std::move(label));
  }
}

void read_gate(const ordered_json& object, PackageInfo& info, std::vector<std::string>& problems) {
  Fields gates(object, "precision_gate.", problems);
  if (const ordered_json* bf16 = gates.object("bf16", false)) {
    PrecisionGate gate;
    Fields fields(*bf16, "precision_gate.bf16.", problems);
    if (const ordered_json* dice = fields.take("mask_dice", true)) {
      if (dice->is_number() && dice->get<double>() >= 0 && dice->get<double>() <= 1) {
        gate.mask_dice = dice->get<double>();
      } else {
        fields.problem("mask_dice", "must be a number from 0 to 1");
      }
    }
    fields.flag("passed", gate.passed);
    fields.integer("slices", 1, gate.slices);
    fields.text("host", gate.host, false);
    fields.refuse_others();
    info.bf16 = std::move(gate);
  }
  gates.refuse_others();
}

}  // namespace

ordered_json package_info_to_json(const PackageInfo& info) {
  ordered_json json;
  json["format_version"] = info.format_version;
  json["task"] = info.task;
  json["architecture"] = info.architecture;
  json["variant"] = info.variant;
  json["options"] = info.options;
  json["preprocessing"] = info.preprocessing;
  json["labels"] = ordered_json::array();
  for (const PackageLabel& label : info.labels) {
    json["labels"].push_back(ordered_json({{"value", label.value}, {"name", label.name}}));
  }
  json["weights"] = {{"sha256", info.weights_sha256},
                     {"fingerprint", info.weights_fingerprint},
                     {"parameters", info.parameters}};
  json["licence"] = info.licence;
  if (!info.source_file.empty()) {
    json["source"] = {{"file", info.source_file}, {"sha256", info.source_sha256}};
  }
  if (info.bf16) {
    json["precision_gate"]["bf16"] = {{"mask_dice", info.bf16->mask_dice},
                                      {"passed", info.bf16->passed},
                                      {"slices", info.bf16->slices},
                                      {"host", info.bf16->host}};
  }
  json["created_by"] = info.created_by;
  return json;
}

PackageInfo package_info_from_json(const ordered_json& json, const std::string& where) {
  VOXLOOM_CHECK(
      json.is_object(), ErrorCode::kDataCorrupt, "{}: must be a group of keys at the top", where);
  PackageInfo info;
  std::vector<std::string> problems;
  Fields top(json, "", problems);
  top.integer("format_version", 1, info.format_version);
  VOXLOOM_CHECK(info.format_version == 1,
                ErrorCode::kUnsupported,
                "{}: format version must be 1, got {}; a newer version of this program is needed",
                where,
                info.format_version);
  top.text("task", info.task, true);
  const std::string tasks[] = {"segment", "wire", "stage", "anomaly"};
  if (!info.task.empty() &&
      std::find(std::begin(tasks), std::end(tasks), info.task) == std::end(tasks)) {
    top.problem("task", "must be segment, wire, stage or anomaly, got '" + info.task + "'");
  }
  top.text("architecture", info.architecture, true);
  top.text("variant", info.variant, true);
  if (const ordered_json* options = top.object("options", false)) info.options = *options;
  if (const ordered_json* steps = top.object("preprocessing", false)) info.preprocessing = *steps;
  if (const ordered_json* labels = top.take("labels", false)) {
    read_labels(*labels, info, problems);
  }
  if (const ordered_json* weights = top.object("weights", true)) {
    Fields fields(*weights, "weights.", problems);
    fields.sha256("sha256", info.weights_sha256, true);
    fields.sha256("fingerprint", info.weights_fingerprint, true);
    fields.integer("parameters", 0, info.parameters);
    fields.refuse_others();
  }
  top.text("licence", info.licence, true);
  if (const ordered_json* source = top.object("source", false)) {
    Fields fields(*source, "source.", problems);
    fields.text("file", info.source_file, true);
    fields.sha256("sha256", info.source_sha256, true);
    fields.refuse_others();
  }
  if (const ordered_json* gate = top.object("precision_gate", false)) {
    read_gate(*gate, info, problems);
  }
  top.text("created_by", info.created_by, false);
  top.refuse_others();
  if (!problems.empty()) {
    std::string list;
    for (const std::string& p : problems) list += (list.empty() ? "" : "; ") + p;
    throw Error(ErrorCode::kDataCorrupt, where + ": " + list);
  }
  return info;
}

PackageInfo parse_package_info(std::string_view yaml, const std::string& where) {
  return package_info_from_json(parse_yaml(yaml, where), where);
}

}  // namespace voxloom::weights
