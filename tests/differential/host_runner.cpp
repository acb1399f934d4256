// HostRunner: arenas at fixed low addresses, entry by IRETQ, exit by whichever signal comes.
#include "tests/differential/host_runner.h"

#include <asm/ldt.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <iterator>

#include "base/check.h"
#include "tests/differential/host_signals.h"
#include "tests/differential/small_segments.h"

extern "C" {
void ringshift_host_enter(ringshift::differential::HostContext* context);
void ringshift_host_return();
}

namespace ringshift::differential {

// host_enter.S knows these.
static_assert(offsetof(HostContext, fx) == 512 && offsetof(HostContext, frame) == 1024);
static_assert(offsetof(HostContext, gpr) == 1064 && offsetof(HostContext, host_rsp) == 1096);
static_assert(offsetof(HostContext, ds) == 1104 && offsetof(HostContext, es) == 1106);

namespace {

// The faults, and what ends code that goes round for ever.
constexpr int kSignals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGPROF};
// Of CPU time; a run that sees two of them goes round for ever.
constexpr suseconds_t kTickMicroseconds = 200000;

// A signal handler has no other way to its runner.
HostRunner* g_runner = nullptr;

bool to_runner(int signal, ucontext_t& context) { return g_runner->capture(signal, context); }

bool fill_ldt() {
  for (unsigned i = 0; i < kSmallSegments.size(); ++i) {
    const SmallSegment& segment = kSmallSegments[i];
    user_desc entry{};
    entry.entry_number = i;
    entry.base_addr = segment.base;
    entry.limit = segment.limit;
    entry.seg_32bit = segment.big;
    entry.contents = segment.contents;
    entry.read_exec_only = segment.read_only;
    entry.limit_in_pages = segment.in_pages;
    entry.useable = 1;
    constexpr int kWrite = 0x11;
    if (syscall(SYS_modify_ldt, kWrite, &entry, sizeof entry) != 0) return false;
  }
  return true;
}

}  // namespace

Result<std::unique_ptr<HostRunner>> HostRunner::create() {
  if (g_runner != nullptr) return fail(ErrorKind::internal, "a HostRunner exists already");
  std::unique_ptr<HostRunner> runner(new HostRunner);
  RS_TRY(runner->map());
  runner->has_small_segments_ = fill_ldt();

  g_runner = runner.get();
  ::signal(SIGPROF, SIG_IGN);
  const itimerval ticks = {{0, kTickMicroseconds}, {0, kTickMicroseconds}};
  setitimer(ITIMER_PROF, &ticks, nullptr);
  return runner;
}

bool HostRunner::host_can() {
  constexpr unsigned kPatienceSeconds = 10;
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(kPatienceSeconds);
    const auto runner = create();
    if (!runner) ::_exit(1);
    constexpr u8 kHlt = 0xf4;
    UserState state;
    state.eip = kArenas[kCode].base;
    state.gpr[4] = kArenas[kStack].base + kPageSize;
    (*runner)->write(state.eip, {&kHlt, 1});
    const RunResult result = (*runner)->run(state);
    ::_exit(result.stop.vector == 13 && result.state.cs == kUserCs ? 0 : 1);
  }
  int status = 0;
  return child > 0 && ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

HostRunner::~HostRunner() {
  if (g_runner == this) {
    const itimerval none = {};
    setitimer(ITIMER_PROF, &none, nullptr);
    ::signal(SIGPROF, SIG_IGN);
    g_runner = nullptr;
  }
  if (alias_ != nullptr) munmap(alias_, arena_offset(kArenaCount));
}

Result<void> HostRunner::map() {
  const u32 total = arena_offset(kArenaCount);
  memory_.reset(memfd_create("ringshift-differential", MFD_CLOEXEC));
  if (!memory_ || ftruncate(memory_.get(), total) != 0)
    return fail(ErrorKind::internal, "no memory for the arenas: {}", std::strerror(errno));
  void* alias = mmap(nullptr, total, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, memory_.get(), 0);
  if (alias == MAP_FAILED) return fail(ErrorKind::internal, "mmap: {}", std::strerror(errno));
  alias_ = static_cast<u8*>(alias);
  std::memset(alias_, 0, total);

  return arenas_.map(memory_.get(), 0);
}

void HostRunner::write(u32 address, std::span<const u8> bytes) {
  for (unsigned i = 0; i < kArenaCount; ++i) {
    const Arena& arena = kArenas[i];
    if (address < arena.base || address >= arena.base + arena.size()) continue;
    RS_CHECK(bytes.size() <= arena.base + arena.size() - address);
    std::memcpy(alias_ + arena_offset(i) + (address - arena.base), bytes.data(), bytes.size());
    return;
  }
  RS_PANIC("write outside the arenas: {:#x}", address);
}

const u8* HostRunner::arena(ArenaIndex index) const { return alias_ + arena_offset(index); }

RunResult HostRunner::run(const UserState& state) {
  std::memcpy(context_.fx, state.fx.data(), sizeof context_.fx);
  std::memcpy(context_.gpr, state.gpr.data(), sizeof context_.gpr);
  context_.frame[0] = state.eip;
  context_.frame[1] = state.cs;
  context_.frame[2] = state.eflags;
  context_.frame[3] = state.gpr[4];
  context_.frame[4] = state.ss;
  context_.ds = state.ds;
  context_.es = state.es;
  ticks_ = 0;
  {
    const HostSignals signals(kSignals, to_runner);
    ringshift_host_enter(&context_);
  }
  return result_;
}

bool HostRunner::capture(int signal, ucontext_t& context) {
  greg_t* const regs = context.uc_mcontext.gregs;
  const auto segments = static_cast<u64>(regs[REG_CSGSFS]);  // CS, GS, FS, SS
  const auto cs = static_cast<u16>(segments);
  if (cs != context_.frame[1]) return signal == SIGPROF;
  if (signal == SIGPROF && ++ticks_ < 2) return true;

  static constexpr int kOrder[8] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI};
  UserState& state = result_.state;
  for (unsigned i = 0; i < 8; ++i) state.gpr[i] = static_cast<u32>(regs[kOrder[i]]);
  state.eip = static_cast<u32>(regs[REG_RIP]);
  state.eflags = static_cast<u32>(regs[REG_EFL]);
  state.cs = cs;
  state.ss = static_cast<u16>(segments >> 48);
  asm("movw %%ds, %0" : "=r"(state.ds));
  asm("movw %%es, %0" : "=r"(state.es));
  std::memcpy(state.fx.data(), context.uc_mcontext.fpregs, state.fx.size());
  result_.stop = {static_cast<u32>(regs[REG_TRAPNO]), static_cast<u32>(regs[REG_ERR]),
                  static_cast<u32>(regs[REG_CR2])};
  if (signal == SIGPROF) result_.stop.vector = kEndless;

  regs[REG_RIP] = static_cast<greg_t>(reinterpret_cast<std::uintptr_t>(&ringshift_host_return));
  regs[REG_RSP] = static_cast<greg_t>(context_.host_rsp);
  regs[REG_EFL] = 0x202;
  regs[REG_CSGSFS] = static_cast<greg_t>((segments & 0x0000ffffffff0000) | 0x33 | u64{kUserDs} << 48);
  return true;
}

}  // namespace ringshift::differential
