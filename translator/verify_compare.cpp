// Comparison of two states: as memory first, then element by element.
#include "translator/verify_compare.h"

#include <fmt/format.h>

#include <cstddef>
#include <cstring>

#include "cpu-model/vcpu_dump.h"

namespace ringshift::bt {

namespace {

// Of FXSAVE's image (SDM vol. 1 table 10-2).
struct FxPart {
  const char* name;
  unsigned offset, size;
};
constexpr FxPart kFxParts[] = {
    {"FCW", 0, 2},     {"FSW", 2, 2},     {"FTW", 4, 1},     {"MXCSR", 24, 4},  {"ST0", 32, 10},
    {"ST1", 48, 10},   {"ST2", 64, 10},   {"ST3", 80, 10},   {"ST4", 96, 10},   {"ST5", 112, 10},
    {"ST6", 128, 10},  {"ST7", 144, 10},  {"XMM0", 160, 16}, {"XMM1", 176, 16}, {"XMM2", 192, 16},
    {"XMM3", 208, 16}, {"XMM4", 224, 16}, {"XMM5", 240, 16}, {"XMM6", 256, 16}, {"XMM7", 272, 16},
};

std::string number(const u8* bytes, unsigned size) {
  std::string text;
  while (size-- != 0) text += fmt::format("{:02x}", bytes[size]);
  return text;
}

std::string fx_difference(const FxState& left, const FxState& right) {
  if (left == right) return {};
  for (const FxPart& part : kFxParts) {
    const u8* const a = left.bytes + part.offset;
    const u8* const b = right.bytes + part.offset;
    if (std::memcmp(a, b, part.size) != 0)
      return fmt::format("{}: {} / {}", part.name, number(a, part.size), number(b, part.size));
  }
  return {};
}

std::string general_difference(const VcpuState& left, const VcpuState& right) {
  constexpr const char* kNames[] = {"EAX", "ECX", "EDX", "EBX", "ESP", "EBP", "ESI", "EDI"};
  for (unsigned i = 0; i < 8; ++i)
    if (left.reg32(i) != right.reg32(i))
      return fmt::format("{}: {:08x} / {:08x}", kNames[i], left.reg32(i), right.reg32(i));
  if (left.eip() != right.eip()) return fmt::format("EIP: {:08x} / {:08x}", left.eip(), right.eip());
  if (left.eflags() != right.eflags())
    return fmt::format("EFLAGS: {:08x} / {:08x} (differ in {:x})", left.eflags(), right.eflags(),
                       left.eflags() ^ right.eflags());
  return {};
}

}  // namespace

std::string first_difference(const VcpuState& translated, const VcpuState& interpreted, FxStates fx) {
  static_assert(offsetof(VcpuState, fx) == 0);
  constexpr std::size_t kRest = sizeof(FxState);
  const auto* const left = reinterpret_cast<const u8*>(&translated);
  const auto* const right = reinterpret_cast<const u8*>(&interpreted);
  const bool same_rest = std::memcmp(left + kRest, right + kRest, sizeof(VcpuState) - kRest) == 0;
  std::string text = same_rest ? std::string{} : general_difference(translated, interpreted);
  if (text.empty() && fx == FxStates::compare) text = fx_difference(translated.fx, interpreted.fx);
  if (!text.empty() || same_rest) return text;
  // What is left: the elements that the list gives.
  VcpuState rest = interpreted;
  rest.fx = translated.fx;
  text = diff_vcpu(translated, rest);
  return text.substr(0, text.find('\n'));
}

}  // namespace ringshift::bt
