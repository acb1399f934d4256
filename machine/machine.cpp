// Assembly and boot of a machine.
#include "machine/machine.h"

#include <fcntl.h>

#include <cstring>
#include <ctime>

#include "devices/host_time.h"
#include "machine/engine_factory.h"
#include "machine/host_memory.h"
#include "machine/loaders/load_kernel.h"

namespace ringshift {

namespace {
// Under virtual time two runs must be equal, so the real-time clock starts at a fixed date: 2024-01-01.
constexpr i64 kVirtualTimeStartUtc = 1'704'067'200;
}  // namespace

Machine::Machine(MachineConfig config, MachineBackends backends, Tracer tracer, GuestMemory memory,
                 CpuidTable cpuid)
    : config_(std::move(config)),
      backends_(std::move(backends)),
      tracer_(std::move(tracer)),
      memory_(std::move(memory)),
      map_(memory_),
      cpuid_(std::move(cpuid)) {}

Machine::~Machine() = default;

Result<std::unique_ptr<Machine>> Machine::create(MachineConfig config, MachineBackends backends,
                                                 Tracer tracer) {
  // The verifier's replica has RAM of its own.
  const bool replica = config.has_engine(EngineKind::bt) && config.bt_verify;
  RS_TRY(check_host_memory(config.ram_bytes * (replica ? 2 : 1)));
  const HostFeatures features = RS_TRY(engine_features(config));
  CpuidTable cpuid = RS_TRY(CpuidTable::create(config.cpu_model, features));
  GuestMemory memory = RS_TRY(GuestMemory::create(config.ram_bytes));
  std::unique_ptr<Machine> machine(new Machine(std::move(config), std::move(backends), std::move(tracer),
                                               std::move(memory), std::move(cpuid)));
  RS_TRY(machine->assemble());
  RS_TRY(machine->boot());
  return machine;
}

Result<void> Machine::assemble() {
  i64 start_utc = ::time(nullptr);
  if (config_.icount_shift) {
    auto time = std::make_unique<InstructionTime>(control_.retired, *config_.icount_shift);
    virtual_time_ = time.get();
    time_ = std::move(time);
    control_.exact_count = true;
    start_utc = kVirtualTimeStartUtc;
  } else {
    time_ = std::make_unique<HostTime>();
  }
  clock_ = std::make_unique<Clock>(*time_);
  cpu_ = std::make_unique<Cpu>(map_, cpuid_, control_, tracer_);
  // INIT without firmware to run at the reset vector: the whole machine starts anew.
  wires_ = std::make_unique<CpuWires>(*cpu_, [this] { reset(); });
  start_utc_ = start_utc;
  if (config_.guest_abi == GuestAbi::xen_pv)
    make_xen_guest();
  else
    RS_TRY(make_board(start_utc));
  engines_ = RS_TRY(EngineSet::create(config_, *cpu_));
  if (config_.engine_turns) rotation_.emplace(*engines_, RS_TRY(turns_in_ns(config_)), *clock_, control_);
  clock_->on_deadline_change([this](u64) { follow_deadline(); });
  return {};
}

Result<void> Machine::make_board(i64 start_utc) {
  const BoardSurroundings around{*clock_,
                                 *wires_,
                                 *this,
                                 map_,
                                 *backends_.serial,
                                 backends_.debugcon.get(),
                                 start_utc,
                                 cpuid_.signature(),
                                 cpuid_.query(1, 0).edx};
  board_ = std::make_unique<PcBoard>(around, config_);
  RS_TRY(board_->attach());
  board_io_ = std::make_unique<BoardIo>(*board_, *clock_, tracer_, [this](u32) { service(); });
  return {};
}

void Machine::make_xen_guest() {
  const xen::DomainSurroundings around{
      *cpu_, *clock_, map_, *this, *backends_.serial, [this](std::string report) {
        ask({RunOutcome::Kind::domain_crash, 0, std::move(report), {}});
      }};
  xen_ = std::make_unique<XenGuest>(around, [this](u32) { service(); });
}

// The guest in memory, and the state that it is entered with.
Result<VcpuState> Machine::load_guest() {
  reset_vcpu(cpu_->state, cpuid_.signature());
  cpu_->state.tsc_offset = 0 - clock_->tsc();
  if (xen_ != nullptr) {
    RS_TRY(xen_->boot(config_, start_utc_ + static_cast<i64>(clock_->now_ns() / 1'000'000'000)));
    return cpu_->state;
  }
  board_->reset();
  VcpuState state = cpu_->state;
  RS_TRY(load_kernel(config_.boot, map_, {.acpi_rsdp = board_->rsdp()}, state));
  return state;
}

Result<void> Machine::boot() {
  ++counters_.boots;
  if (used_) forget_memory();
  used_ = true;
  control_.clear_event(kEventInterrupt | kEventNmi | kEventInspect);
  const VcpuState state = RS_TRY(load_guest());
  // The loaders wrote behind the engines' backs.
  for (Gpa page = 0; page < memory_.size(); page += kPageSize) map_.note_page_write(page);
  cpu_->fault_chain.clear();
  engines_->current().restore(state);
  if (tracer_.on(TracePoint::cpu_reset)) tracer_.write("cpu_reset:\n{}\n", describe_cpu());
  return {};
}

// RAM is as after power-on: zeros, which the host need not hold.
void Machine::forget_memory() {
  if (::fallocate(memory_.fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                  static_cast<off_t>(memory_.size())) != 0)
    std::memset(memory_.base(), 0, memory_.size());
}

// A domain would be asked through xenstore (control/shutdown), and GRUB, say, doesn't look.
void Machine::press_power_button() {
  if (board_ != nullptr) board_->acpi().press_power_button();
}

void Machine::record_io(bt::IoRecorder* recorder) {
  recorder_ = recorder;
  if (recorder != nullptr) recorder->attach(io());
}

std::vector<u8> Machine::device_state() const {
  StateWriter out;
  if (board_ != nullptr) board_->save(out);
  return out.bytes();
}

}  // namespace ringshift
