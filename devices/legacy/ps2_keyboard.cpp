// Ps2Keyboard: a PS/2 keyboard's commands (IBM PS/2 Hardware Interface Technical Reference, "Keyboard").
#include "devices/legacy/ps2_keyboard.h"

namespace ringshift {

namespace {

constexpr u8 kAck = 0xfa, kResend = 0xfe, kSelfTestPassed = 0xaa;

}  // namespace

void Ps2Keyboard::reset() { *this = Ps2Keyboard(); }

void Ps2Keyboard::save(StateWriter& out) const {
  out.put(queue_);
  for (const u8 value : {head_, count_, pending_, leds_, scan_set_, last_}) out.put(value);
  out.put(static_cast<u8>(scanning_));
}

void Ps2Keyboard::restore(StateReader& in) {
  in.get(queue_);
  for (u8* value : {&head_, &count_, &pending_, &leds_, &scan_set_, &last_}) in.get(*value);
  u8 scanning = 1;
  in.get(scanning);
  scanning_ = scanning != 0;
  head_ %= queue_.size();
  if (count_ > queue_.size()) count_ = 0;
}

void Ps2Keyboard::defaults() {
  leds_ = 0;
  scan_set_ = 2;
  pending_ = 0;
}

void Ps2Keyboard::put(u8 value) {
  if (count_ == queue_.size()) return;
  queue_[(head_ + count_) % queue_.size()] = value;
  ++count_;
}

u8 Ps2Keyboard::pop() {
  if (count_ == 0) return 0;
  last_ = queue_[head_];
  head_ = static_cast<u8>((head_ + 1) % queue_.size());
  --count_;
  return last_;
}

void Ps2Keyboard::key(std::span<const u8> codes) {
  // Room is kept for answers to commands.
  if (!scanning_ || count_ + codes.size() + 8 > queue_.size()) return;
  for (const u8 code : codes) put(code);
}

void Ps2Keyboard::argument(u8 value) {
  const u8 command = pending_;
  pending_ = 0;
  put(kAck);
  if (command == 0xed) leds_ = value & 7;
  if (command != 0xf0) return;
  if (value == 0)
    put(scan_set_);
  else if (value <= 3)
    scan_set_ = value;
}

void Ps2Keyboard::write(u8 value) {
  if (pending_ != 0 && value < 0xed) {
    argument(value);
    return;
  }
  pending_ = 0;
  switch (value) {
    case 0xed:  // LEDs
    case 0xf0:  // scan code set
    case 0xf3:  // typematic rate
    case 0xfb:  // types of single keys (set 3)
    case 0xfc:
    case 0xfd:
      pending_ = value;
      put(kAck);
      break;
    case 0xee:  // echo
      put(0xee);
      break;
    case 0xf2:  // identify
      put(kAck);
      put(0xab);
      put(0x83);
      break;
    case 0xf4:
    case 0xf5:  // enable; defaults and disable
      defaults();
      count_ = 0;
      scanning_ = value == 0xf4;
      put(kAck);
      break;
    case 0xf6:
      defaults();
      put(kAck);
      break;
    case 0xf7:
    case 0xf8:
    case 0xf9:
    case 0xfa:
      put(kAck);
      break;
    case 0xfe:
      put(last_);
      break;
    case 0xff:
      reset();
      put(kAck);
      put(kSelfTestPassed);
      break;
    default:
      put(kResend);
  }
}

}  // namespace ringshift
