// Exceptions, software interrupts and interrupts of a counted run: by KVM, caught where their handlers begin.
#include <cerrno>
#include <utility>

#include "cpu-model/paging.h"
#include "hw-accel-kvm/counted_run.h"
#include "hw-accel-kvm/handler_marks.h"
#include "hw-accel-kvm/kvm_failure.h"

namespace ringshift {

namespace {

// Notes what the CPU model would deliver, and delivers nothing.
class EventNote final : public DeliveryHook {
 public:
  std::optional<Event> event;
  Outcome<> deliver(const Event& raised) override {
    event = raised;
    return {};
  }
  bool deliver_interrupt() override { return false; }
};

// Vectors of faults that a delivery may meet (SDM vol. 3A table 6-5).
constexpr u8 kFaultsOfDelivery[] = {8, 10, 11, 12, 13, 14};

}  // namespace

// By the model, with everything put back.
std::optional<Event> CountedRun::predict() {
  const VcpuState before = cpu_.state;
  const u64 retired = cpu_.control.retired;
  EventNote note;
  DeliveryHook* const usual = std::exchange(cpu_.delivery_hook, &note);
  step_by_model();
  cpu_.delivery_hook = usual;
  cpu_.state = before;
  cpu_.control.retired = retired;
  return note.event;
}

Result<void> CountedRun::step_what_raises() {
  known_valid_ = false;  // KVM on AMD has reset the vCPU
  const u32 eip = cpu_.state.eip();
  const std::optional<Event> event = predict();
  if (!event)
    return fail(ErrorKind::internal, "KVM raises an exception at EIP {:08x}, and the CPU model none", eip);
  const bool caught = RS_TRY(enter_handler(*event));
  if (caught) return {};
  ++counters_.model_delivered;
  step_by_model();
  return {};
}

Result<void> CountedRun::take_interrupt(CpuIo& io) {
  const int vector = io.acknowledge_interrupt();
  if (vector < 0) return {};
  const Event event{.vector = static_cast<u8>(vector), .kind = EventKind::external};
  const bool caught = RS_TRY(enter_handler(event));
  if (caught) return {};
  ++counters_.model_delivered;
  cpu_.flush_all();
  deliver_interrupt(cpu_, event.vector);
  return {};
}

Result<bool> CountedRun::enter_handler(const Event& event) {
  HandlerMarks marks(cpu_);
  if (!marks.add(event.vector)) return false;
  for (const u8 vector : kFaultsOfDelivery) marks.add(vector);
  const HandlerEntry entry = *handler_entry(cpu_, event.vector);
  RS_TRY(memory_.follow(cpu_.state.a20_masked != 0));
  StateImage image = image_of(cpu_.state, quirks_);
  if (event.kind == EventKind::external) {
    image.events.interrupt.injected = 1;
    image.events.interrupt.nr = event.vector;
  }
  known_valid_ = false;
  RS_TRY(load_image(vcpu_, image, has_tsc_aux_));
  const bool reached = RS_TRY(run_to_mark());
  if (!reached) return false;
  const StateImage after = RS_TRY(read_image(vcpu_, has_tsc_aux_));
  VcpuState& state = cpu_.state;
  const u64 dr6 = state.dr[6];
  take_image(after, state);
  state.rip = state.eip() - 1;
  state.dr[6] = dr6;
  state.interrupt_shadow = state.halted = 0;
  const Gva at = static_cast<Gva>(state.segment(Seg::cs).base) + state.eip();
  if (!marks.at(at)) return fail(ErrorKind::internal, "KVM ran past the handler of vector {}", event.vector);
  ++counters_.delivered;
  if (at != entry.linear) return true;  // another fault, of the delivery
  if (event.kind == EventKind::software) ++cpu_.control.retired;
  if (entry.wide && event.resume && quirks_.no_resume_flag) save_resume_flag(event);
  return true;
}

// False: the vCPU was shut down.
Result<bool> CountedRun::run_to_mark() {
  kvm_guest_debug none{};
  kvm_run& run = vcpu_.shared();
  run.immediate_exit = run.request_interrupt_window = 0;
  RS_TRY(vcpu_.request(KVM_SET_GUEST_DEBUG, &none, "KVM_SET_GUEST_DEBUG"));
  for (unsigned interrupted = 0; interrupted < kPatience; ++interrupted) {
    const int error = vcpu_.run();
    if (error == EINTR || error == EAGAIN) continue;
    if (error != 0) return tl::unexpected(kvm_error("KVM_RUN", error));
    if (run.exit_reason == KVM_EXIT_HLT) return true;
    if (run.exit_reason == KVM_EXIT_SHUTDOWN) return false;
    if (run.exit_reason != KVM_EXIT_INTR)
      return fail(ErrorKind::engine_unavailable, "{}", describe_failure(run, cpu_.state));
  }
  return fail(ErrorKind::internal, "KVM does not come to the handler of what EIP {:08x} raises",
              cpu_.state.eip());
}

// In the frame that was just pushed: error code, EIP, CS, EFLAGS.
void CountedRun::save_resume_flag(const Event& event) {
  constexpr u32 kRfByte = 2;
  const u32 mask = cpu_.stack32() ? 0xffffffffu : 0xffffu;
  const u32 at = (cpu_.state.reg32(kEsp) + (event.has_error_code ? 12u : 8u) + kRfByte) & mask;
  if (u8* const byte = stack_byte(at)) *byte |= static_cast<u8>(kFlagRf >> 16);
}

}  // namespace ringshift
