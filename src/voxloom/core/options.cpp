#include "voxloom/core/options.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include <nlohmann/json.hpp>

#include "voxloom/core/error.h"

namespace voxloom {
namespace {

using nlohmann::ordered_json;

std::string join(const std::vector<std::string>& list, std::string_view separator) {
  std::string text;
  for (const auto& item : list) {
    if (!text.empty()) text += separator;
    text += item;
  }
  return text;
}

[[noreturn]] void bad_value(const std::string& name, std::string_view rule, std::string_view got) {
  throw Error(ErrorCode::kInvalidArgument, format("{}: must be {}, got '{}'", name, rule, got));
}

template <class T>
T parse_number(const std::string& name, const std::string& text, std::string_view rule) {
  T value{};
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, value);
  if (result.ec != std::errc{} || result.ptr != end) bad_value(name, rule, text);
  return value;
}

bool parse_bool(const std::string& name, const std::string& text) {
  if (text == "true" || text == "1" || text == "yes" || text == "on") return true;
  if (text == "false" || text == "0" || text == "no" || text == "off") return false;
  bad_value(name, "true or false", text);
}

const std::string& single(const std::string& name, const std::vector<std::string>& values) {
  VOXLOOM_CHECK(values.size() == 1,
                ErrorCode::kInvalidArgument,
                "{}: must be given once, got {} values",
                name,
                values.size());
  return values.front();
}

ordered_json typed_value(const OptionSpec& spec) {
  const std::string text = spec.get();
  switch (spec.kind) {
    case OptionSpec::Kind::kFlag:
      return text == "true";
    case OptionSpec::Kind::kInteger:
      return parse_number<int64_t>(spec.name, text, "a number");
    case OptionSpec::Kind::kNumber:
      return parse_number<double>(spec.name, text, "a number");
    case OptionSpec::Kind::kText:
      return text;
    case OptionSpec::Kind::kTextList:
      return text.empty() ? ordered_json::array() : ordered_json::parse(text);
  }
  return nullptr;
}

std::string scalar_text(const std::string& where, const ordered_json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean()) return value.get<bool>() ? "true" : "false";
  if (value.is_number()) return value.dump();
  throw Error(ErrorCode::kInvalidArgument,
              format("{}: must be text, a number or true/false, got {}", where, value.dump()));
}

}  // namespace

std::string OptionSpec::key() const {
  std::string text = name;
  text.erase(0, text.find_first_not_of('-'));
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) {
    return c == '-' ? '_' : static_cast<char>(std::tolower(c));
  });
  return text;
}

OptionSpec& OptionSpec::with_range(double lo, double hi) {
  range = {lo, hi};
  auto inner = set;
  const auto name_copy = name;
  set = [inner, name_copy, lo, hi](const std::vector<std::string>& values) {
    const auto value = parse_number<double>(name_copy, single(name_copy, values), "a number");
    VOXLOOM_CHECK(value >= lo && value <= hi,
                  ErrorCode::kInvalidArgument,
                  "{}: must lie within [{}, {}], got {}",
                  name_copy,
                  lo,
                  hi,
                  value);
    inner(values);
  };
  return *this;
}

OptionSpec& OptionSpec::with_choices(std::vector<std::string> list) {
  choices = std::move(list);
  auto inner = set;
  const auto name_copy = name;
  set = [inner, name_copy, allowed = choices](const std::vector<std::string>& values) {
    for (const auto& value : values) {
      if (std::find(allowed.begin(), allowed.end(), value) == allowed.end()) {
        bad_value(name_copy, "one of " + join(allowed, ", "), value);
      }
    }
    inner(values);
  };
  return *this;
}

OptionSpec& OptionSpec::with_value_name(std::string text) {
  value_name = std::move(text);
  return *this;
}

OptionSpec& OptionSpec::as_required() {
  required = true;
  default_text.clear();
  return *this;
}

OptionSpec& OptionSpec::as_speed_only() {
  speed_only = true;
  return *this;
}

OptionSpec& OptionList::add(OptionSpec spec) {
  spec.default_text = spec.get();
  specs_.push_back(std::move(spec));
  return specs_.back();
}

OptionSpec& OptionList::option(std::string name, bool& field, std::string help) {
  OptionSpec spec;
  spec.kind = OptionSpec::Kind::kFlag;
  spec.set = [&field, name](const std::vector<std::string>& values) {
    field = values.empty() || parse_bool(name, single(name, values));
  };
  spec.get = [&field] { return field ? "true" : "false"; };
  spec.name = std::move(name);
  spec.help = std::move(help);
  return add(std::move(spec));
}

OptionSpec& OptionList::option(std::string name, int64_t& field, std::string help) {
  OptionSpec spec;
  spec.kind = OptionSpec::Kind::kInteger;
  spec.value_name = "N";
  spec.set = [&field, name](const std::vector<std::string>& values) {
    field = parse_number<int64_t>(name, single(name, values), "a whole number");
  };
  spec.get = [&field] { return std::to_string(field); };
  spec.name = std::move(name);
  spec.help = std::move(help);
  return add(std::move(spec));
}

