// IoApic: the redirection table and its messages.
#include "devices/irq/io_apic.h"

#include "base/bits.h"

namespace ringshift {

namespace {

// Redirection entry (82093AA 3.2.4).
constexpr u64 kRemoteIrr = 1u << 14, kLevel = 1u << 15, kMasked = 1u << 16;
constexpr u64 kReadOnly = u64{1} << 12 | kRemoteIrr;
constexpr u64 kWritable = 0xff00'0000'0001'ffff & ~kReadOnly;
enum : u8 { kId = 0, kVersion = 1, kArbitration = 2, kFirstEntry = 0x10 };
constexpr u32 kVersionValue = 0x11 | (IoApic::kInputs - 1) << 16;

ApicDelivery delivery_of(u64 entry) { return static_cast<ApicDelivery>((entry >> 8) & 7); }

}  // namespace

Result<void> IoApic::attach(MmioBus& bus) { return bus.insert(kBase, kPageSize, *this, "ioapic"); }

void IoApic::reset() {
  select_ = 0;
  id_ = kApicId;
  entries_.fill(kMasked);
  if (requests_ != nullptr) requests_->request_changed();
}

void IoApic::save(StateWriter& out) const {
  out.put(select_);
  out.put(id_);
  out.put(lines_);
  out.put(entries_);
}

void IoApic::restore(StateReader& in) {
  in.get(select_);
  in.get(id_);
  in.get(lines_);
  in.get(entries_);
  if (requests_ != nullptr) requests_->request_changed();
}

bool IoApic::passes_ext_int() const {
  for (const u64 entry : entries_) {
    if ((entry & kMasked) == 0 && delivery_of(entry) == ApicDelivery::ext_int) return true;
  }
  return false;
}

void IoApic::set_line(unsigned input, bool level) {
  if (input >= kInputs || has_bit(lines_, input) == level) return;
  lines_ ^= 1u << input;
  // An edge at a masked input is neither delivered nor held (82093AA, "interrupt mask").
  if (level) send(input);
}

void IoApic::send(unsigned input) {
  u64& entry = entries_[input];
  const bool level = (entry & kLevel) != 0;
  if ((entry & kMasked) != 0 || delivery_of(entry) == ApicDelivery::ext_int) return;
  if (level && (entry & kRemoteIrr) != 0) return;
  const ApicMessage message{static_cast<u8>(entry >> 56), has_bit(entry, 11), delivery_of(entry),
                            static_cast<u8>(entry), level};
  // Remote IRR first: what the message sets off may end the interrupt.
  const bool has_eoi =
      delivery_of(entry) == ApicDelivery::fixed || delivery_of(entry) == ApicDelivery::lowest;
  if (level && has_eoi) entry |= kRemoteIrr;
  if (!local_.deliver(message)) entry &= ~kRemoteIrr;
}

void IoApic::end_of_interrupt(u8 vector) {
  for (unsigned input = 0; input < kInputs; ++input) {
    u64& entry = entries_[input];
    if (static_cast<u8>(entry) != vector || (entry & (kLevel | kRemoteIrr)) != (kLevel | kRemoteIrr))
      continue;
    entry &= ~kRemoteIrr;
    if (has_bit(lines_, input)) send(input);
  }
}

void IoApic::write_entry(unsigned input, bool high, u32 value) {
  u64& entry = entries_[input];
  const u64 half = u64{0xffffffff} << (high ? 32 : 0);
  const u64 written = static_cast<u64>(value) << (high ? 32 : 0);
  entry = (entry & ~(half & kWritable)) | (written & half & kWritable);
  if ((entry & kLevel) == 0)
    entry &= ~kRemoteIrr;  // How Linux gets rid of a stuck one.
  else if (has_bit(lines_, input))
    send(input);
  if (requests_ != nullptr) requests_->request_changed();
}

u32 IoApic::read_register() const {
  if (select_ == kId) return static_cast<u32>(id_) << 24;
  if (select_ == kVersion) return kVersionValue;
  if (select_ == kArbitration) return static_cast<u32>(id_) << 24;
  const unsigned index = select_ - unsigned{kFirstEntry};
  if (select_ < kFirstEntry || index / 2 >= kInputs) return 0xffffffff;
  return static_cast<u32>(entries_[index / 2] >> (index % 2 * 32));
}

void IoApic::write_register(u32 value) {
  if (select_ == kId) id_ = (value >> 24) & 0xf;
  const unsigned index = select_ - unsigned{kFirstEntry};
  if (select_ < kFirstEntry || index / 2 >= kInputs) return;
  write_entry(index / 2, index % 2 != 0, value);
}

// IOREGSEL at 0, IOWIN at 10h.
u64 IoApic::mmio_read(u64 offset, unsigned) {
  if (offset == 0) return select_;
  if (offset == 0x10) return read_register();
  return 0;
}

void IoApic::mmio_write(u64 offset, unsigned size, u64 value) {
  if (offset == 0) select_ = static_cast<u8>(value);
  if (offset == 0x10 && size >= 4) write_register(static_cast<u32>(value));
}

}  // namespace ringshift
