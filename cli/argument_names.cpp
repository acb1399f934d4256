// Making option names uniform.
#include "cli/argument_names.h"

#include <array>
#include <string_view>

namespace ringshift {

namespace {
enum class Value { none, required, optional };
struct Name {
  std::string_view name;
  Value value;
};
constexpr std::array<Name, 35> kNames{{
    {"m", Value::required},
    {"kernel", Value::required},
    {"initrd", Value::required},
    {"append", Value::required},
    {"engine", Value::required},
    {"engine-switch", Value::required},
    {"serial", Value::required},
    {"nographic", Value::none},
    {"debugcon", Value::required},
    {"device", Value::required},
    {"no-reboot", Value::none},
    {"timeout", Value::required},
    {"d", Value::required},
    {"D", Value::required},
    {"stats", Value::optional},
    {"cpu", Value::required},
    {"icount", Value::required},
    {"bt-memory", Value::required},
    {"bt-cache", Value::required},
    {"bt-verify-part", Value::required},
    {"monitor", Value::required},
    {"help", Value::none},
    {"guest-abi", Value::required},
    {"drive", Value::required},
    {"every", Value::required},
    {"limit", Value::required},
    // explain's
    {"function", Value::required},
    {"address", Value::required},
    {"top", Value::required},
    {"for", Value::required},
    {"symbols", Value::required},
    {"html", Value::required},
    {"json", Value::required},
    {"history", Value::required},
    {"cold", Value::none},
}};

const Name* find(std::string_view name) {
  if (name == "h") name = "help";
  for (const Name& known : kNames)
    if (known.name == name) return &known;
  return nullptr;
}

std::string spelled(std::string_view name) { return (name.size() == 1 ? "-" : "--") + std::string(name); }
}  // namespace

Result<std::vector<std::string>> uniform_arguments(const std::vector<std::string>& args) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < args.size(); ++i) {
    std::string_view arg = args[i];
    if (!arg.starts_with('-') || arg == "-" || arg == "--")
      return fail(ErrorKind::usage, "'{}' is not an option; a kernel is given with -kernel", arg);
    arg.remove_prefix(arg.starts_with("--") ? 2 : 1);
    const auto equals = arg.find('=');
    const Name* known = find(arg.substr(0, equals));
    if (known == nullptr)
      return fail(ErrorKind::usage, "unknown option '{}'; `ringshift run --help` lists them", args[i]);
    const bool has_value = equals != std::string_view::npos;
    if (has_value && known->value == Value::none)
      return fail(ErrorKind::usage, "-{} takes no value", known->name);
    if (known->value == Value::required && !has_value && i + 1 == args.size())
      return fail(ErrorKind::usage, "-{} needs a value", known->name);
    out.push_back(spelled(known->name));
    if (has_value)
      out.emplace_back(arg.substr(equals + 1));
    else if (known->value == Value::required)
      out.push_back(args[++i]);
    else if (known->value == Value::optional && i + 1 < args.size() && !args[i + 1].starts_with('-'))
      out.push_back(args[++i]);
  }
  return out;
}

}  // namespace ringshift
