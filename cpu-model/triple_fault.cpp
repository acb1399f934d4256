// The report that is printed when the guest triple-faults, in words.
#include "cpu-model/triple_fault.h"

#include <Zydis/Zydis.h>
#include <fmt/format.h>

#include "cpu-model/fault_cause.h"
#include "cpu-model/guest_peek.h"

namespace ringshift {

namespace {

constexpr unsigned kShownInstructions = 8;

std::string fault_line(const DeliveredFault& step) {
  const Fault& fault = step.fault;
  std::string text =
      fmt::format("  {:<16} at {:04x}:{:08x} CPL {}", vector_name(static_cast<unsigned>(fault.vector)),
                  step.cs, step.eip, step.cpl);
  if (fault.has_error_code) text += fmt::format(", error code 0x{:04x}", fault.error_code);
  if (fault.vector == Vector::page_fault)
    text += fmt::format(", {} of 0x{:08x}{}{}",
                        (fault.error_code & kPfFetch) != 0   ? "fetch"
                        : (fault.error_code & kPfWrite) != 0 ? "write"
                                                             : "read",
                        fault.address, (fault.error_code & kPfPresent) != 0 ? ", page present" : "",
                        (fault.error_code & kPfReserved) != 0 ? ", reserved bit set" : "");
  return text + "\n";
}

std::string chain_text(const Cpu& cpu) {
  if (cpu.fault_chain.empty()) return "No exception was recorded.\n";
  std::string text = "Exceptions, each raised by the delivery of the one above it:\n";
  for (const DeliveredFault& step : cpu.fault_chain) text += fault_line(step);
  return text;
}

// The gates that the chain went for.
std::string gates_text(const Cpu& cpu) {
  std::string text = "Gates:\n";
  bool shown[256] = {};
  for (const DeliveredFault& step : cpu.fault_chain) {
    const unsigned vector = static_cast<unsigned>(step.fault.vector);
    if (shown[vector]) continue;
    shown[vector] = true;
    text += "  " + describe_gate(cpu, vector) + "\n";
  }
  return text;
}

std::string pages_text(const Cpu& cpu) {
  std::string text;
  for (const DeliveredFault& step : cpu.fault_chain) {
    if (step.fault.vector != Vector::page_fault) continue;
    text += fmt::format("  0x{:08x}: {}\n", step.fault.address, explain_mapping(cpu, step.fault.address));
  }
  return text.empty() ? text : "Pages:\n" + text;
}

ZydisMachineMode machine_mode(const Cpu& cpu) {
  if (cpu.code32()) return ZYDIS_MACHINE_MODE_LEGACY_32;
  return cpu.real_segments() ? ZYDIS_MACHINE_MODE_REAL_16 : ZYDIS_MACHINE_MODE_LEGACY_16;
}

std::string code_text(const Cpu& cpu) {
  u8 bytes[kShownInstructions * 15];
  const Gva start = static_cast<Gva>(cpu.state.segment(Seg::cs).base) + cpu.state.eip();
  const u32 have = peek_bytes(cpu, start, bytes);
  if (have == 0) return fmt::format("Code at EIP (linear 0x{:08x}) is not readable.\n", start);
  std::string text = "Code at EIP:\n";
  u32 at = 0;
  for (unsigned i = 0; i < kShownInstructions && at < have; ++i) {
    ZydisDisassembledInstruction decoded;
    if (!ZYAN_SUCCESS(
            ZydisDisassembleIntel(machine_mode(cpu), start + at, bytes + at, have - at, &decoded))) {
      text += fmt::format("  {:08x}  {:02x}  (not an instruction)\n", start + at, bytes[at]);
      break;
    }
    std::string hex;
    for (u32 b = 0; b < decoded.info.length; ++b) hex += fmt::format("{:02x} ", bytes[at + b]);
    text += fmt::format("  {:08x}  {:<30} {}\n", start + at, hex, decoded.text);
    at += decoded.info.length;
  }
  return text;
}

// INTs, interrupts and traps aren't in the chain, but their failed delivery may have begun it.
bool begins_with_idt_error(const Fault& first) {
  constexpr u32 kErrorIdt = 2;
  return first.has_error_code && first.vector != Vector::page_fault && (first.error_code & kErrorIdt) != 0;
}

std::string cause_text(const Cpu& cpu) {
  const auto& chain = cpu.fault_chain;
  if (chain.size() < 2) return "";
  std::string text = "Likely cause: ";
  if (begins_with_idt_error(chain[0].fault)) text += explain_delivery_fault(cpu, chain[0].fault) + "; then ";
  text += fmt::format("{} could not be delivered: {}.\n",
                      vector_name(static_cast<unsigned>(chain[0].fault.vector)),
                      explain_delivery_fault(cpu, chain[1].fault));
  if (chain.size() > 3)
    text += fmt::format("Nor could {}: {}.\n",
                        vector_name(static_cast<unsigned>(chain[chain.size() - 2].fault.vector)),
                        explain_delivery_fault(cpu, chain.back().fault));
  return text;
}

}  // namespace

std::string describe_triple_fault(const Cpu& cpu) {
  return "The guest triple-faulted.\n" + chain_text(cpu) + cause_text(cpu) + gates_text(cpu) +
         pages_text(cpu) + code_text(cpu) + describe_state(cpu.state);
}

}  // namespace ringshift
