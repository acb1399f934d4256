// I8042: the keyboard controller's commands (IBM PS/2 Hardware Interface Technical Reference).
#include "devices/legacy/i8042.h"

#include "base/bits.h"
#include "devices/legacy/scan_code_table.h"

namespace ringshift {

namespace {

// Status register.
constexpr u8 kOutputFull = 0x01, kSystemFlag = 0x04, kCommandLast = 0x08, kNotLocked = 0x10, kAuxData = 0x20,
             kTimeout = 0x40;
// Command byte.
constexpr u8 kInterruptEnable = 0x01, kKeyboardDisable = 0x10, kAuxDisable = 0x20, kTranslate = 0x40;
constexpr u8 kResend = 0xfe;

}  // namespace

I8042::I8042(InterruptLine irq1, A20Gate& a20, PowerControl& power) : irq1_(irq1), a20_(a20), power_(power) {
  reset();
}

Result<void> I8042::attach(IoBus& bus) {
  RS_TRY(bus.insert(0x60, 1, *this, "i8042"));
  return bus.insert(0x64, 1, *this, "i8042");
}

// As firmware leaves it: self test passed, interrupt and translation on.
void I8042::reset() {
  keyboard_.reset();
  ram_ = {};
  ram_[0] = kInterruptEnable | kSystemFlag | kAuxDisable | kTranslate;
  status_ = kSystemFlag | kNotLocked;
  output_ = 0;
  pending_command_ = 0;
  break_prefix_ = false;
  update_interrupt();
}

void I8042::save(StateWriter& out) const {
  keyboard_.save(out);
  out.put(ram_);
  for (const u8 value : {status_, output_, pending_command_}) out.put(value);
  out.put(static_cast<u8>(break_prefix_));
}

void I8042::restore(StateReader& in) {
  keyboard_.restore(in);
  in.get(ram_);
  for (u8* value : {&status_, &output_, &pending_command_}) in.get(*value);
  u8 prefix = 0;
  in.get(prefix);
  break_prefix_ = prefix != 0;
  update_interrupt();
}

void I8042::update_interrupt() {
  const bool full = (status_ & kOutputFull) != 0 && (status_ & kAuxData) == 0;
  irq1_.set(full && (ram_[0] & kInterruptEnable) != 0);
}

void I8042::reply(u8 value, u8 extra) {
  output_ = value;
  status_ = static_cast<u8>((status_ & ~(kAuxData | kTimeout)) | kOutputFull | extra);
  update_interrupt();
}

u8 I8042::translate(u8 code) {
  if (code == 0xf0) {
    break_prefix_ = true;
    return 0;
  }
  const u8 set1 = scan_set_1(code);
  const u8 result = static_cast<u8>(break_prefix_ ? set1 | 0x80 : set1);
  break_prefix_ = false;
  return result;
}

void I8042::fill() {
  while ((status_ & kOutputFull) == 0 && (ram_[0] & kKeyboardDisable) == 0 && !keyboard_.empty()) {
    const u8 code = keyboard_.pop();
    if ((ram_[0] & kTranslate) == 0) {
      reply(code);
    } else if (const u8 translated = translate(code); !break_prefix_) {
      reply(translated);
    }
  }
}

void I8042::key(std::span<const u8> codes) {
  keyboard_.key(codes);
  fill();
}

u32 I8042::port_read(u16 port, unsigned) {
  if (port == 0x64) return status_;
  const u8 value = output_;
  status_ &= static_cast<u8>(~(kOutputFull | kAuxData | kTimeout));
  update_interrupt();
  fill();
  return value;
}

void I8042::port_write(u16 port, unsigned, u32 value) {
  const u8 byte = static_cast<u8>(value);
  if (port == 0x64) {
    status_ |= kCommandLast;
    pending_command_ = 0;
    command(byte);
  } else {
    status_ &= static_cast<u8>(~kCommandLast);
    if (pending_command_ != 0) {
      command_argument(byte);
    } else {
      ram_[0] &= static_cast<u8>(~kKeyboardDisable);  // Sending to the keyboard enables it.
      keyboard_.write(byte);
    }
  }
  fill();
}

void I8042::command(u8 value) {
  if (value >= 0x20 && value <= 0x3f) {
    reply(ram_[value & 0x1f]);
    return;
  }
  if (value >= 0x60 && value <= 0x7f) {
    pending_command_ = value;
    return;
  }
  if (value >= 0xf0) {  // Pulse the output port's low bits that are 0; bit 0 is the reset wire.
    if (!has_bit(value, 0)) power_.reset();
    return;
  }
  switch (value) {
    case 0xa7:
      ram_[0] |= kAuxDisable;
      break;
    case 0xa8:
      ram_[0] &= static_cast<u8>(~kAuxDisable);
      break;
    case 0xa9:  // Test of the auxiliary port: its clock line is stuck, since there is none.
      reply(0x02);
      break;
    case 0xaa:  // Self test; sets the system flag and the command byte's default.
      status_ |= kSystemFlag;
      ram_[0] = kSystemFlag | kKeyboardDisable | kAuxDisable | (ram_[0] & kTranslate);
      reply(0x55);
      break;
    case 0xab:
      reply(0x00);
      break;
    case 0xad:
      ram_[0] |= kKeyboardDisable;
      break;
    case 0xae:
      ram_[0] &= static_cast<u8>(~kKeyboardDisable);
      break;
    case 0xc0:  // Input port: keyboard not locked.
      reply(0x80);
      break;
    case 0xd0:
      reply(static_cast<u8>(0x01 | (a20_.open() ? 2 : 0) | ((status_ & kOutputFull) != 0 ? 0x10 : 0) | 0xc0));
      break;
    case 0xd1:
    case 0xd2:
    case 0xd3:
    case 0xd4:
      pending_command_ = value;
      break;
    case 0xdd:
    case 0xdf:
      a20_.set_open(value == 0xdf);
      break;
    case 0xe0:  // Test inputs: clock and data low.
      reply(0x00);
      break;
    default:
      break;
  }
}

void I8042::command_argument(u8 value) {
  const u8 command_byte = pending_command_;
  pending_command_ = 0;
  if (command_byte >= 0x60 && command_byte <= 0x7f) {
    ram_[command_byte & 0x1f] = value;
    if (command_byte == 0x60) status_ = static_cast<u8>((status_ & ~kSystemFlag) | (value & kSystemFlag));
    update_interrupt();
    return;
  }
  switch (command_byte) {
    case 0xd1:
      write_output_port(value);
      break;
    case 0xd2:
    // A controller without an auxiliary port echoes D3 as keyboard data; Linux knows it by that.
    case 0xd3:
      reply(value);
      break;
    case 0xd4:
      reply(kResend, kAuxData | kTimeout);
      break;
    default:
      break;
  }
}

void I8042::write_output_port(u8 value) {
  a20_.set_open(has_bit(value, 1));
  if (!has_bit(value, 0)) power_.reset();
}

}  // namespace ringshift
