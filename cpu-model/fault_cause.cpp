// Why an exception could not be delivered: gates, descriptors, stacks and pages looked at after the fact.
#include "cpu-model/fault_cause.h"

#include <fmt/format.h>

#include "cpu-model/guest_peek.h"

namespace ringshift {

namespace {

constexpr u32 kErrorIdt = 2;
constexpr u32 kErrorLdt = 4;
// A delivery's frame is at most this long: v8086 with an error code.
constexpr u32 kLargestFrame = 40;

bool in_table(Gva address, u64 base, u32 limit) { return address - static_cast<Gva>(base) <= limit; }

std::string_view descriptor_kind(const Descriptor& d) {
  if (!d.system()) return d.code() ? "code segment" : "data segment";
  constexpr std::string_view kSystem[] = {"reserved type 0",      "available 16-bit TSS", "LDT",
                                          "busy 16-bit TSS",      "16-bit call gate",     "task gate",
                                          "16-bit int gate",      "16-bit trap gate",     "reserved type 8",
                                          "available 32-bit TSS", "reserved type 10",     "busy 32-bit TSS",
                                          "32-bit call gate",     "reserved type 13",     "32-bit int gate",
                                          "32-bit trap gate"};
  return kSystem[d.type()];
}

std::string explain_idt_entry(const Cpu& cpu, unsigned vector, const Fault& raised) {
  const DescriptorTable& idt = cpu.state.idtr;
  const u32 entry_size = cpu.protected_mode() ? 8 : 4;
  if (vector * entry_size + entry_size - 1 > idt.limit)
    return fmt::format("the IDT limit is 0x{:x}: no handler for {}", idt.limit, vector_name(vector));
  if (raised.vector == Vector::segment_not_present)
    return fmt::format("the gate of {} is marked not present: {}", vector_name(vector),
                       describe_gate(cpu, vector));
  return fmt::format("the IDT entry of {} is no gate that this event may use: {}", vector_name(vector),
                     describe_gate(cpu, vector));
}

std::string explain_page_fault(const Cpu& cpu, const Fault& raised) {
  const VcpuState& state = cpu.state;
  const Gva at = raised.address;
  const std::string mapping = explain_mapping(cpu, at);
  const Gva stack_top = static_cast<Gva>(state.segment(Seg::ss).base) + state.reg32(kEsp);
  if (stack_top - at <= kLargestFrame)
    return fmt::format("the stack pointer 0x{:08x} is not mapped for writing: {}", state.reg32(kEsp),
                       mapping);
  if (in_table(at, state.idtr.base, state.idtr.limit))
    return fmt::format("the IDT at 0x{:08x} is not mapped: {}", state.idtr.base, mapping);
  if (in_table(at, state.gdtr.base, state.gdtr.limit))
    return fmt::format("the GDT at 0x{:08x} is not mapped: {}", state.gdtr.base, mapping);
  if (in_table(at, state.tr.base, state.tr.limit))
    return fmt::format("the TSS at 0x{:08x} is not mapped: {}", state.tr.base, mapping);
  return fmt::format(
      "linear address 0x{:08x} (an inner stack of the TSS, perhaps) is not mapped for this: {}", at, mapping);
}

std::string explain_stack_fault(const Cpu& cpu, const Fault& raised) {
  const SegmentRegister& ss = cpu.state.segment(Seg::ss);
  const u16 selector = static_cast<u16>(raised.error_code & 0xfffc);
  if (selector == 0)
    return fmt::format("the stack pointer 0x{:08x} is outside its segment (SS {:04x}, limit 0x{:x})",
                       cpu.state.reg32(kEsp), ss.selector, ss.limit);
  return fmt::format("the TSS's stack segment {:04x} is not present or its stack too small: {}", selector,
                     describe_descriptor(cpu, selector));
}

}  // namespace

std::string describe_gate(const Cpu& cpu, unsigned vector) {
  const u32 entry_size = cpu.protected_mode() ? 8 : 4;
  const Gva at = static_cast<Gva>(cpu.state.idtr.base) + vector * entry_size;
  if (vector * entry_size + entry_size - 1 > cpu.state.idtr.limit)
    return fmt::format("IDT[{}] lies beyond the IDT's limit", vector);
  const auto gate = peek_descriptor(cpu, at);
  if (!gate) return fmt::format("IDT[{}] at 0x{:08x} is not mapped", vector, at);
  if (!cpu.protected_mode())
    return fmt::format("vector table[{}] at 0x{:08x} = {:04x}:{:04x}", vector, at, gate->low >> 16,
                       gate->low & 0xffff);
  return fmt::format("IDT[{}] at 0x{:08x} = {:08x} {:08x}: {}, {}, DPL {}, to {:04x}:{:08x}", vector, at,
                     gate->high, gate->low, descriptor_kind(*gate),
                     gate->present() ? "present" : "not present", gate->dpl(), gate->gate_selector(),
                     gate->gate_offset());
}

std::string describe_descriptor(const Cpu& cpu, u16 selector) {
  const bool local = (selector & 4) != 0;
  const u32 offset = selector & 0xfff8;
  const std::string_view table = local ? "LDT" : "GDT";
  if (local && !cpu.state.ldtr.usable()) return fmt::format("selector {:04x}: there is no LDT", selector);
  const u32 limit = local ? cpu.state.ldtr.limit : cpu.state.gdtr.limit;
  const Gva base = static_cast<Gva>(local ? cpu.state.ldtr.base : cpu.state.gdtr.base);
  if (offset + 7 > limit)
    return fmt::format("selector {:04x} lies beyond the {}'s limit 0x{:x}", selector, table, limit);
  const auto d = peek_descriptor(cpu, base + offset);
  if (!d) return fmt::format("{}[{}] at 0x{:08x} is not mapped", table, offset / 8, base + offset);
  return fmt::format("{}[{}] at 0x{:08x} = {:08x} {:08x}: {}, {}, DPL {}, base 0x{:08x}, limit 0x{:08x}",
                     table, offset / 8, base + offset, d->high, d->low, descriptor_kind(*d),
                     d->present() ? "present" : "not present", d->dpl(), d->base(), d->limit());
}

std::string explain_delivery_fault(const Cpu& cpu, const Fault& raised) {
  if (raised.vector == Vector::page_fault) return explain_page_fault(cpu, raised);
  if (raised.has_error_code && (raised.error_code & kErrorIdt) != 0)
    return explain_idt_entry(cpu, (raised.error_code >> 3) & 0xff, raised);
  if (raised.vector == Vector::stack_fault) return explain_stack_fault(cpu, raised);
  const u16 selector = static_cast<u16>(raised.error_code & (0xfff8 | kErrorLdt));
  const std::string name = vector_name(static_cast<unsigned>(raised.vector));
  if (raised.vector == Vector::invalid_tss && selector == (cpu.state.tr.selector & 0xfffc))
    return fmt::format(
        "the task register's TSS (selector {:04x}, limit 0x{:x}) holds no stack for the handler's "
        "level",
        cpu.state.tr.selector, cpu.state.tr.limit);
  if (selector == 0)
    return fmt::format("{}(0): a null code selector in the gate, or a handler beyond its segment's limit",
                       name);
  return fmt::format("{}: the selector {:04x} of the gate, the TSS or the task is not fit for its use: {}",
                     name, selector, describe_descriptor(cpu, selector));
}

}  // namespace ringshift
