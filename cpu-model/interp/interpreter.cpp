// The interpreter's step and its loop.
#include "cpu-model/interp/interpreter.h"

#include <Zydis/Zydis.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "cpu-model/code_mode.h"
#include "cpu-model/control_registers.h"
#include "cpu-model/exceptions.h"
#include "cpu-model/interp/quick.h"
#include "cpu-model/memory_access.h"

namespace ringshift {

namespace {

constexpr u32 kDr6SingleStep = 1u << 14;
constexpr u32 kMaxLength = 15;

Outcome<> undefined_instruction(Cpu&, const Instruction&) { return raise(Fault::ud()); }
Outcome<> too_long_instruction(Cpu&, const Instruction&) { return raise(Fault::gp()); }

// Whether the instruction enters a handler by itself: then TF, which was set before it, is spent
// (SDM vol. 3B 17.3.1.4).
bool discards_single_step(const Instruction& insn, const VcpuState& state) {
  switch (insn.mnemonic) {
    case ZYDIS_MNEMONIC_INT:
    case ZYDIS_MNEMONIC_INT1:
    case ZYDIS_MNEMONIC_INT3:
    case ZYDIS_MNEMONIC_INTO:
      return (state.rflags & kFlagTf) == 0;
    default:
      return false;
  }
}

DecodeCache& decode_cache_of(Cpu& cpu) {
  if (cpu.decode_cache == nullptr) cpu.decode_cache = std::make_shared<DecodeCache>(cpu.phys);
  return *cpu.decode_cache;
}

}  // namespace

Interpreter::Interpreter(Cpu& cpu)
    : cpu_(cpu),
      decoder_(cpu.cpuid),
      handlers_(handler_table()),
      cache_(decode_cache_of(cpu)),
      fallbacks_(std::make_unique<u64[]>(kHandlerCount)) {}

Interpreter::~Interpreter() = default;

// --- Finding the instruction ---

// The common case: a Tlb hit, and the instruction was decoded before. Null otherwise.
[[gnu::always_inline]] inline const DecodedInstruction* Interpreter::find_cached() {
  const SegmentRegister& cs = cpu_.state.segment(Seg::cs);
  const u32 eip = cpu_.state.eip();
  const Gva gva = static_cast<Gva>(cs.base) + eip;
  const TlbEntry& entry = cpu_.tlb.entry(gva, cpu_.user());
  if (entry.fetch_tag != (gva & ~kPageOffsetMask)) return nullptr;
  const Gpa gpa = entry.page;
  const DecodedInstruction* found = cache_.find(cache_.page(gpa), gva & kPageOffsetMask, code_mode(cpu_));
  if (found == nullptr || u64{eip} + found->insn.length - 1 > cs.limit) return nullptr;
  return found;
}

void Interpreter::choose_handler(DecodedInstruction& decoded) const {
  const Instruction& insn = decoded.insn;
  decoded.handler = quick_handler(insn);
  decoded.quick = decoded.handler != nullptr;
  if (decoded.quick) return;
  decoded.handler = insn.mnemonic < kHandlerCount ? handlers_.by_mnemonic[insn.mnemonic] : nullptr;
  if (decoded.handler == nullptr) decoded.handler = undefined_instruction;
}

// Reads and decodes at gva. What can't be decoded becomes an instruction that raises the fault when executed;
// what can't be read raises it now.
Outcome<> Interpreter::decode(Gva gva, CodeMode mode, DecodedInstruction& out) {
  const u32 limit = cpu_.state.segment(Seg::cs).limit;
  const u32 eip = cpu_.state.eip();
  if (eip > limit) return raise(Fault::gp());
  const u32 wanted = static_cast<u32>(std::min<u64>(u64{limit} - eip + 1, kMaxLength));
  u8 bytes[kMaxLength];
  // Not of the next page, unless the instruction reaches it: its entry would count as accessed.
  u32 got = RS_TRY(fetch_bytes(cpu_, gva, bytes, std::min(wanted, kPageSize - (gva & kPageOffsetMask))));
  DecodeStatus status = decoder_.decode({bytes, got}, mode, out.insn);
  if (status == DecodeStatus::truncated && got < wanted) {
    // The rest is on the next page, which may not be there.
    got += RS_TRY(fetch_bytes(cpu_, gva + got, bytes + got, wanted - got));
    status = decoder_.decode({bytes, got}, mode, out.insn);
  }
  out.mode = mode;
  out.quick = false;
  switch (status) {
    case DecodeStatus::ok:
      choose_handler(out);
      return {};
    case DecodeStatus::undefined:
      out.insn = Instruction{};
      out.handler = undefined_instruction;
      return {};
    case DecodeStatus::too_long:
    case DecodeStatus::truncated:  // by the segment limit
      out.insn = Instruction{};
      out.handler = too_long_instruction;
      return {};
  }
  return {};
}

// Puts a decoded instruction into the cache if it lies in one page of memory; else gives it back as it is.
const DecodedInstruction* Interpreter::keep(Gva gva, const DecodedInstruction& decoded) {
  const u32 offset = gva & kPageOffsetMask;
  const u32 length = decoded.insn.length;
  if (length == 0 || offset + length > kPageSize) return &decoded;
  const TlbEntry& entry = cpu_.tlb.entry(gva, cpu_.user());
  if (entry.fetch_tag != (gva & ~kPageOffsetMask)) return &decoded;
  const Gpa gpa = entry.page;
  const DecodedInstruction* kept = cache_.insert(cache_.page(gpa), offset, decoded);
  if (kept != nullptr) return kept;
  cache_.reset();
  return &decoded;
}

Outcome<const DecodedInstruction*> Interpreter::fetch(bool cached) {
  if (cached) {
    if (const DecodedInstruction* found = find_cached()) return found;
  }
  const Gva gva = static_cast<Gva>(cpu_.state.segment(Seg::cs).base) + cpu_.state.eip();
  RS_TRY(decode(gva, code_mode(cpu_), scratch_));
  return cached ? keep(gva, scratch_) : &scratch_;
}

// --- One instruction ---

void Interpreter::raise_fault(const Fault& fault) {
  deliver_fault(cpu_, fault);
  cpu_.state.interrupt_shadow = 0;
  if (cpu_.state.shutdown != 0) cpu_.control.raise_event(kEventInspect);
}

// Puts back what the snapshot holds, and delivers.
Interpreter::Progress Interpreter::fail(const Fault& fault) {
  VcpuState& state = cpu_.state;
  RestartPoint& restart = cpu_.restart;
  restart.again = false;
  for (unsigned i = 0; i < 8; ++i) state.gpr[i] = restart.gpr[i];
  state.rip = restart.rip;
  state.rflags = restart.rflags;
  raise_fault(fault);
  return Progress::faulted;
}

inline Interpreter::Progress Interpreter::execute_quickly(const DecodedInstruction& decoded) {
  VcpuState& state = cpu_.state;
  const u64 start = state.rip;
  state.rip = static_cast<u32>(start + decoded.insn.length);
  const Outcome<> outcome = decoded.handler(cpu_, decoded.insn);
  if (!outcome) [[unlikely]] {
    state.rip = start;
    raise_fault(outcome.error());
    return Progress::faulted;
  }
  ++cpu_.control.retired;
  return Progress::retired;
}

Interpreter::Progress Interpreter::execute(const DecodedInstruction& decoded) {
  if (decoded.quick) [[likely]]
    return execute_quickly(decoded);
  VcpuState& state = cpu_.state;
  RestartPoint& restart = cpu_.restart;
  for (unsigned i = 0; i < 8; ++i) restart.gpr[i] = state.gpr[i];
  restart.rip = state.rip;
  restart.rflags = state.rflags;
  state.rip = static_cast<u32>(state.rip + decoded.insn.length);

  const Outcome<> outcome = decoded.handler(cpu_, decoded.insn);
  if (!outcome) [[unlikely]]
    return fail(outcome.error());
  if (restart.again) [[unlikely]] {
    // What is delivered between the rounds of a REP pushes RF set, and a REP that goes on doesn't meet its
    // own instruction breakpoint again (SDM vol. 3B 17.3.1.1).
    restart.again = false;
    state.rflags |= kFlagRf;
    return Progress::unfinished;
  }
  ++cpu_.control.retired;
  return Progress::retired;
}

inline bool Interpreter::cached_step() {
  const VcpuState& state = cpu_.state;
  const bool plain = (state.rflags & (kFlagTf | kFlagRf)) == 0 && state.interrupt_shadow == 0 &&
                     !breakpoints_armed(cpu_) && !tracing_;
  if (plain) [[likely]] {
    if (const DecodedInstruction* decoded = find_cached()) [[likely]] {
      if (decoded->quick) [[likely]]
        return execute_quickly(*decoded) != Progress::faulted;
      return execute(*decoded) != Progress::faulted;
    }
  }
  return careful_step(true);
}

bool Interpreter::step(bool cached) { return cached ? cached_step() : careful_step(false); }

DecodedInstruction Interpreter::ready(const Instruction& insn, CodeMode mode) const {
  const Handler handler = insn.mnemonic < kHandlerCount ? handlers_.by_mnemonic[insn.mnemonic] : nullptr;
  return {handler != nullptr ? handler : undefined_instruction, insn, mode};
}

bool Interpreter::execute_ready(const DecodedInstruction& decoded) {
  ++fallbacks_[decoded.insn.mnemonic % kHandlerCount];
  cpu_.state.rflags &= ~u64{kFlagRf};
  return execute(decoded) != Progress::faulted;
}

// An instruction breakpoint is a fault before the instruction, unless RF says that it was taken already, or
// MOV SS holds debug exceptions off (SDM vol. 3B 17.3.1.1).
bool Interpreter::deliver_instruction_breakpoint() {
  const VcpuState& state = cpu_.state;
  if (!breakpoints_armed(cpu_) || (state.rflags & kFlagRf) != 0 ||
      (state.interrupt_shadow & kShadowMovSs) != 0)
    return false;
  const Gva gva = static_cast<Gva>(state.segment(Seg::cs).base) + state.eip();
  const u32 dr6_bits = match_breakpoints(cpu_, gva, 1, AccessKind::fetch);
  if (dr6_bits == 0) return false;
  raise_fault(Fault::db(dr6_bits));
  return true;
}

// Traps of the instruction just done: data and I/O breakpoints, TF. After MOV SS they wait for the end of the
// next instruction, and a single-step trap is lost.
void Interpreter::deliver_debug_traps(const DecodedInstruction& decoded, bool single_step) {
  VcpuState& state = cpu_.state;
  if (state.shutdown != 0) return;  // a task switch ended so: nothing is delivered any more
  if ((state.interrupt_shadow & kShadowMovSs) != 0) return;
  if (single_step && !discards_single_step(decoded.insn, state)) state.pending_dr6 |= kDr6SingleStep;
  if (state.pending_dr6 == 0) return;
  const u32 bits = static_cast<u32>(state.pending_dr6);
  state.pending_dr6 = 0;
  state.halted = 0;
  deliver_debug_trap(cpu_, bits);
  if (state.shutdown != 0) cpu_.control.raise_event(kEventInspect);
}

// The whole of the rules, for whatever the fast path leaves.
bool Interpreter::careful_step(bool cached) {
  VcpuState& state = cpu_.state;
  if (deliver_instruction_breakpoint()) return false;
  const Outcome<const DecodedInstruction*> fetched = fetch(cached);
  if (!fetched) {
    raise_fault(fetched.error());
    return false;
  }
  const DecodedInstruction& decoded = **fetched;
  if (!cached) ++fallbacks_[decoded.insn.mnemonic % kHandlerCount];
  if (tracing_) trace_instruction(decoded.insn);

  const bool single_step = (state.rflags & kFlagTf) != 0;
  state.rflags &= ~u64{kFlagRf};  // IRET and task switches may set it for the next instruction
  state.interrupt_shadow = 0;     // likewise
  const Progress progress = execute(decoded);
  if (progress == Progress::faulted) return false;
  deliver_debug_traps(decoded, single_step);
  return true;
}

void Interpreter::trace_instruction(const Instruction& insn) {
  const VcpuState& state = cpu_.state;
  const char* name = ZydisMnemonicGetString(static_cast<ZydisMnemonic>(insn.mnemonic));
  cpu_.trace.write(
      "{:04x}:{:08x} {:<10} eax={:08x} ecx={:08x} edx={:08x} ebx={:08x} esp={:08x} ebp={:08x} "
      "esi={:08x} edi={:08x} fl={:08x}\n",
      state.segment(Seg::cs).selector, state.eip(), name == nullptr ? "?" : name, state.reg32(kEax),
      state.reg32(kEcx), state.reg32(kEdx), state.reg32(kEbx), state.reg32(kEsp), state.reg32(kEbp),
      state.reg32(kEsi), state.reg32(kEdi), state.eflags());
}

// --- The engine ---

// Does what control.events asks for, but for leaving.
void Interpreter::attend(CpuIo& io) {
  RunControl& control = cpu_.control;
  VcpuState& state = cpu_.state;
  const bool due = control.exact_count && control.retired >= control.deadline;
  if ((control.events.load(std::memory_order_acquire) & kEventService) != 0 || due) {
    control.clear_event(kEventService);
    io.service(kEventService);
    if ((control.events.load(std::memory_order_acquire) & kEventExit) != 0) return;
  }
  u32 events = control.events.load(std::memory_order_acquire);
  if ((events & kEventNmi) != 0) {
    control.clear_event(kEventNmi);
    state.nmi_pending = 1;
  }
  if ((events & kEventInspect) != 0) control.clear_event(kEventInspect);
  const auto internal_pending = [&] {
    return state.pending_dr6 != 0 || (state.nmi_pending != 0 && state.nmi_masked == 0);
  };
  if (internal_pending() || ((events & kEventInterrupt) != 0 && interrupts_open(cpu_))) deliver_pending(cpu_);
  // Held off by a shadow: look again after the next instruction.
  if (internal_pending()) control.raise_event(kEventInspect);
}

ExitReason Interpreter::loop(CpuIo& io) {
  RunControl& control = cpu_.control;
  const VcpuState& state = cpu_.state;
  for (;;) {
    if ((control.events.load(std::memory_order_acquire) & kEventExit) != 0) {
      control.clear_event(kEventExit);
      return ExitReason::requested;
    }
    attend(io);
    if ((control.events.load(std::memory_order_acquire) & kEventExit) != 0) continue;
    if (state.shutdown != 0) return ExitReason::shutdown;
    if (state.halted != 0) return ExitReason::halted;
    do {
      cached_step();
    } while (control.events.load(std::memory_order_relaxed) == 0 && control.retired < control.deadline);
  }
}

ExitReason Interpreter::run(CpuIo& io) {
  cpu_.io = &io;
  tracing_ = cpu_.trace.on(TracePoint::exec);
  const u64 before = cpu_.control.retired;
  const ExitReason reason = loop(io);
  retired_ += cpu_.control.retired - before;
  cpu_.io = nullptr;
  return reason;
}

void Interpreter::request_exit() { cpu_.control.raise_event(kEventExit); }

void Interpreter::save(VcpuState& state) const { state = cpu_.state; }

void Interpreter::restore(const VcpuState& state) {
  cpu_.state = state;
  cpu_.flush_all();
  cpu_.control.raise_event(kEventInspect);
}

EngineCapabilities Interpreter::capabilities() const {
  return {.name = "interp", .virtual_time = true, .exact_debug_registers = true};
}

void Interpreter::report(StatsSink& sink) const {
  sink.count("interp", "instructions", retired_);
  const DecodeCache::Counters& cache = cache_.counters();
  sink.count("interp", "decoded", cache.inserted);
  sink.count("interp", "decodes-overwritten", cache.invalidated);
  sink.count("interp", "code-pages-dropped", cache.pages_dropped);
  sink.count("interp", "decode-cache-resets", cache.resets);
}

void Interpreter::report_fallbacks(StatsSink& sink, std::string_view group) const {
  std::vector<std::pair<u64, unsigned>> by_count;
  for (unsigned mnemonic = 0; mnemonic <= ZYDIS_MNEMONIC_MAX_VALUE; ++mnemonic)
    if (fallbacks_[mnemonic] != 0) by_count.emplace_back(fallbacks_[mnemonic], mnemonic);
  std::sort(by_count.rbegin(), by_count.rend());
  constexpr std::size_t kShown = 24;
  by_count.resize(std::min(by_count.size(), kShown));
  for (const auto& [count, mnemonic] : by_count)
    sink.count(group, ZydisMnemonicGetString(static_cast<ZydisMnemonic>(mnemonic)), count);
}

}  // namespace ringshift