OptionSpec& OptionList::option(std::string name, double& field, std::string help) {
  OptionSpec spec;
  spec.kind = OptionSpec::Kind::kNumber;
  spec.value_name = "X";
  spec.set = [&field, name](const std::vector<std::string>& values) {
    const auto value = parse_number<double>(name, single(name, values), "a number");
    if (!std::isfinite(value)) bad_value(name, "finite", values.front());
    field = value;
  };
  spec.get = [&field] { return ordered_json(field).dump(); };
  spec.name = std::move(name);
  spec.help = std::move(help);
  return add(std::move(spec));
}

OptionSpec& OptionList::option(std::string name, std::string& field, std::string help) {
  OptionSpec spec;
  spec.value_name = "TEXT";
  spec.set = [&field, name](const std::vector<std::string>& values) {
    field = single(name, values);
  };
  spec.get = [&field] { return field; };
  spec.name = std::move(name);
  spec.help = std::move(help);
  return add(std::move(spec));
}

OptionSpec& OptionList::option(std::string name,
                               std::vector<std::string>& field,
                               std::string help) {
  OptionSpec spec;
  spec.kind = OptionSpec::Kind::kTextList;
  spec.value_name = "TEXT";
  spec.set = [&field](const std::vector<std::string>& values) { field = values; };
  spec.get = [&field] { return field.empty() ? std::string() : ordered_json(field).dump(); };
  spec.name = std::move(name);
  spec.help = std::move(help);
  return add(std::move(spec));
}

OptionSpec& OptionList::positional(std::string name, std::string& field, std::string help) {
  OptionSpec& spec = option(std::move(name), field, std::move(help));
  spec.positional = true;
  return spec;
}

OptionSpec& OptionList::positional(std::string name,
                                   std::vector<std::string>& field,
                                   std::string help) {
  OptionSpec& spec = option(std::move(name), field, std::move(help));
  spec.positional = true;
  return spec;
}

OptionSpec& OptionList::add_choice(std::string name,
                                   std::function<size_t()> get,
                                   std::function<void(size_t)> set,
                                   std::vector<std::string> names,
                                   std::string help) {
  OptionSpec spec;
  spec.get = [get = std::move(get), names] { return names.at(get()); };
  spec.set = [set = std::move(set), names, name](const std::vector<std::string>& values) {
    const auto found = std::find(names.begin(), names.end(), single(name, values));
    if (found == names.end()) bad_value(name, "one of " + join(names, ", "), values.front());
    set(static_cast<size_t>(found - names.begin()));
  };
  spec.name = std::move(name);
  spec.help = std::move(help);
  spec.choices = std::move(names);
  return add(std::move(spec));
}

OptionSpec& OptionList::custom(std::string name,
                               std::function<void(const std::string&)> set,
                               std::function<std::string()> get,
                               std::string help) {
  OptionSpec spec;
  spec.value_name = "TEXT";
  spec.set = [set = std::move(set), name](const std::vector<std::string>& values) {
    set(single(name, values));
  };
  spec.get = std::move(get);
  spec.name = std::move(name);
  spec.help = std::move(help);
  return add(std::move(spec));
}

OptionSpec* OptionList::find(std::string_view name_or_key) {
  for (auto& spec : specs_) {
    if (spec.name == name_or_key || spec.key() == name_or_key) return &spec;
  }
  return nullptr;
}

void OptionList::read_json(const ordered_json& object, std::string_view where) {
  VOXLOOM_CHECK(
      object.is_object(), ErrorCode::kInvalidArgument, "{}: must be a table of settings", where);
  std::vector<std::string> unknown;
  for (const auto& [key, value] : object.items()) {
    OptionSpec* spec = find(key);
    if (spec == nullptr) {
      unknown.push_back(key);
      continue;
    }
    std::vector<std::string> values;
    const std::string place = std::string(where) + ": " + key;
    if (value.is_array()) {
      for (const auto& item : value) values.push_back(scalar_text(place, item));
    } else {
      values.push_back(scalar_text(place, value));
    }
    try {
      spec->set(values);
    } catch (const Error& e) {
      throw e.with_context(where);
    }
  }
  if (!unknown.empty()) {
    std::vector<std::string> known;
    for (const auto& spec : specs_) known.push_back(spec.key());
    throw Error(ErrorCode::kInvalidArgument,
                format("{}: unknown settings {}; known are {}",
                       where,
                       join(unknown, ", "),
                       join(known, ", ")));
  }
}

ordered_json OptionList::to_json() const {
  ordered_json object = ordered_json::object();
  for (const auto& spec : specs_) object[spec.key()] = typed_value(spec);
  return object;
}

}  // namespace voxloom
