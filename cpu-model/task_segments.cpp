// The segment registers of a task that was just switched to (SDM vol. 3A 7.3, table 7-1).
#include "cpu-model/task_segments.h"

#include <algorithm>

#include "cpu-model/transfer_segments.h"

namespace ringshift {

namespace {

u16 selector_of(const TaskState& task, Seg segment) { return task.selectors[static_cast<unsigned>(segment)]; }

Outcome<> load_task_ldt(Cpu& cpu, u16 selector) {
  if (is_null_selector(selector)) return {};
  if ((selector & 4) != 0) return raise(Fault::ts(selector_error(selector)));
  const Descriptor descriptor = RS_TRY(read_descriptor(cpu, selector, Vector::invalid_tss));
  if (!descriptor.system() || descriptor.type() != kTypeLdt || !descriptor.present())
    return raise(Fault::ts(selector_error(selector)));
  cpu.state.ldtr = segment_from(selector, descriptor);
  return {};
}

Outcome<> load_task_code(Cpu& cpu, u16 selector) {
  const Fault wrong = Fault::ts(selector_error(selector));
  if (is_null_selector(selector)) return raise(wrong);
  Descriptor descriptor = RS_TRY(read_descriptor(cpu, selector, Vector::invalid_tss));
  const u8 level = requested_level(selector);
  const bool allowed = descriptor.conforming() ? descriptor.dpl() <= level : descriptor.dpl() == level;
  if (!descriptor.code() || !allowed) return raise(wrong);
  if (!descriptor.present()) return raise(Fault::np(selector_error(selector)));
  RS_TRY(set_accessed(cpu, selector, descriptor));
  cpu.state.segment(Seg::cs) = segment_from(selector, descriptor);
  return {};
}

Outcome<> load_task_data(Cpu& cpu, Seg segment, u16 selector) {
  if (is_null_selector(selector)) return {};
  Descriptor descriptor = RS_TRY(read_descriptor(cpu, selector, Vector::invalid_tss));
  const bool readable = !descriptor.system() && (!descriptor.code() || (descriptor.type() & 2) != 0);
  const bool allowed =
      descriptor.conforming() || descriptor.dpl() >= std::max(requested_level(selector), cpu.state.cpl);
  if (!readable || !allowed) return raise(Fault::ts(selector_error(selector)));
  if (!descriptor.present()) return raise(Fault::np(selector_error(selector)));
  RS_TRY(set_accessed(cpu, selector, descriptor));
  cpu.state.segment(segment) = segment_from(selector, descriptor);
  return {};
}

}  // namespace

void place_task_selectors(Cpu& cpu, const TaskState& task) {
  cpu.state.ldtr = unusable_segment(task.ldt);
  for (unsigned i = 0; i < kSegCount; ++i) cpu.state.seg[i] = unusable_segment(task.selectors[i]);
  if (cpu.v86()) {
    cpu.state.cpl = 3;
    for (unsigned i = 0; i < kSegCount; ++i) load_real_segment(cpu, static_cast<Seg>(i), task.selectors[i]);
  } else {
    cpu.state.cpl = requested_level(selector_of(task, Seg::cs));
  }
}

Outcome<> load_task_segments(Cpu& cpu, const TaskState& task) {
  RS_TRY(load_task_ldt(cpu, task.ldt));
  if (cpu.v86()) return {};
  RS_TRY(load_task_code(cpu, selector_of(task, Seg::cs)));
  cpu.state.segment(Seg::ss) =
      RS_TRY(stack_segment(cpu, selector_of(task, Seg::ss), cpu.state.cpl, Vector::invalid_tss));
  for (Seg segment : {Seg::ds, Seg::es, Seg::fs, Seg::gs})
    RS_TRY(load_task_data(cpu, segment, selector_of(task, segment)));
  return {};
}

}  // namespace ringshift
