#include "help.h"

#include <algorithm>
#include <sstream>

#include "voxloom/core/format.h"

namespace voxloom::app {
namespace {

constexpr size_t kWidth = 96;

/// Breaks text at blanks so that no line passes kWidth; later lines start with `indent` blanks.
std::string wrap(const std::string& text, size_t first_column, size_t indent) {
  std::istringstream words(text);
  std::string out, word;
  size_t column = first_column;
  bool fresh = true;
  while (words >> word) {
    if (!fresh && column + 1 + word.size() > kWidth) {
      out += "\n" + std::string(indent, ' ');
      column = indent;
      fresh = true;
    }
    if (!fresh) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
    fresh = false;
  }
  return out;
}

std::vector<std::string> paragraphs(const std::string& text) {
  std::vector<std::string> list;
  size_t start = 0;
  while (start < text.size()) {
    const size_t end = std::min(text.find("\n\n", start), text.size());
    list.push_back(text.substr(start, end - start));
    start = end + 2;
  }
  return list;
}

std::string value_text(const OptionSpec& spec) {
  if (spec.kind == OptionSpec::Kind::kFlag) return "";
  if (!spec.choices.empty()) {
    std::string text;
    for (const auto& choice : spec.choices) text += (text.empty() ? "" : "|") + choice;
    return text;
  }
  return spec.value_name;
}

/// "--fill-holes, --no-fill-holes" for a flag that is on by default.
std::string flag_names(const OptionSpec& spec) {
  const bool on = spec.kind == OptionSpec::Kind::kFlag && spec.default_text == "true";
  return on ? spec.name + ", --no-" + spec.name.substr(2) : spec.name;
}

std::string facts(const OptionSpec& spec) {
  std::string text;
  const auto add = [&text](const std::string& fact) { text += (text.empty() ? "" : "; ") + fact; };
  if (spec.range) add(format("{} to {}", (*spec.range)[0], (*spec.range)[1]));
  if (spec.kind == OptionSpec::Kind::kTextList) add("may be repeated");
  if (spec.kind == OptionSpec::Kind::kFlag) {
    if (spec.default_text == "true") add("default on");
  } else if (!spec.default_text.empty()) {
    add("default " + spec.default_text);
  }
  return text.empty() ? "" : " (" + text + ")";
}

std::string usage_line(const Command& command, const OptionList& own) {
  std::string line = "voxloom " + command.name;
  for (const auto& spec : own.specs()) {
    if (spec.positional) line += spec.required ? " " + spec.name : " [" + spec.name + "]";
  }
  for (const auto& spec : own.specs()) {
    if (!spec.positional && spec.required) line += " " + spec.name + " " + value_text(spec);
  }
  return line + " [options]";
}

struct Lists {
  std::unique_ptr<Invocation> invocation;
  CommonOptions common_options;
  OptionList own, common;
};

Lists lists_of(const Command& command) {
  Lists lists;
  lists.invocation = command.make();
  lists.invocation->visit(lists.own);
  lists.common_options.visit(lists.common);
  return lists;
}

void print_specs(std::ostringstream& out, const OptionList& list, bool positional) {
  for (const auto& spec : list.specs()) {
    if (spec.positional != positional) continue;
    const std::string value = value_text(spec);
    std::string head = "  " + flag_names(spec);
    if (!positional && !value.empty()) head += " " + value;
    constexpr size_t kColumn = 28;
    out << head;
    if (head.size() + 2 > kColumn) {
      out << "\n" << std::string(kColumn, ' ');
    } else {
      out << std::string(kColumn - head.size(), ' ');
    }
    out << wrap(spec.help + facts(spec), kColumn, kColumn) << "\n";
  }
}

void markdown_specs(std::ostringstream& out, const OptionList& list, bool positional) {
  out << "| " << (positional ? "argument" : "option") << " | meaning |\n|---|---|\n";
  for (const auto& spec : list.specs()) {
    if (spec.positional != positional) continue;
    std::string value = value_text(spec);
    std::string head = flag_names(spec) + (positional || value.empty() ? "" : " " + value);
    std::string cell;
    for (const char c : head) cell += c == '|' ? std::string("\\|") : std::string(1, c);
    std::string help;
    for (const char c : spec.help + facts(spec)) {
      help += c == '|' ? std::string("\\|") : std::string(1, c);
    }
    out << "| `" << cell << "` | " << help << " |\n";
  }
  out << "\n";
}

}  // namespace

std::string overview_text() {
  std::ostringstream out;
  out << "voxloom: medical images to labels, in one native program\n\n"
         "Usage: voxloom <command> [arguments]\n\nCommands:\n";
  for (const auto& command : commands()) {
    out << "  " << command.name << std::string(18 - std::min<size_t>(17, command.name.size()), ' ')
        << wrap(command.summary, 20, 20) << "\n";
  }
  out << "\nStart with 'voxloom demo'. 'voxloom <command> --help' teaches a command;\n"
         "'voxloom --version' prints the version.\n";
  return out.str();
}

std::string help_text(const Command& command) {
  const Lists lists = lists_of(command);
  std::ostringstream out;
  out << command.summary << "\n\nUsage: " << usage_line(command, lists.own) << "\n";
  for (const auto& paragraph : paragraphs(command.details)) {
    out << "\n" << wrap(paragraph, 0, 0) << "\n";
  }
  const auto& specs = lists.own.specs();
  if (std::any_of(specs.begin(), specs.end(), [](const auto& s) { return s.positional; })) {
    out << "\nArguments:\n";
    print_specs(out, lists.own, true);
  }
  if (std::any_of(specs.begin(), specs.end(), [](const auto& s) { return !s.positional; })) {
    out << "\nOptions:\n";
    print_specs(out, lists.own, false);
  }
  out << "\nCommon options:\n";
  print_specs(out, lists.common, false);
  if (!command.examples.empty()) out << "\nExamples:\n";
  for (const auto& [line, what] : command.examples) {
    out << "  " << line << "\n      " << wrap(what, 6, 6) << "\n";
  }
  if (!command.references.empty()) out << "\nReferences:\n";
  for (const auto& reference : command.references) {
    out << "  " << wrap(reference, 2, 2) << "\n";
  }
  return out.str();
}

std::string reference_page(const Command& command) {
  const Lists lists = lists_of(command);
  std::ostringstream out;
  out << "# voxloom " << command.name << "\n\n"
      << command.summary << "\n\n```\n"
      << usage_line(command, lists.own) << "\n```\n\n";
  for (const auto& paragraph : paragraphs(command.details)) out << wrap(paragraph, 0, 0) << "\n\n";
  const auto& specs = lists.own.specs();
  if (std::any_of(specs.begin(), specs.end(), [](const auto& s) { return s.positional; })) {
    markdown_specs(out, lists.own, true);
  }
  if (std::any_of(specs.begin(), specs.end(), [](const auto& s) { return !s.positional; })) {
    markdown_specs(out, lists.own, false);
  }
  out << "Common options:\n\n";
  markdown_specs(out, lists.common, false);
  if (!command.examples.empty()) {
    out << "Examples:\n\n```\n";
    for (const auto& [line, what] : command.examples) out << "# " << what << "\n" << line << "\n";
    out << "```\n\n";
  }
  if (!command.references.empty()) {
    out << "References:\n\n";
    for (const auto& reference : command.references) out << "- " << reference << "\n";
    out << "\n";
  }
  out << "(Printed by `voxloom help --markdown`; edit the command's source, not this page.)\n";
  return out.str();
}

std::string reference_file_name(const Command& command) {
  std::string name = command.name;
  std::replace(name.begin(), name.end(), ' ', '-');
  return name + ".md";
}

std::string bash_completion() {
  std::ostringstream out;
  std::vector<std::string> heads;
  for (const auto& command : commands()) {
    const std::string head = command.name.substr(0, command.name.find(' '));
    if (std::find(heads.begin(), heads.end(), head) == heads.end()) heads.push_back(head);
  }
  out << "_voxloom() {\n  local cur=${COMP_WORDS[COMP_CWORD]} words\n"
         "  case \"${COMP_WORDS[1]} ${COMP_WORDS[2]}\" in\n";
  // Two-word commands first: the pattern of "segment" would catch "segment eval" too.
  for (const bool two_words : {true, false}) {
    for (const auto& command : commands()) {
      if ((command.name.find(' ') != std::string::npos) != two_words) continue;
      const Lists lists = lists_of(command);
      out << "    \"" << command.name << (two_words ? "\"*" : " \"*") << ") words=\"";
      for (const auto* list : {&lists.own, &lists.common}) {
        for (const auto& spec : list->specs()) {
          if (spec.positional) continue;
          std::string names = flag_names(spec);
          std::erase(names, ',');
          out << names << " ";
        }
      }
      out << "--help\" ;;\n";
    }
  }
  out << "    *) words=\"";
  for (const auto& head : heads) out << head << " ";
  out << "--help --version\" ;;\n  esac\n"
         "  if [[ $COMP_CWORD -eq 2 && $cur != -* ]]; then\n    case ${COMP_WORDS[1]} in\n";
  for (const auto& head : heads) {
    std::string verbs;
    for (const auto& command : commands()) {
      if (command.name.rfind(head + " ", 0) == 0) {
        verbs += (verbs.empty() ? "" : " ") + command.name.substr(head.size() + 1);
      }
    }
    if (!verbs.empty()) out << "      " << head << ") words=\"" << verbs << "\" ;;\n";
  }
  out << "    esac\n  fi\n"
         "  if [[ $COMP_CWORD -gt 1 && $cur != -* && $COMP_CWORD -ne 2 ]]; then\n"
         "    COMPREPLY=($(compgen -f -- \"$cur\"))\n  else\n"
         "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\") $(compgen -f -- \"$cur\"))\n  fi\n}\n"
         "complete -o filenames -F _voxloom voxloom\n";
  return out.str();
}

}  // namespace voxloom::app
