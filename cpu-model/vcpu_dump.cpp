// Save, restore and difference of a VcpuState, derived from its list of elements.
#include "cpu-model/vcpu_dump.h"

#include <fmt/format.h>

#include <cstring>

namespace ringshift {

namespace {

constexpr u32 kMagic = 0x55504356;  // "VCPU"

std::string show(u64 value) { return fmt::format("{:#x}", value); }
std::string show(const SegmentRegister& s) {
  return fmt::format("{:04x} base {:08x} limit {:08x} attributes {:05x}", s.selector, s.base, s.limit,
                     s.attributes);
}
std::string show(const DescriptorTable& t) {
  return fmt::format("base {:08x} limit {:04x}", t.base, t.limit);
}

template <class T>
void diff_element(std::string& out, std::string_view name, const T& left, const T& right) {
  if (left != right) out += fmt::format("{}: {} / {}\n", name, show(left), show(right));
}

template <class T, std::size_t N>
void diff_element(std::string& out, std::string_view name, const T (&left)[N], const T (&right)[N]) {
  for (std::size_t i = 0; i < N; ++i) diff_element(out, fmt::format("{}[{}]", name, i), left[i], right[i]);
}

// Four bytes at a time, so that a control word or a lane of a register can be recognised.
void diff_element(std::string& out, std::string_view name, const FxState& left, const FxState& right) {
  for (std::size_t at = 0; at < sizeof left.bytes; at += sizeof(u32)) {
    u32 l, r;
    std::memcpy(&l, left.bytes + at, sizeof l);
    std::memcpy(&r, right.bytes + at, sizeof r);
    if (l != r) out += fmt::format("{}+{}: {:08x} / {:08x}\n", name, at, l, r);
  }
}

}  // namespace

void save_vcpu(const VcpuState& state, StateWriter& out) {
  out.put(kMagic);
  out.put(kVcpuStateVersion);
#define RINGSHIFT_SAVE(type, name, suffix, what) out.put(state.name);
  RINGSHIFT_VCPU_ELEMENTS(RINGSHIFT_SAVE)
#undef RINGSHIFT_SAVE
}

bool restore_vcpu(VcpuState& state, StateReader& in) {
  u32 magic, version;
  in.get(magic);
  in.get(version);
  if (magic != kMagic || version != kVcpuStateVersion) return false;
#define RINGSHIFT_RESTORE(type, name, suffix, what) in.get(state.name);
  RINGSHIFT_VCPU_ELEMENTS(RINGSHIFT_RESTORE)
#undef RINGSHIFT_RESTORE
  return !in.failed() && state.cpl <= 3;
}

std::string diff_vcpu(const VcpuState& left, const VcpuState& right) {
  std::string out;
#define RINGSHIFT_DIFF(type, name, suffix, what) diff_element(out, #name, left.name, right.name);
  RINGSHIFT_VCPU_ELEMENTS(RINGSHIFT_DIFF)
#undef RINGSHIFT_DIFF
  return out;
}

}  // namespace ringshift
