// -d sensitive: each sensitive instruction is executed by the CPU, one step, and beside it by the CPU model.
//
// What is not on the list does the same on the CPU and in the model (that is what makes a machine
// virtualizable, Popek and Goldberg 1974), so the interpreter executes it, and only the instructions in
// question cost a switch to the guest's process. The guest goes on with what the CPU gave it.
#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "cpu-model/effective_address.h"
#include "cpu-model/guest_peek.h"
#include "cpu-model/memory_access.h"
#include "direct-exec/next_instruction.h"
#include "direct-exec/sensitive_kinds.h"
#include "direct-exec/trap_loop.h"
#include "direct-exec/view_target.h"

namespace ringshift {

namespace {

// Bytes of guest memory as they stand, put back when it is destroyed.
class KeptBytes {
 public:
  KeptBytes(Cpu& cpu, Gva at, u32 size) : cpu_(cpu), at_(at), size_(peek_bytes(cpu, at, {bytes_, size})) {}
  KeptBytes(const KeptBytes&) = delete;
  ~KeptBytes() {
    if (size_ != 0) (void)write_linear_slow(cpu_, at_, bytes_, size_, false);
  }

 private:
  Cpu& cpu_;
  Gva at_;
  u8 bytes_[64] = {};
  u32 size_;
};

// INT3 in place of a byte of code, while the CPU executes the instruction before it. Nothing else runs then.
class PlantedBreakpoint {
 public:
  PlantedBreakpoint(Cpu& cpu, Gva at) {
    Gpa gpa = 0;
    if (!peek(cpu, at, &gpa) || cpu.phys.kind(gpa) != PageKind::ram) return;
    at_ = cpu.phys.host(gpa);
    old_ = std::exchange(*at_, kInt3);
  }
  PlantedBreakpoint(const PlantedBreakpoint&) = delete;
  ~PlantedBreakpoint() {
    if (at_ != nullptr) *at_ = old_;
  }
  bool planted() const { return at_ != nullptr; }

 private:
  static constexpr u8 kInt3 = 0xcc;
  u8* at_ = nullptr;
  u8 old_ = 0;
};

// Goes on with the next instruction. TF would stand in PUSHF's image, and comes too late where the host's
// kernel answers in the CPU's place (SGDT and the like under UMIP): after the instruction that follows.
bool stays_in_line(SensitiveKind kind) {
  return kind == SensitiveKind::push_flags || kind == SensitiveKind::table || kind == SensitiveKind::store;
}

Gva operand_address(const Instruction& insn, const VcpuState& before) {
  return static_cast<Gva>(before.segment(insn.segment).base) + effective_address(before, insn);
}

}  // namespace

// The instruction as the CPU model executes it from `before`, in words; memory and state are put back.
std::string TrapLoop::value_by_model(const Instruction& insn, SensitiveKind kind, const VcpuState& before) {
  const VcpuState by_cpu = cpu_.state;
  const auto chain = cpu_.fault_chain;
  const std::vector<u64> delivered(cpu_.delivered, cpu_.delivered + std::size(cpu_.delivered));
  const u64 retired = cpu_.control.retired;
  std::string text;
  {
    constexpr u32 kBelow = 48;
    const Gva stack = static_cast<Gva>(before.segment(Seg::ss).base) + before.reg32(kEsp) - kBelow;
    const KeptBytes kept_stack(cpu_, stack, 64);
    const KeptBytes kept_operand(cpu_, insn.memory_written ? operand_address(insn, before) : stack, 8);
    cpu_.state = before;
    // An alias means to the guest what it was read for.
    const bool completed = load_alias(cpu_, insn, direct_.aliases()) || interpreter_.step(false);
    if (completed) text = observed_value(cpu_, insn, kind, before);
    for (unsigned vector = 0; !completed && vector < 32; ++vector)
      if (cpu_.delivered[vector] != delivered[vector]) text = vector_name(vector);
    cpu_.state = by_cpu;
  }
  std::copy(delivered.begin(), delivered.end(), cpu_.delivered);
  cpu_.fault_chain = chain;
  cpu_.control.retired = retired;
  return text.empty() ? "an exception" : text;
}

// One instruction by the process; page faults of the view's own are mended. False: it trapped, and was
// served.
bool TrapLoop::step_on_cpu(const Instruction& insn, bool in_line) {
  const u32 next = cpu_.state.eip() + insn.length;
  constexpr int kTries = 8;  // for an instruction's pages: code, operands, stack, descriptor; each twice
  for (int i = 0; i < kTries; ++i) {
    GuestProcess* const process = enter_view();
    if (process == nullptr) return false;
    HostStop stop;
    bool done = false;
    {
      const Gva behind_it = static_cast<Gva>(cpu_.state.segment(Seg::cs).base) + next;
      std::optional<PlantedBreakpoint> breakpoint;
      if (in_line) breakpoint.emplace(cpu_, behind_it);
      const bool planted = breakpoint && breakpoint->planted();
      stop = direct_.run(*process, !planted);
      if (stop.kind == HostStop::Kind::fault && stop.signal == SIGTRAP)
        done = planted ? cpu_.state.eip() == next + 1 : stop.code == TRAP_TRACE;
      if (done && planted) step_back(1);
    }
    if (done) return true;
    if (stop.kind == HostStop::Kind::kicked) continue;
    if (mend_view(stop)) continue;
    serve(stop);
    return false;
  }
  emulate();
  return false;
}

// Whether the stop was a page fault of the view's, not of the guest's, and is mended.
bool TrapLoop::mend_view(const HostStop& stop) {
  const bool page = stop.kind == HostStop::Kind::fault && stop.signal == SIGSEGV &&
                    (stop.code == SEGV_MAPERR || stop.code == SEGV_ACCERR) && stop.address < u64{4} << 30;
  if (!page || direct_.left_its_code()) return false;
  const Gva gva = static_cast<Gva>(stop.address);
  const ShadowWindow* const window = windows_->current();
  const bool there = window != nullptr && window->present(gva);
  const Outcome<FillResult> filled = windows_->fill(gva, there ? AccessKind::write : AccessKind::read);
  return filled && *filled == FillResult::mapped;
}

void TrapLoop::execute_sensitive(const Instruction& insn, SensitiveKind kind) {
  const VcpuState before = cpu_.state;
  if (!step_on_cpu(insn, stays_in_line(kind))) return;
  const bool left = direct_.left_its_code();
  const std::string saw = left ? fmt::format("left for the host's {:04x}", direct_.host_code_selector())
                               : observed_value(cpu_, insn, kind, before);
  sensitive_->add(insn, before.eip(), before.cpl, saw, value_by_model(insn, kind, before));
  if (left) left_32_bit_mode();
}

// Instead of turn().
bool TrapLoop::turn_watched() {
  direct_.bring_fpu_home();
  if (hindrance(cpu_) == Hindrance::none) {
    const auto insn = next_instruction(cpu_, decoder_);
    const auto kind = insn ? sensitive_kind(*insn) : std::nullopt;
    if (kind) {
      execute_sensitive(*insn, *kind);
      return failure_.empty();
    }
  }
  ++counters_.watched;
  interpreter_.step(true);
  return true;
}

}  // namespace ringshift
