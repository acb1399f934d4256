// Listing: Zydis formats the guest's code, Capstone the host's.
#include "translator/listing.h"

#include <fmt/format.h>

#include <iterator>

#include "translator/disassembly.h"

namespace ringshift::bt {

namespace {

// One line; `pc` moves past the instruction, or past a byte that is none.
std::string host_line(HostDisassembler& host, const u8*& pc, const u8* end) {
  const u8* const start = pc;
  const auto [mnemonic, operands, length] =
      host.line({pc, static_cast<std::size_t>(end - pc)}, reinterpret_cast<u64>(pc));
  pc += length != 0 ? length : 1;
  const std::size_t size = static_cast<std::size_t>(pc - start);
  if (length == 0) return fmt::format("  {}: {:<30} {}\n", fmt::ptr(start), hex_bytes(start, size), mnemonic);
  return fmt::format("  {}: {:<30} {} {}\n", fmt::ptr(start), hex_bytes(start, size), mnemonic, operands);
}

const char* shape_name(SegmentShape shape) {
  switch (shape) {
    case SegmentShape::flat:
      return "flat";
    case SegmentShape::based:
      return "based";
    case SegmentShape::limited:
      return "limited";
    case SegmentShape::read_only:
      return "read-only";
    case SegmentShape::down:
      return "down";
    case SegmentShape::down_64k:
      return "down-64k";
    case SegmentShape::denied:
      break;
  }
  return "denied";
}

}  // namespace

std::string describe(ModeKey mode) {
  constexpr const char* kNames[kSegCount] = {"es", "cs", "ss", "ds", "fs", "gs"};
  std::string text = mode.user() ? "user" : "supervisor";
  text += mode.window() ? " window" : " soft";
  if (!mode.paging()) text += " unpaged";
  if (mode.downward()) text += " downward";
  if (mode.fpu_off()) text += " fpu-off";
  if (mode.sse_off()) text += " sse-off";
  if (mode.direct_tsc()) text += " host-tsc";
  if (mode.real_segments()) text += mode.v86() ? " v8086" : " real";
  if (mode.hooked()) text += " hooked";
  if (mode.code16()) text += " code16";
  if (mode.stack16()) text += " stack16";
  if (mode.cs_limit() != 0xffffffff)
    fmt::format_to(std::back_inserter(text), " cs-limit={:x}", mode.cs_limit());
  for (unsigned i = 0; i < kSegCount; ++i) {
    const SegmentShape shape = mode.shape(static_cast<Seg>(i));
    if (shape != SegmentShape::flat)
      fmt::format_to(std::back_inserter(text), " {}={}", kNames[i], shape_name(shape));
  }
  return text;
}

std::string list_guest(const GuestBlock& guest, unsigned count) {
  const GuestDisassembler disassembler(guest.mode);
  std::string text;
  for (const GuestInstruction& next : guest.instructions) {
    if (count-- == 0) break;
    fmt::format_to(std::back_inserter(text), "  {:08x}: {:<30} {}\n", next.eip,
                   hex_bytes(next.insn.bytes, next.insn.length),
                   disassembler.line({next.insn.bytes, next.insn.length}, next.eip).text);
  }
  return text;
}

std::string list_host(const TranslationBlock& block, std::span<const InstructionStart> starts) {
  HostDisassembler host;
  std::string text;
  const u8* pc = block.code;
  const u8* const end = pc + block.host_bytes;
  while (pc < end) {
    while (!starts.empty() && block.code + starts.front().host_offset <= pc) {
      if (starts.front().guest_offset == InstructionStart::kCold) {
        text += " -- cold\n";
      } else if (starts.front().host_offset == 0) {
        text += " -- poll and count\n";
      } else {
        fmt::format_to(std::back_inserter(text), " -- {:08x}\n", block.eip + starts.front().guest_offset);
      }
      starts = starts.subspan(1);
    }
    text += host_line(host, pc, end);
  }
  return text;
}

void Listing::list(const GuestBlock& guest, const TranslationBlock& block,
                   std::span<const InstructionStart> starts) {
  if (trace_.on(TracePoint::in_asm))
    trace_.write("in_asm: {:08x}, {} instructions, {}\n{}", block.eip, block.instructions,
                 describe(block.mode), list_guest(guest, block.instructions));
  if (trace_.on(TracePoint::out_asm))
    trace_.write("out_asm: {:08x}, {} bytes\n{}", block.eip, block.host_bytes, list_host(block, starts));
}

void Listing::list_entry(const TranslationBlock& block, u32 eip) {
  trace_.write("exec: {:08x} {}\n", eip, describe(block.mode));
}

}  // namespace ringshift::bt
