// LongModeEngine: each instruction stands in a page of its own, and a jump back behind it.
#include "tests/differential/long_mode_engine.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

#include "base/check.h"
#include "base/unique_fd.h"
#include "cpu-model/exceptions.h"
#include "cpu-model/interp/interpreter.h"
#include "tests/differential/arena_mapping.h"
#include "tests/differential/engine_runner.h"
#include "tests/differential/host_signals.h"
#include "tests/differential/long_mode_form.h"

namespace ringshift::differential {

// What long_mode_enter.S shares with the signal handler.
struct LongModeContext {
  alignas(16) u8 host_fx[512];
  alignas(16) u8 fx[512];
  u32 gpr[8];
  u64 host_rsp;
  const u8* target;
  u64 flags;
  u32 taken;
  // If a signal ended it:
  bool faulted;
  u32 vector, error, address;
};
static_assert(offsetof(LongModeContext, fx) == 512 && offsetof(LongModeContext, gpr) == 1024);
static_assert(offsetof(LongModeContext, host_rsp) == 1056 && offsetof(LongModeContext, target) == 1064);
static_assert(offsetof(LongModeContext, flags) == 1072 && offsetof(LongModeContext, taken) == 1080);

}  // namespace ringshift::differential

extern "C" {
[[gnu::visibility("hidden")]] ringshift::differential::LongModeContext ringshift_long_context;
void ringshift_long_enter();
void ringshift_long_done();
void ringshift_long_taken();
void ringshift_host_return();
}

namespace ringshift::differential {

namespace {

// Of what guest code may see and set, the flags that an instruction with a form in 64-bit mode changes.
constexpr u32 kChanged = kArithmeticFlags | kFlagDf;
constexpr u32 kLoaded = kChanged | kFlagAc;

// The page for the instruction, writable at another place than where it is executed.
class CodeSlot {
 public:
  CodeSlot() {
    const UniqueFd memory(memfd_create("ringshift-instruction", MFD_CLOEXEC));
    RS_CHECK(memory && ftruncate(memory.get(), kPageSize) == 0);
    write_ = map(memory.get(), PROT_READ | PROT_WRITE);
    execute_ = map(memory.get(), PROT_READ | PROT_EXEC);
    put_address(kDone, ringshift_long_done);
    put_address(kTaken, ringshift_long_taken);
  }
  CodeSlot(const CodeSlot&) = delete;
  ~CodeSlot() {
    munmap(write_, kPageSize);
    munmap(execute_, kPageSize);
  }

  const u8* fill(const LongModeForm& form) {
    std::memcpy(write_, form.bytes, form.length);
    put_jump(form.length, kDone);
    put_jump(form.length + LongModeForm::kJumpLength, kTaken);
    return execute_;
  }
  bool starts_at(u64 rip) const { return rip == reinterpret_cast<std::uintptr_t>(execute_); }

 private:
  static u8* map(int file, int protection) {
    void* const got = mmap(nullptr, kPageSize, protection, MAP_SHARED, file, 0);
    RS_CHECK(got != MAP_FAILED);
    return static_cast<u8*>(got);
  }
  void put_address(unsigned at, void (*target)()) { std::memcpy(write_ + at, &target, sizeof target); }
  void put_jump(unsigned at, unsigned address) {
    static constexpr u8 kJumpMemory[2] = {0xff, 0x25};
    static_assert(sizeof kJumpMemory + sizeof(u32) == LongModeForm::kJumpLength);
    const u32 displacement = address - (at + LongModeForm::kJumpLength);
    std::memcpy(write_ + at, kJumpMemory, sizeof kJumpMemory);
    std::memcpy(write_ + at + sizeof kJumpMemory, &displacement, sizeof displacement);
  }
  // Where the ways back stand: aligned, for the guest may have set EFLAGS.AC.
  static constexpr unsigned kDone = 64, kTaken = 72;
  u8* write_;
  u8* execute_;
};

class LongModeEngine final : public ExecutionEngine {
 public:
  explicit LongModeEngine(Cpu& cpu) : cpu_(cpu), interpreter_(cpu) {
    RS_CHECK(current_ == nullptr);
    current_ = this;
  }
  LongModeEngine(const LongModeEngine&) = delete;
  ~LongModeEngine() override { current_ = nullptr; }
  Result<void> map_arenas() { return arenas_.map(cpu_.phys.memory().fd(), arena_physical(0)); }

  ExitReason run(CpuIo& io) override;
  void request_exit() override { interpreter_.request_exit(); }
  void save(VcpuState& state) const override { interpreter_.save(state); }
  void restore(const VcpuState& state) override {
    interpreter_.restore(state);
    cpu_.control.clear_event(kEventInspect);  // nothing is ever pending
  }
  EngineCapabilities capabilities() const override {
    return {.name = "host64", .virtual_time = false, .exact_debug_registers = false};
  }
  void report(StatsSink& sink) const override {
    sink.count("instructions", kByHostCpu, by_host_);
    sink.count("instructions", "by the interpreter", by_interpreter_);
  }

