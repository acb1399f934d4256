// Uart16550: a 16550A serial port.
#include "devices/legacy/uart_16550.h"

#include <algorithm>

#include "base/bits.h"

namespace ringshift {

namespace {

// Interrupt enable and the sources of IIR.
constexpr u8 kIerData = 1, kIerThre = 2, kIerLine = 4, kIerModem = 8;
constexpr u8 kIirNone = 1, kIirModem = 0, kIirThre = 2, kIirData = 4, kIirLine = 6, kIirTimeout = 0xc;
constexpr u8 kLsrData = 1, kLsrOverrun = 2, kLsrEmpty = 0x60;  // THRE and TEMT
constexpr u8 kDlab = 0x80;
constexpr std::size_t kBatch = 256;
constexpr u64 kFlushNs = 2'000'000;

}  // namespace

Uart16550::Uart16550(std::string name, u16 base, InterruptLine irq, Clock& clock, CharBackend& backend)
    : name_(std::move(name)),
      base_(base),
      irq_(irq),
      backend_(backend),
      clock_(clock),
      flush_timer_(clock, [this] { flush(); }) {
  sent_.reserve(kBatch);
  backend_.set_receiver(this);
  reset();
}

Uart16550::~Uart16550() {
  flush();
  backend_.set_receiver(nullptr);
}

void Uart16550::flush() {
  if (sent_.empty()) return;
  backend_.write(sent_);
  sent_.clear();
}

void Uart16550::reset() {
  flush();
  divisor_ = 12;
  ier_ = fcr_ = lcr_ = mcr_ = scratch_ = 0;
  overrun_ = thre_pending_ = false;
  fifo_head_ = fifo_count_ = 0;
  msr_ = modem_lines();
  update_interrupt();
}

void Uart16550::save(StateWriter& out) const {
  out.put(divisor_);
  for (const u8 value : {ier_, fcr_, lcr_, mcr_, msr_, scratch_, fifo_head_, fifo_count_}) out.put(value);
  out.put(static_cast<u8>(overrun_));
  out.put(static_cast<u8>(thre_pending_));
  out.put(fifo_);
}

void Uart16550::restore(StateReader& in) {
  in.get(divisor_);
  for (u8* value : {&ier_, &fcr_, &lcr_, &mcr_, &msr_, &scratch_, &fifo_head_, &fifo_count_}) in.get(*value);
  u8 byte = 0;
  in.get(byte);
  overrun_ = byte != 0;
  in.get(byte);
  thre_pending_ = byte != 0;
  in.get(fifo_);
  fifo_head_ %= kFifoSize;
  fifo_count_ = std::min<u8>(fifo_count_, kFifoSize);
  update_interrupt();
}

unsigned Uart16550::trigger() const {
  constexpr u8 kLevels[] = {1, 4, 8, 14};
  return fifo_enabled() ? kLevels[fcr_ >> 6] : 1;
}

unsigned Uart16550::can_receive() {
  if (loopback() || fifo_count_ >= capacity()) return 0;
  return capacity() - fifo_count_;
}

void Uart16550::receive(std::span<const u8> bytes) {
  if (loopback()) return;
  for (const u8 byte : bytes) push(byte);
  update_interrupt();
}

void Uart16550::push(u8 byte) {
  if (fifo_count_ >= capacity()) {
    overrun_ = true;
    if (fifo_enabled()) return;  // The FIFO keeps what it has; without it the new byte replaces the old.
    fifo_[fifo_head_] = byte;
    return;
  }
  fifo_[(fifo_head_ + fifo_count_) % kFifoSize] = byte;
  ++fifo_count_;
}

u8 Uart16550::read_data() {
  if (fifo_count_ == 0) return 0;
  const u8 byte = fifo_[fifo_head_];
  fifo_head_ = (fifo_head_ + 1) % kFifoSize;
  --fifo_count_;
  if (fifo_count_ == 0 && !loopback()) backend_.receiver_ready();
  update_interrupt();
  return byte;
}

void Uart16550::transmit(u8 byte) {
  // The request falls and rises again, so that an edge-triggered controller sees one for each byte.
  thre_pending_ = false;
  update_interrupt();
  if (loopback()) {
    push(byte);
  } else {
    if (sent_.empty() && flush_timer_.deadline() == Clock::kNever)
      flush_timer_.arm(clock_.now_ns() + kFlushNs);
    sent_.push_back(byte);
    if (byte == '\n' || sent_.size() >= kBatch) flush();
  }
  thre_pending_ = true;  // Already sent: the holding register is empty again.
  update_interrupt();
}

u8 Uart16550::identify() const {
  if ((ier_ & kIerLine) != 0 && overrun_) return kIirLine;
  // What stays below the trigger level times out; no more bytes are on the way, so at once.
  if ((ier_ & kIerData) != 0 && fifo_count_ > 0) return fifo_count_ >= trigger() ? kIirData : kIirTimeout;
  if ((ier_ & kIerThre) != 0 && thre_pending_) return kIirThre;
  if ((ier_ & kIerModem) != 0 && (msr_ & 0x0f) != 0) return kIirModem;
  return kIirNone;
}

u8 Uart16550::modem_lines() const {
  if (!loopback()) return 0xb0;  // CTS, DSR, DCD: somebody listens.
  // DTR to DSR, RTS to CTS, OUT1 to RI, OUT2 to DCD (data sheet 8.6.7).
  return static_cast<u8>((mcr_ & 1) << 5 | (mcr_ & 2) << 3 | (mcr_ & 4) << 4 | (mcr_ & 8) << 4);
}

void Uart16550::update_modem_status() {
  const u8 lines = modem_lines();
  u8 delta = (lines ^ msr_) >> 4;
  // Bit 2 is the trailing edge of RI.
  if ((lines & 0x40) != 0) delta &= 0x0b;
  msr_ = static_cast<u8>(lines | (msr_ & 0x0f) | delta);
}

void Uart16550::write_fcr(u8 value) {
  // Changing FIFO mode empties it; bit 1 empties the receiver.
  if (((value ^ fcr_) & 1) != 0 || (value & 2) != 0) {
    fifo_count_ = 0;
    overrun_ = false;
    if (!loopback()) backend_.receiver_ready();
  }
  fcr_ = (value & 1) != 0 ? value & 0xc9 : 0;
  update_interrupt();
}

void Uart16550::write_mcr(u8 value) {
  const bool was_loopback = loopback();
  mcr_ = value & 0x1f;
  update_modem_status();
  if (was_loopback && !loopback()) backend_.receiver_ready();
  update_interrupt();
}

u32 Uart16550::port_read(u16 port, unsigned) {
  switch (port - base_) {
    case 0:
      return (lcr_ & kDlab) != 0 ? divisor_ & 0xffu : read_data();
    case 1:
      return (lcr_ & kDlab) != 0 ? static_cast<u32>(divisor_ >> 8) : ier_;
    case 2: {
      const u8 source = identify();
      if (source == kIirThre) {
        thre_pending_ = false;
        update_interrupt();
      }
      return source | (fifo_enabled() ? 0xc0u : 0u);
    }
    case 3:
      return lcr_;
    case 4:
      return mcr_;
    case 5: {
      const u32 value = kLsrEmpty | (fifo_count_ > 0 ? kLsrData : 0u) | (overrun_ ? kLsrOverrun : 0u);
      overrun_ = false;
      update_interrupt();
      return value;
    }
    case 6: {
      const u32 value = msr_;
      msr_ &= 0xf0;
      update_interrupt();
      return value;
    }
    default:
      return scratch_;
  }
}

void Uart16550::port_write(u16 port, unsigned, u32 value) {
  const u8 byte = static_cast<u8>(value);
  const bool dlab = (lcr_ & kDlab) != 0;
  switch (port - base_) {
    case 0:
      if (dlab)
        divisor_ = static_cast<u16>((divisor_ & 0xff00) | byte);
      else
        transmit(byte);
      break;
    case 1:
      if (dlab) {
        divisor_ = static_cast<u16>((divisor_ & 0x00ff) | byte << 8);
        break;
      }
      // Enabling the interrupt while the holding register is empty raises it.
      if ((byte & kIerThre) != 0 && (ier_ & kIerThre) == 0) thre_pending_ = true;
      ier_ = byte & 0x0f;
      update_interrupt();
      break;
    case 2:
      write_fcr(byte);
      break;
    case 3:
      lcr_ = byte;
      break;
    case 4:
      write_mcr(byte);
      break;
    case 7:
      scratch_ = byte;
      break;
    default:  // LSR and MSR: for factory tests only.
      break;
  }
}

}  // namespace ringshift
