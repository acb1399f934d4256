// LocalApic's registers, as the guest reads and writes them (SDM 3A table 11-1).
#include "base/bits.h"
#include "devices/irq/local_apic.h"
#include "devices/irq/local_apic_bits.h"

namespace ringshift {

using namespace apic;  // NOLINT: bits

namespace {

// Register numbers: offset / 16 (SDM 3A table 11-1).
enum : unsigned {
  kId = 0x02,
  kVersion = 0x03,
  kTaskPriority = 0x08,
  kArbitrationPriority = 0x09,
  kProcessorPriority = 0x0a,
  kEoi = 0x0b,
  kRemoteRead = 0x0c,
  kLogicalDestination = 0x0d,
  kDestinationFormat = 0x0e,
  kSpurious = 0x0f,
  kInService = 0x10,
  kTriggerMode = 0x18,
  kRequested = 0x20,
  kErrorStatus = 0x28,
  kIcrLow = 0x30,
  kIcrHigh = 0x31,
  kFirstLvt = 0x32,
  kLastLvt = 0x37,
  kTimerInitial = 0x38,
  kTimerCurrent = 0x39,
  kTimerDivide = 0x3e,
};
constexpr u32 kVersionValue = 0x00050014;  // six LVT entries, integrated APIC
// Bits of each LVT entry that can be written (SDM 3A figure 11-8); TSC-deadline mode isn't offered.
constexpr u32 kLvtWritable[] = {0x300ff, 0x107ff, 0x107ff, 0x1a7ff, 0x1a7ff, 0x100ff};

}  // namespace

void LocalApic::write_spurious(u32 value) {
  spurious_ = value & 0x1ff;
  if (software_enabled()) return;
  for (u32& entry : lvt_) entry |= kMasked;  // SDM 3A 11.4.7.2
  arm_timer(clock_.now_ns());
  changed();
}

void LocalApic::write_lvt(Lvt entry, u32 value) {
  if (entry == timer) run_expired_timer();
  lvt_[entry] = value & kLvtWritable[entry];
  if (!software_enabled()) lvt_[entry] |= kMasked;
  if (entry == timer) arm_timer(clock_.now_ns());
  if (entry == lint0) {
    // A level-triggered input that is already up.
    if (lint_level_[0] && has_bit(lvt_[lint0], 15) && !lint0_is_ext_int()) trigger_lvt(lint0);
    changed();
  }
}

u32 LocalApic::read_register(unsigned index) {
  if (index >= kInService && index < kTriggerMode) return in_service_[index - kInService];
  if (index >= kTriggerMode && index < kRequested) return trigger_mode_[index - kTriggerMode];
  if (index >= kRequested && index < kErrorStatus) return requested_[index - kRequested];
  if (index >= kFirstLvt && index <= kLastLvt) return lvt_[index - kFirstLvt];
  switch (index) {
    case kId:
      return id_;
    case kVersion:
      return kVersionValue;
    case kTaskPriority:
      return task_priority_;
    case kArbitrationPriority:
    case kProcessorPriority:
      return processor_priority();
    case kEoi:
    case kRemoteRead:
      return 0;
    case kLogicalDestination:
      return logical_destination_;
    case kDestinationFormat:
      return destination_format_;
    case kSpurious:
      return spurious_;
    case kErrorStatus:
      return error_status_;
    case kIcrLow:
      return icr_low_;
    case kIcrHigh:
      return icr_high_;
    case kTimerInitial:
      return timer_initial_;
    case kTimerCurrent:
      return timer_current();
    case kTimerDivide:
      return timer_divide_;
    default:
      raise_error(kIllegalRegister);
      return 0;
  }
}

void LocalApic::write_register(unsigned index, u32 value) {
  if (index >= kFirstLvt && index <= kLastLvt) {
    write_lvt(static_cast<Lvt>(index - kFirstLvt), value);
    return;
  }
  switch (index) {
    case kId:
      id_ = value & 0xff000000;
      break;
    case kTaskPriority:
      task_priority_ = value & 0xff;
      changed();
      break;
    case kEoi:
      write_eoi();
      break;
    case kLogicalDestination:
      logical_destination_ = value & 0xff000000;
      break;
    case kDestinationFormat:
      destination_format_ = value | 0x0fffffff;
      break;
    case kSpurious:
      write_spurious(value);
      break;
    case kErrorStatus:
      error_status_ = errors_seen_;
      errors_seen_ = 0;
      break;
    case kIcrLow:
      write_icr_low(value);
      break;
    case kIcrHigh:
      icr_high_ = value & 0xff000000;
      break;
    case kTimerInitial:
      start_timer(value);
      break;
    case kTimerDivide:
      write_divide(value);
      break;
    case kVersion:
    case kArbitrationPriority:
    case kProcessorPriority:
    case kRemoteRead:
    case kTimerCurrent:
      break;  // read-only
    default:
      if (index < kInService || index >= kErrorStatus) raise_error(kIllegalRegister);
  }
}

// Registers are the first four bytes of each 16; other forms of access are undefined (SDM 3A 11.4.1).
u64 LocalApic::mmio_read(u64 offset, unsigned) {
  if (!globally_enabled_) return ~u64{0};
  if ((offset & 0xf) >= 4 || offset >= 0x400) return 0;
  return read_register(static_cast<unsigned>(offset >> 4)) >> (8 * (offset & 3));
}

void LocalApic::mmio_write(u64 offset, unsigned size, u64 value) {
  if (!globally_enabled_ || (offset & 0xf) != 0 || size < 4 || offset >= 0x400) return;
  write_register(static_cast<unsigned>(offset >> 4), static_cast<u32>(value));
}

}  // namespace ringshift