 private:
  std::optional<LongModeForm> form_of_next() const;
  void execute(const LongModeForm& form);
  void store(const LongModeContext& context);
  void deliver(const LongModeContext& context);
  static bool capture(int signal, ucontext_t& context);

  Cpu& cpu_;
  Interpreter interpreter_;
  LongModeForms forms_;
  CodeSlot slot_;
  ArenaMapping arenas_;
  SignalStack signal_stack_;
  u64 by_host_ = 0, by_interpreter_ = 0;
  static LongModeEngine* current_;
};

LongModeEngine* LongModeEngine::current_ = nullptr;

bool flat(const VcpuState& state) {
  return state.cpl == 3 && state.segment(Seg::cs).selector == kUserCs &&
         state.segment(Seg::ss).selector == kUserDs && state.segment(Seg::ds).selector == kUserDs &&
         state.segment(Seg::es).selector == kUserDs;
}

std::optional<LongModeForm> LongModeEngine::form_of_next() const {
  const VcpuState& state = cpu_.state;
  if (!flat(state) || (state.rflags & kFlagTf) != 0) return {};
  const Arena& code = kArenas[kCode];
  const u32 offset = state.eip() - code.base;
  if (offset >= code.size()) return {};
  return forms_.find({cpu_.phys.memory().base() + arena_physical(kCode) + offset, code.size() - offset});
}

ExitReason LongModeEngine::run(CpuIo& io) {
  cpu_.io = &io;
  const HostSignals signals(HostSignals::kFaults, capture);
  const auto asked = [&] { return (cpu_.control.events.load(std::memory_order_acquire) & kEventExit) != 0; };
  while (cpu_.state.halted == 0 && cpu_.state.shutdown == 0 && !asked()) {
    if (const auto form = form_of_next()) {
      execute(*form);
      ++by_host_;
    } else {
      by_interpreter_ += cpu_.user() ? 1 : 0;
      interpreter_.step(true);
    }
  }
  cpu_.io = nullptr;
  if (asked()) return ExitReason::requested;
  return cpu_.state.halted != 0 ? ExitReason::halted : ExitReason::shutdown;
}

void LongModeEngine::execute(const LongModeForm& form) {
  const VcpuState& state = cpu_.state;
  LongModeContext& context = ringshift_long_context;
  std::memcpy(context.fx, state.fx.bytes, sizeof context.fx);
  for (unsigned i = 0; i < 8; ++i) context.gpr[i] = state.reg32(i);
  context.target = slot_.fill(form);
  context.flags = (state.rflags & kLoaded) | kFlagFixed | kFlagIf;
  context.taken = 0;
  context.faulted = false;
  ringshift_long_enter();

  store(context);
  if (context.faulted) return deliver(context);
  const u32 next = state.eip() + form.guest_length;
  cpu_.state.rip = context.taken != 0 ? next + static_cast<u32>(form.displacement) : next;
}

void LongModeEngine::store(const LongModeContext& context) {
  VcpuState& state = cpu_.state;
  for (unsigned i = 0; i < 8; ++i) state.set_reg32(i, context.gpr[i]);
  state.rflags = (state.rflags & ~u64{kChanged | kFlagRf}) | (context.flags & kChanged);
  // The control words, MXCSR and the registers: neither FOP, FIP and FDP, nor MXCSR_MASK, nor XMM8 to 15.
  static constexpr struct { unsigned offset, size; } kParts[] = {{0, 5}, {24, 4}, {32, 256}};
  for (const auto& [offset, size] : kParts) std::memcpy(state.fx.bytes + offset, context.fx + offset, size);
}

void LongModeEngine::deliver(const LongModeContext& context) {
  deliver_fault(cpu_, {static_cast<Vector>(context.vector), has_error_code(context.vector),
                       static_cast<u16>(context.error), context.address});
}

bool LongModeEngine::capture(int, ucontext_t& context) {
  greg_t* const regs = context.uc_mcontext.gregs;
  if (!current_->slot_.starts_at(static_cast<u64>(regs[REG_RIP]))) return false;
  LongModeContext& out = ringshift_long_context;
  static constexpr int kOrder[8] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI};
  for (unsigned i = 0; i < 8; ++i) out.gpr[i] = static_cast<u32>(regs[kOrder[i]]);
  out.flags = static_cast<u64>(regs[REG_EFL]);
  std::memcpy(out.fx, context.uc_mcontext.fpregs, sizeof out.fx);
  out.vector = static_cast<u32>(regs[REG_TRAPNO]);
  out.error = static_cast<u32>(regs[REG_ERR]);
  out.address = static_cast<u32>(regs[REG_CR2]);
  out.faulted = true;

  regs[REG_RIP] = static_cast<greg_t>(reinterpret_cast<std::uintptr_t>(&ringshift_host_return));
  regs[REG_RSP] = static_cast<greg_t>(out.host_rsp);
  regs[REG_EFL] = kFlagFixed | kFlagIf;
  return true;
}

}  // namespace

Result<std::unique_ptr<ExecutionEngine>> create_long_mode_engine(Cpu& cpu) {
  auto engine = std::make_unique<LongModeEngine>(cpu);
  RS_TRY(engine->map_arenas());
  return engine;
}

}  // namespace ringshift::differential
