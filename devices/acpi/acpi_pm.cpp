// AcpiPm: PM1 blocks and PM timer (ACPI 4.8.3).
#include "devices/acpi/acpi_pm.h"

#include "base/bits.h"

namespace ringshift {

namespace {

// PM1 status and enable.
constexpr u16 kTimerOverflow = 1u << 0, kGlobal = 1u << 5, kPowerButton = 1u << 8, kSleepButton = 1u << 9,
              kRtc = 1u << 10, kWake = 1u << 15;
constexpr u16 kEvents = kTimerOverflow | kGlobal | kPowerButton | kSleepButton | kRtc;
// PM1 control.
constexpr u16 kSciEnable = 1u << 0, kSleepEnable = 1u << 13;

}  // namespace

AcpiPm::AcpiPm(Clock& clock, PowerControl& power, InterruptLine sci)
    : clock_(clock), power_(power), sci_(sci), overflow_(clock, [this] { update(); }) {
  reset();
}

u64 AcpiPm::timer_ticks() { return mul_div(clock_.now_ns(), kTimerHz, 1'000'000'000); }

void AcpiPm::reset() {
  status_ = enable_ = 0;
  control_ = kSciEnable;
  half_periods_ = timer_ticks() >> 31;
  update();
}

void AcpiPm::save(StateWriter& out) const {
  out.put(status_);
  out.put(enable_);
  out.put(control_);
  out.put(half_periods_);
}

void AcpiPm::restore(StateReader& in) {
  in.get(status_);
  in.get(enable_);
  in.get(control_);
  in.get(half_periods_);
  control_ |= kSciEnable;
  update();
}

void AcpiPm::press_power_button() {
  status_ |= kPowerButton;
  update();
}

void AcpiPm::update() {
  // TMR_STS is set whenever the most significant bit changes (4.8.3.1).
  const u64 half_periods = timer_ticks() >> 31;
  if (half_periods != half_periods_) status_ |= kTimerOverflow;
  half_periods_ = half_periods;
  sci_.set((status_ & enable_ & kEvents) != 0);
  u64 next = Clock::kNever;
  if ((enable_ & kTimerOverflow) != 0 && (status_ & kTimerOverflow) == 0)
    next = mul_div((half_periods + 1) << 31, 1'000'000'000, kTimerHz) + 1;
  overflow_.arm(next);
}

u8 AcpiPm::read_byte(unsigned offset, u32 timer) {
  switch (offset) {
    case 0:
    case 1:
      return static_cast<u8>(status_ >> (8 * offset));
    case 2:
    case 3:
      return static_cast<u8>(enable_ >> (8 * (offset - 2)));
    case 4:
    case 5:
      return static_cast<u8>(control_ >> (8 * (offset - 4)));
    case 8:
    case 9:
    case 10:
    case 11:
      return static_cast<u8>(timer >> (8 * (offset - 8)));
    default:
      return 0;
  }
}

u32 AcpiPm::port_read(u16 port, unsigned size) {
  const unsigned offset = port - kBase;
  if (offset < 4) update();
  // All bytes of a read show the same moment.
  const u32 timer = static_cast<u32>(timer_ticks());
  u32 value = 0;
  for (unsigned i = 0; i < size; ++i) value |= u32{read_byte(offset + i, timer)} << (8 * i);
  return value;
}

void AcpiPm::port_write(u16 port, unsigned size, u32 value) {
  update();
  const unsigned offset = port - kBase;
  for (unsigned i = 0; i < size; ++i) write_byte(offset + i, static_cast<u8>(value >> (8 * i)));
  update();
}

void AcpiPm::write_byte(unsigned offset, u8 value) {
  const unsigned shift = 8 * (offset & 1);
  const u16 placed = static_cast<u16>(value << shift);
  const u16 kept = static_cast<u16>(0xff00 >> shift);
  switch (offset) {
    case 0:
    case 1:  // Ones clear.
      status_ &= static_cast<u16>(~(placed & (kEvents | kWake)));
      break;
    case 2:
    case 3:
      enable_ = static_cast<u16>(((enable_ & kept) | placed) & kEvents);
      break;
    case 4:
    case 5:
      write_control(static_cast<u16>((control_ & kept) | placed));
      break;
    default:
      break;
  }
}

void AcpiPm::write_control(u16 value) {
  // SLP_EN is write-only; SCI_EN belongs to the firmware.
  control_ = static_cast<u16>((value & 0x1c02) | kSciEnable);
  if ((value & kSleepEnable) != 0 && bit_field(value, 10, 3) == kS5SleepType) power_.power_off();
}

}  // namespace ringshift
