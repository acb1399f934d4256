// The steps of the probe, each of which needs those before it.
#include "direct-exec/trap_probe.h"

#include <algorithm>
#include <cstring>

#include "base/host_clock.h"
#include "cpu-model/empty_board.h"
#include "direct-exec/process_nest.h"
#include "direct-exec/trap_engine.h"

namespace ringshift {

namespace {

// Everything lies above any vm.mmap_min_addr that a host may have, where it is run and not interpreted.
constexpr u64 kMemory = u64{4} << 20;
constexpr u32 kCode = 0x200000, kData = 0x210000;
constexpr u16 kCodeSelector = 0x08, kDataSelector = 0x10, kBasedSelector = 0x18;
constexpr u8 kPort = 0xf4, kAnswer = 0x5a;
constexpr u32 kTraps = 300;

// mov al, fs:[0]; 1: out port, al; dec ecx; jnz 1b; hlt
constexpr u8 kGuest[] = {0x64, 0xa0, 0, 0, 0, 0, 0xe6, kPort, 0x49, 0x75, 0xfb, 0xf4};

// What the probe's guest writes to its port, and when.
class ProbeIo final : public EmptyBoard {
 public:
  std::vector<u64> times;
  bool all_right = true;

  void port_out(u16 port, unsigned, u32 value) override {
    all_right = all_right && port == kPort && value == kAnswer;
    times.push_back(host_clock_ns());
  }
};

class EntryCount final : public StatsSink {
 public:
  u64 entries = 0;
  void count(std::string_view group, std::string_view name, u64 value) override {
    if (group == "trap" && name == "entries") entries = value;
  }
  void figure(std::string_view, std::string_view, double, std::string_view) override {}
};

VcpuState probe_state() {
  VcpuState state{};
  reset_vcpu(state, 0x600);
  constexpr u32 kFlat = kSegPresent | kSegNotSystem | kSegWritable | kSegAccessed | kSegBig | kSegGranular;
  for (SegmentRegister& segment : state.seg) segment = {kDataSelector, 0, kFlat, 0xffffffff, 0, 0};
  state.segment(Seg::cs) = {kCodeSelector, 0, kFlat | kSegCode, 0xffffffff, 0, 0};
  state.segment(Seg::fs) = {kBasedSelector, 0, kFlat & ~kSegGranular, 0xfff, 0, kData};
  state.cr0 = kCr0Pe | kCr0Et;
  state.rip = kCode;
  state.gpr[kEcx] = kTraps;
  return state;
}

// The median time from one entry to the next; 0 if there are too few.
double median_step(const std::vector<u64>& times) {
  if (times.size() < kTraps / 2) return 0;
  std::vector<u64> steps;
  for (std::size_t i = 1; i < times.size(); ++i) steps.push_back(times[i] - times[i - 1]);
  const auto middle = steps.begin() + static_cast<std::ptrdiff_t>(steps.size() / 2);
  std::nth_element(steps.begin(), middle, steps.end());
  return static_cast<double>(*middle);
}

// Empty if the guest ran in a process, and rightly.
Result<std::string> run_guest(double* trap_ns) {
  GuestMemory memory = RS_TRY(GuestMemory::create(kMemory));
  std::memcpy(memory.base() + kCode, kGuest, sizeof kGuest);
  memory.base()[kData] = kAnswer;
  PhysicalMap map(memory);
  const CpuidTable cpuid = RS_TRY(CpuidTable::create("n270"));
  RunControl control;
  Tracer tracer;
  Cpu cpu(map, cpuid, control, tracer);
  const auto engine = RS_TRY(TrapEngine::create(cpu));
  engine->restore(probe_state());
  ProbeIo io;
  const ExitReason reason = engine->run(io);
  if (reason == ExitReason::failed) return engine->failure();
  if (reason != ExitReason::halted || io.times.size() != kTraps || !io.all_right)
    return fmt::format("it went wrong after {} of {} traps at EIP {:08x}", io.times.size(), kTraps,
                       cpu.state.eip());
  EntryCount count;
  engine->report(count);
  if (count.entries < kTraps) return std::string("it was interpreted");
  *trap_ns = median_step(io.times);
  return std::string();
}

// A segment of 4 KiB at kData, as run_guest()'s FS.
bool takes_segments(GuestProcess& process) {
  constexpr u32 kBig = 1, kUsable = 1u << 6;
  process.queue_ldt({{0, kData, 0xfff, kBig | kUsable}});
  return process.flush();
}

}  // namespace

const TrapCheck* TrapProbe::failing() const {
  for (const TrapCheck& check : checks)
    if (!check.works) return &check;
  return nullptr;
}

TrapProbe probe_trap() {
  TrapProbe probe;
  // Adds a check; whether to go on.
  const auto check = [&](std::string_view name, const std::string& wrong) {
    probe.checks.push_back({std::string(name), wrong.empty(), wrong});
    return wrong.empty();
  };
  {
    const auto memory = GuestMemory::create(kMemory);
    if (!memory) return check(kTrapProcess, memory.error().message), probe;
    const auto nest = ProcessNest::create(memory->fd());
    if (!check(kTrapProcess, nest ? std::string() : nest.error().message)) return probe;
    probe.lowest_mapping = (*nest)->lowest_mapping();
    probe.cpuid_traps = (*nest)->cpuid_faults();
    const auto process = (*nest)->spawn();
    if (!check(kTrapFilter, process ? std::string() : process.error().message)) return probe;
    if (!check(kTrapSegments, takes_segments(**process) ? "" : "the kernel refuses them")) return probe;
  }
  const auto wrong = run_guest(&probe.trap_ns);
  check(kTrapGuest, wrong ? *wrong : wrong.error().message);
  return probe;
}

}  // namespace ringshift
