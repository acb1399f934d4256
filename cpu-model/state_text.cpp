// describe_state: the register dump for people, in the layout that QEMU's users know.
#include <fmt/format.h>

#include "cpu-model/triple_fault.h"

namespace ringshift {

namespace {

std::string flag_letters(u32 flags) {
  constexpr std::pair<u32, char> kLetters[] = {{kFlagDf, 'D'}, {kFlagOf, 'O'}, {kFlagSf, 'S'}, {kFlagZf, 'Z'},
                                               {kFlagAf, 'A'}, {kFlagPf, 'P'}, {kFlagCf, 'C'}};
  std::string text;
  for (const auto& [bit, letter] : kLetters) text += (flags & bit) != 0 ? letter : '-';
  return text;
}

std::string_view system_type_name(unsigned type) {
  switch (type) {
    case 1:
      return "TSS16-avl";
    case 2:
      return "LDT";
    case 3:
      return "TSS16-busy";
    case 9:
      return "TSS32-avl";
    case 11:
      return "TSS32-busy";
    default:
      return "reserved";
  }
}

std::string segment_kind(const SegmentRegister& segment) {
  const u32 a = segment.attributes;
  if (!segment.usable()) return "unusable";
  if ((a & kSegPresent) == 0) return "not present";
  const std::string level = fmt::format("DPL={} ", segment.dpl());
  if ((a & kSegNotSystem) == 0) return level + std::string(system_type_name(a & kSegTypeMask));
  const bool code = (a & kSegCode) != 0;
  std::string text = level + (code ? "CS" : "DS") + ((a & kSegBig) != 0 ? "32 [" : "16 [");
  text += (a & kSegExpandDown) != 0 ? (code ? 'C' : 'E') : '-';
  text += (a & kSegWritable) != 0 ? (code ? 'R' : 'W') : '-';
  text += (a & kSegAccessed) != 0 ? 'A' : '-';
  return text + "]";
}

std::string segment_line(std::string_view name, const SegmentRegister& segment) {
  return fmt::format("{:<3}={:04x} {:08x} {:08x} {:05x} {}\n", name, segment.selector,
                     static_cast<u32>(segment.base), segment.limit, segment.attributes,
                     segment_kind(segment));
}

std::string general_registers(const VcpuState& state) {
  return fmt::format(
      "EAX={:08x} EBX={:08x} ECX={:08x} EDX={:08x}\nESI={:08x} EDI={:08x} EBP={:08x} ESP={:08x}\n",
      state.reg32(kEax), state.reg32(kEbx), state.reg32(kEcx), state.reg32(kEdx), state.reg32(kEsi),
      state.reg32(kEdi), state.reg32(kEbp), state.reg32(kEsp));
}

}  // namespace

std::string describe_state(const VcpuState& state) {
  std::string text = general_registers(state);
  text += fmt::format("EIP={:08x} EFL={:08x} [{}] CPL={} II={} A20={} HLT={}\n", state.eip(), state.eflags(),
                      flag_letters(state.eflags()), state.cpl, state.interrupt_shadow, state.a20_masked ^ 1,
                      state.halted);
  constexpr std::string_view kNames[] = {"ES", "CS", "SS", "DS", "FS", "GS"};
  for (unsigned i = 0; i < kSegCount; ++i) text += segment_line(kNames[i], state.seg[i]);
  text += segment_line("LDT", state.ldtr) + segment_line("TR", state.tr);
  text += fmt::format("GDT=     {:08x} {:08x}\nIDT=     {:08x} {:08x}\n", static_cast<u32>(state.gdtr.base),
                      state.gdtr.limit, static_cast<u32>(state.idtr.base), state.idtr.limit);
  text += fmt::format("CR0={:08x} CR2={:08x} CR3={:08x} CR4={:08x}\n", state.cr0, state.cr2, state.cr3,
                      state.cr4);
  text += fmt::format("DR0={:08x} DR1={:08x} DR2={:08x} DR3={:08x}\nDR6={:08x} DR7={:08x}\n", state.dr[0],
                      state.dr[1], state.dr[2], state.dr[3], state.dr[6], state.dr[7]);
  text += fmt::format("EFER={:016x}\n", state.efer);
  return text;
}

}  // namespace ringshift
