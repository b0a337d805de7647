#include "voxloom/core/error.h"
#include "voxloom/serve/auth/password.h"
#include "voxloom/serve/auth/tokens.h"
#include "voxloom/serve/auth/users.h"

#include "commands.h"
#include "password_prompt.h"

namespace voxloom::app {
namespace {

using nlohmann::ordered_json;

void visit_file(OptionList& list, std::string& users) {
  list.option("--users", users, "File with the accounts, as given to 'voxloom serve'.")
      .with_value_name("FILE")
      .as_required();
}

std::string joined(const std::vector<std::string>& roles) {
  std::string text;
  for (const auto& role : roles) text += (text.empty() ? "" : ",") + role;
  return text;
}

[[noreturn]] void no_such_user(const std::string& name) {
  throw Error(ErrorCode::kNotFound, format("user '{}' is not in the file", name));
}

struct AddArgs {
  std::string name, users;
  std::string roles = "user,annotator";

  void visit(OptionList& list) {
    list.positional("NAME", name, "Name to log in with.").as_required();
    visit_file(list, users);
    list.option("--roles", roles, "Of user, reviewer, annotator and admin; admin includes all.")
        .with_value_name("A,B");
  }
  void prepare(Context&) {
    serve::check_user_name(name);
    (void)serve::parse_roles(roles);
  }
};

int run_add(AddArgs& args, Context& context) {
  const auto refuse_second = [&](const serve::UserList& list) {
    VOXLOOM_CHECK(context.common.force || list.find(args.name) == nullptr,
                  ErrorCode::kAlreadyExists,
                  "user '{}' exists; use --force to give a new password and roles",
                  args.name);
  };
  // Before the question: nobody likes to type a password for nothing.
  if (std::filesystem::exists(args.users)) refuse_second(serve::load_users(args.users));
  const std::string password = ask_new_password();
  serve::check_password(password);
  serve::User user{args.name,
                   serve::hash_password(password),
                   serve::parse_roles(args.roles),
                   serve::random_hex(8)};
  serve::update_users(args.users, [&](serve::UserList& list) {
    refuse_second(list);
    list.put(user);
  });
  *context.out << format("user '{}' may log in as {}\n", user.name, joined(user.roles));
  context.result = {{"name", user.name}, {"roles", user.roles}};
  return 0;
}

struct ListArgs {
  std::string users;
  void visit(OptionList& list) { visit_file(list, users); }
};

int run_list(ListArgs& args, Context& context) {
  auto rows = ordered_json::array();
  for (const auto& user : serve::load_users(args.users).users) {
    *context.out << format("{:<24} {}\n", user.name, joined(user.roles));
    rows.push_back({{"name", user.name}, {"roles", user.roles}});
  }
  context.result["users"] = std::move(rows);
  return 0;
}

struct RemoveArgs {
  std::string name, users;
  void visit(OptionList& list) {
    list.positional("NAME", name, "Account to remove.").as_required();
    visit_file(list, users);
  }
};

int run_remove(RemoveArgs& args, Context& context) {
  VOXLOOM_CHECK(std::filesystem::exists(args.users),
                ErrorCode::kNotFound,
                "users file '{}' does not exist",
                args.users);
  serve::update_users(args.users, [&](serve::UserList& list) {
    if (!list.remove(args.name)) no_such_user(args.name);
  });
  *context.out << format("user '{}' is removed; their tokens are void\n", args.name);
  context.result["removed"] = args.name;
  return 0;
}

struct TokenArgs {
  std::string name, users;
  double hours = 24.0 * 30.0;
  void visit(OptionList& list) {
    list.positional("NAME", name, "Account that the program acts for.").as_required();
    visit_file(list, users);
    list.option("--expires-h", hours, "Hours until the token ends.")
        .with_value_name("H")
        .with_range(0.01, 24.0 * 3660.0);
  }
};

int run_token(TokenArgs& args, Context& context) {
  const auto list = serve::load_users(args.users);
  const serve::User* user = list.find(args.name);
  if (user == nullptr) no_such_user(args.name);
  const auto signer = serve::TokenSigner::from_key_file(serve::token_key_file(args.users));
  const int64_t expires = serve::unix_now() + static_cast<int64_t>(args.hours * 3600.0);
  const std::string token = signer.sign({user->name, user->stamp, expires});
  *context.out << token << "\n";
  context.result = {{"access_token", token}, {"token_type", "bearer"}, {"expires", expires}};
  return 0;
}

}  // namespace

Command serve_user_add_command() {
  return make_command<AddArgs>(
      {.name = "serve user add",
       .summary = "Add an account to the server's users file.",
       .details =
           "The password is asked on the terminal, twice and without echo, or read from standard "
           "input where that is no terminal. It is kept as an argon2id hash; the file is made "
           "with mode 0600.\n\n"
           "A route of the server asks for one role. user: read, next sample, inference. "
           "annotator: add images, save labels. reviewer: label status. admin: all of these, "
           "deleting, training, logs. One does not include another, but for admin. Who annotates "
           "in 3D Slicer needs user and annotator.\n\n"
           "A running server sees the change within a second. --force gives an account a new "
           "password and roles; its tokens are void then.",
       .examples = {{"voxloom serve user add anna --users users.json", "user and annotator"},
                    {"voxloom serve user add root --users users.json --roles admin", "every role"}},
       .references = {}},
      run_add);
}

Command serve_user_list_command() {
  return make_command<ListArgs>(
      {.name = "serve user list",
       .summary = "List the accounts of a users file and their roles.",
       .details = "",
       .examples = {{"voxloom serve user list --users users.json", "names and roles"}},
       .references = {}},
      run_list);
}

Command serve_user_remove_command() {
  return make_command<RemoveArgs>(
      {.name = "serve user remove",
       .summary = "Remove an account from the server's users file.",
       .details = "A running server sees it within a second; the account's tokens are void then.",
       .examples = {{"voxloom serve user remove anna --users users.json", "no more log-in"}},
       .references = {}},
      run_remove);
}

Command serve_user_token_command() {
  return make_command<TokenArgs>(
      {.name = "serve user token",
       .summary = "Make a bearer token for a program that uses the server.",
       .details =
           "The token has the roles that the account has when it is used. It ends with its time, "
           "with a new password of the account or with the account. It is signed with the key "
           "beside the users file (FILE.key, mode 0600).",
       .examples = {{"voxloom serve user token robot --users users.json --expires-h 24",
                     "for a day"}},
       .references = {}},
      run_token);
}

}  // namespace voxloom::app
