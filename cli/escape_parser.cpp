// Parsing of Ctrl-A commands.
#include "cli/escape_parser.h"

namespace ringshift {

namespace {
constexpr u8 kEscape = 1;  // Ctrl-A

EscapeCommand command_of(u8 byte) {
  switch (byte | 0x20) {
    case 'x':
      return EscapeCommand::quit;
    case 'c':
      return EscapeCommand::monitor;
    case 'h':
      return EscapeCommand::help;
    default:
      return byte == '?' ? EscapeCommand::help : EscapeCommand::none;
  }
}
}  // namespace

std::vector<EscapeParser::Item> EscapeParser::parse(std::span<const u8> input) {
  std::vector<Item> items;
  const auto plain = [&](u8 byte) {
    if (items.empty() || items.back().command != EscapeCommand::none)
      items.push_back({EscapeCommand::none, {}});
    items.back().bytes.push_back(byte);
  };
  for (const u8 byte : input) {
    if (!escaped_) {
      if (byte == kEscape)
        escaped_ = true;
      else
        plain(byte);
      continue;
    }
    escaped_ = false;
    const EscapeCommand command = command_of(byte);
    if (command != EscapeCommand::none)
      items.push_back({command, {}});
    else if (byte == kEscape || byte == 'a' || byte == 'A')
      plain(kEscape);  // other keys after Ctrl-A are dropped, as QEMU does
  }
  return items;
}

}  // namespace ringshift
