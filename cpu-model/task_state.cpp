// TaskState: reading and writing a TSS (SDM vol. 3A figures 7-2 and 7-10).
#include "cpu-model/task_state.h"

namespace ringshift {

namespace {

// What a switch saves stands together: EIP to GS, IP to DS.
constexpr u32 kWideSave = 0x20, kWideSaveEnd = 0x60;
constexpr u32 kNarrowSave = 0x0e, kNarrowSaveEnd = 0x2a;

template <class T>
T field(const u8* tss, u32 offset) {
  T value;
  std::memcpy(&value, tss + offset, sizeof value);
  return value;
}

TaskState parse_wide(const u8* tss) {
  TaskState task;
  task.cr3 = field<u32>(tss, 0x1c);
  task.eip = field<u32>(tss, 0x20);
  task.eflags = field<u32>(tss, 0x24);
  for (unsigned i = 0; i < 8; ++i) task.gpr[i] = field<u32>(tss, 0x28 + 4 * i);
  for (unsigned i = 0; i < kSegCount; ++i) task.selectors[i] = field<u16>(tss, 0x48 + 4 * i);
  task.ldt = field<u16>(tss, 0x60);
  task.debug_trap = (field<u16>(tss, 0x64) & 1) != 0;
  return task;
}

TaskState parse_narrow(const u8* tss) {
  TaskState task;
  task.eip = field<u16>(tss, 0x0e);
  task.eflags = field<u16>(tss, 0x10);
  // The upper halves are undefined; processors leave ones there.
  for (unsigned i = 0; i < 8; ++i) task.gpr[i] = 0xffff0000u | field<u16>(tss, 0x12 + 2 * i);
  for (unsigned i = 0; i < 4; ++i) task.selectors[i] = field<u16>(tss, 0x22 + 2 * i);
  task.ldt = field<u16>(tss, 0x2a);
  return task;
}

}  // namespace

Outcome<TaskState> read_task(Cpu& cpu, Gva base, bool wide) {
  u8 tss[0x68] = {};
  RS_TRY(read_linear_slow(cpu, base, tss, minimum_task_limit(wide) + 1, false));
  return wide ? parse_wide(tss) : parse_narrow(tss);
}

Outcome<> probe_task_save(Cpu& cpu, Gva base, bool wide) {
  return wide ? probe_write_slow(cpu, base + kWideSave, kWideSaveEnd - kWideSave, false)
              : probe_write_slow(cpu, base + kNarrowSave, kNarrowSaveEnd - kNarrowSave, false);
}

Outcome<> save_task(Cpu& cpu, Gva base, bool wide, u32 eflags) {
  const VcpuState& state = cpu.state;
  if (wide) {
    RS_TRY(write_system<u32>(cpu, base + 0x20, state.eip()));
    RS_TRY(write_system<u32>(cpu, base + 0x24, eflags));
    for (unsigned i = 0; i < 8; ++i) RS_TRY(write_system<u32>(cpu, base + 0x28 + 4 * i, state.reg32(i)));
    for (unsigned i = 0; i < kSegCount; ++i)
      RS_TRY(write_system<u16>(cpu, base + 0x48 + 4 * i, state.seg[i].selector));
    return {};
  }
  RS_TRY(write_system<u16>(cpu, base + 0x0e, static_cast<u16>(state.rip)));
  RS_TRY(write_system<u16>(cpu, base + 0x10, static_cast<u16>(eflags)));
  for (unsigned i = 0; i < 8; ++i) RS_TRY(write_system<u16>(cpu, base + 0x12 + 2 * i, state.reg16(i)));
  for (unsigned i = 0; i < 4; ++i) RS_TRY(write_system<u16>(cpu, base + 0x22 + 2 * i, state.seg[i].selector));
  return {};
}

}  // namespace ringshift
