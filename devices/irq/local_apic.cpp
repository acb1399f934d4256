// LocalApic: acceptance, priority and sending of interrupts.
#include "devices/irq/local_apic.h"

#include <bit>

#include "base/bits.h"
#include "devices/irq/local_apic_bits.h"

namespace ringshift {

using namespace apic;  // NOLINT: bits

namespace {

int highest(const std::array<u32, 8>& vectors) {
  for (int word = 7; word >= 0; --word) {
    if (const u32 bits = vectors[static_cast<unsigned>(word)]; bits != 0)
      return word * 32 + 31 - std::countl_zero(bits);
  }
  return -1;
}

void set(std::array<u32, 8>& vectors, u8 vector) { vectors[vector / 32] |= 1u << (vector % 32); }
void clear(std::array<u32, 8>& vectors, u8 vector) { vectors[vector / 32] &= ~(1u << (vector % 32)); }
bool test(const std::array<u32, 8>& vectors, u8 vector) { return has_bit(vectors[vector / 32], vector % 32); }

ApicDelivery delivery_of(u32 register_value) { return static_cast<ApicDelivery>((register_value >> 8) & 7); }

}  // namespace

LocalApic::LocalApic(Clock& clock, CpuSignals& signals)
    : signals_(signals), clock_(clock), timer_due_(clock, [this] { timer_due(); }) {
  reset();
}

Result<void> LocalApic::attach(MmioBus& bus) { return bus.insert(kBase, kPageSize, *this, "lapic"); }

void LocalApic::set_listeners(RequestListener* requests, EoiListener* eoi) {
  requests_ = requests;
  eoi_ = eoi;
}

void LocalApic::changed() {
  if (requests_ != nullptr) requests_->request_changed();
}

// SDM 3A 11.4.7.1.
void LocalApic::power_up() {
  id_ = task_priority_ = logical_destination_ = 0;
  destination_format_ = 0xffffffff;
  spurious_ = 0xff;
  errors_seen_ = error_status_ = icr_low_ = icr_high_ = 0;
  lvt_.fill(kMasked);
  in_service_ = trigger_mode_ = requested_ = {};
  timer_initial_ = timer_divide_ = timer_from_ = 0;
  timer_due_.cancel();
}

void LocalApic::reset() {
  power_up();
  globally_enabled_ = true;
  spurious_ = 0x1ff;
  lvt_[lint0] = static_cast<u32>(ApicDelivery::ext_int) << 8;
  lvt_[lint1] = static_cast<u32>(ApicDelivery::nmi) << 8;
  changed();
}

void LocalApic::set_apic_base(u64 value) {
  const bool enable = has_bit(value, 11);
  if (enable == globally_enabled_) return;
  globally_enabled_ = enable;
  power_up();
  changed();
}

void LocalApic::save(StateWriter& out) const {
  out.put(static_cast<u8>(globally_enabled_));
  for (const u32 value :
       {id_, task_priority_, logical_destination_, destination_format_, spurious_, errors_seen_,
        error_status_, icr_low_, icr_high_, timer_initial_, timer_divide_, timer_from_})
    out.put(value);
  out.put(timer_start_);
  out.put(timer_due_ns_);
  out.put(timer_due_.deadline());
  out.put(static_cast<u8>(timer_making_up_));
  out.put(lvt_);
  out.put(in_service_);
  out.put(trigger_mode_);
  out.put(requested_);
  for (const bool level : lint_level_) out.put(static_cast<u8>(level));
}

void LocalApic::restore(StateReader& in) {
  u8 byte = 0;
  in.get(byte);
  globally_enabled_ = byte != 0;
  for (u32* value :
       {&id_, &task_priority_, &logical_destination_, &destination_format_, &spurious_, &errors_seen_,
        &error_status_, &icr_low_, &icr_high_, &timer_initial_, &timer_divide_, &timer_from_})
    in.get(*value);
  in.get(timer_start_);
  in.get(timer_due_ns_);
  u64 deadline = Clock::kNever;
  in.get(deadline);
  in.get(byte);
  timer_making_up_ = byte != 0;
  in.get(lvt_);
  in.get(in_service_);
  in.get(trigger_mode_);
  in.get(requested_);
  for (bool& level : lint_level_) {
    in.get(byte);
    level = byte != 0;
  }
  if (timer_initial_ == 0 || timer_start_ > clock_.now_ns()) timer_from_ = 0;
  timer_due_.arm(timer_from_ == 0 ? Clock::kNever : deadline);
  changed();
}

// SDM 3A 11.8.3.1.
u8 LocalApic::processor_priority() const {
  const int serving = highest(in_service_);
  const u32 service_class = serving < 0 ? 0 : static_cast<u32>(serving) & 0xf0;
  return static_cast<u8>((task_priority_ & 0xf0) >= service_class ? task_priority_ : service_class);
}

bool LocalApic::pending() const {
  if (!globally_enabled_) return false;
  const int vector = highest(requested_);
  return vector >= 0 && (vector & 0xf0) > (processor_priority() & 0xf0);
}

int LocalApic::acknowledge() {
  if (!pending()) return -1;
  const int vector = highest(requested_);
  clear(requested_, static_cast<u8>(vector));
  set(in_service_, static_cast<u8>(vector));
  changed();
  return vector;
}

void LocalApic::accept(u8 vector, bool level) {
  if (vector < 16) {
    raise_error(kReceiveIllegal);
    return;
  }
  if (!software_enabled()) return;
  set(requested_, vector);
  if (level)
    set(trigger_mode_, vector);
  else
    clear(trigger_mode_, vector);
  changed();
}

// Only an error that isn't recorded yet raises the interrupt, so that a bad vector there cannot recurse.
void LocalApic::raise_error(u32 bits) {
  if ((errors_seen_ & bits) == bits) return;
  errors_seen_ |= bits;
  trigger_lvt(error);
}

void LocalApic::trigger_lvt(Lvt entry) {
  const u32 value = lvt_[entry];
  if ((value & kMasked) != 0 || !globally_enabled_) return;
  const bool fixed_only = entry == timer || entry == error;
  switch (fixed_only ? ApicDelivery::fixed : delivery_of(value)) {
    case ApicDelivery::fixed:
      accept(static_cast<u8>(value), entry == lint0 && has_bit(value, 15));
      break;
    case ApicDelivery::nmi:
      signals_.raise_nmi();
      break;
    case ApicDelivery::init:
      signals_.request_init();
      break;
    default:  // ExtINT is the interrupt router's; there is no SMM.
      break;
  }
}

bool LocalApic::lint0_is_ext_int() const {
  return (lvt_[lint0] & kMasked) == 0 && delivery_of(lvt_[lint0]) == ApicDelivery::ext_int;
}

void LocalApic::set_lint0(bool level) {
  const bool rises = level && !lint_level_[0];
  lint_level_[0] = level;
  if (rises) trigger_lvt(lint0);
}

void LocalApic::set_lint1(bool level) {
  const bool rises = level && !lint_level_[1];
  lint_level_[1] = level;
  if (rises) trigger_lvt(lint1);
}

// SDM 3A 11.6.2.
bool LocalApic::matches(const ApicMessage& message) const {
  if (message.destination == 0xff) return true;
  if (!message.logical) return message.destination == id_ >> 24;
  const u8 own = static_cast<u8>(logical_destination_ >> 24);
  if (destination_format_ >> 28 == 0xf) return (own & message.destination) != 0;
  const u8 cluster = message.destination >> 4;
  return (cluster == 0xf || cluster == own >> 4) && (own & message.destination & 0xf) != 0;
}

bool LocalApic::deliver(const ApicMessage& message) {
  if (!globally_enabled_ || !matches(message)) return false;
  switch (message.delivery) {
    case ApicDelivery::fixed:
    case ApicDelivery::lowest:
      if (!software_enabled() || message.vector < 16) {
        if (message.vector < 16) raise_error(kReceiveIllegal);
        return false;
      }
      accept(message.vector, message.level);
      return true;
    case ApicDelivery::nmi:
      signals_.raise_nmi();
      return true;
    case ApicDelivery::init:
      signals_.request_init();
      return true;
    default:
      return false;
  }
}

void LocalApic::write_icr_low(u32 value) {
  icr_low_ = value & 0x000ccfff;  // The delivery status (bit 12) is always idle.
  ApicMessage message{};
  message.destination = static_cast<u8>(icr_high_ >> 24);
  message.logical = has_bit(value, 11);
  message.delivery = delivery_of(value);
  message.vector = static_cast<u8>(value);
  const unsigned shorthand = (value >> 18) & 3;
  if (shorthand == 3) return;  // All but the sender: there is nobody else.
  if (shorthand != 0) message.destination = 0xff;
  const bool has_vector = message.delivery == ApicDelivery::fixed || message.delivery == ApicDelivery::lowest;
  if (has_vector && message.vector < 16) {
    raise_error(kSendIllegal);
    return;
  }
  // INIT level de-assert only synchronises arbitration IDs.
  if (message.delivery == ApicDelivery::init && !has_bit(value, 14)) return;
  deliver(message);
}

void LocalApic::write_eoi() {
  const int vector = highest(in_service_);
  if (vector < 0) return;
  const u8 served = static_cast<u8>(vector);
  clear(in_service_, served);
  if (test(trigger_mode_, served) && eoi_ != nullptr) eoi_->end_of_interrupt(served);
  changed();
}

}  // namespace ringshift
