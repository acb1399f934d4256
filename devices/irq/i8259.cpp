// I8259 and I8259Pair: the two cascaded 8259A interrupt controllers.
#include "devices/irq/i8259.h"

#include "base/bits.h"

namespace ringshift {

namespace {

constexpr unsigned kCascade = 2;
constexpr unsigned kSpurious = 7;

constexpr u8 bit(unsigned n) { return static_cast<u8>(1u << n); }

}  // namespace

// As PC firmware leaves it: vectors 8 and 70h, all masked.
void I8259::reset() {
  const u8 lines = lines_;
  *this = I8259(master_, level_capable_);
  lines_ = lines;
  mask_ = 0xff;
  vector_base_ = master_ ? 0x08 : 0x70;
}

void I8259::save(StateWriter& out) const {
  for (const u8 value : {lines_, request_, mask_, service_, elcr_, lowest_, vector_base_, next_icw_})
    out.put(value);
  for (const bool value : {icw4_follows_, single_, all_level_, auto_eoi_, rotate_on_auto_eoi_, special_mask_,
                           special_fully_nested_, read_service_, poll_next_})
    out.put(static_cast<u8>(value));
}

void I8259::restore(StateReader& in) {
  for (u8* value : {&lines_, &request_, &mask_, &service_, &elcr_, &lowest_, &vector_base_, &next_icw_})
    in.get(*value);
  for (bool* value : {&icw4_follows_, &single_, &all_level_, &auto_eoi_, &rotate_on_auto_eoi_, &special_mask_,
                      &special_fully_nested_, &read_service_, &poll_next_}) {
    u8 byte = 0;
    in.get(byte);
    *value = byte != 0;
  }
  lowest_ &= 7;
  vector_base_ &= 0xf8;
}

bool I8259::level_triggered(unsigned input) const { return all_level_ || has_bit(elcr_, input); }

void I8259::set_input(unsigned input, bool level) {
  const bool was = has_bit(lines_, input);
  if (level) {
    lines_ |= bit(input);
    if (!was || level_triggered(input)) request_ |= bit(input);
  } else {
    // A request that ends before it is acknowledged is lost (data sheet: "the interrupt request must remain
    // until after the first INTA", else spurious).
    lines_ &= static_cast<u8>(~bit(input));
    request_ &= static_cast<u8>(~bit(input));
  }
}

unsigned I8259::first_in(u8 set) const {
  for (unsigned i = 1; i <= 8; ++i) {
    const unsigned input = (lowest_ + i) & 7;
    if (has_bit(set, input)) return input;
  }
  return 8;
}

int I8259::highest_request() const {
  const unsigned request = first_in(request_ & static_cast<u8>(~mask_));
  if (request == 8) return -1;
  // Special mask mode: what is in service and masked holds back nobody. Special fully nested mode: the slave
  // may interrupt again while one of its interrupts is in service.
  u8 holding = service_;
  if (special_mask_) holding &= static_cast<u8>(~mask_);
  if (special_fully_nested_ && master_) holding &= static_cast<u8>(~bit(kCascade));
  const unsigned held = first_in(holding);
  const auto rank = [&](unsigned input) { return input == 8 ? 8 : (input - lowest_ - 1) & 7; };
  // In special mask mode, all inputs that aren't in service themselves are served.
  if (special_mask_) return has_bit(holding, request) ? -1 : static_cast<int>(request);
  return rank(request) < rank(held) ? static_cast<int>(request) : -1;
}

int I8259::take() {
  const int input = highest_request();
  if (input < 0) return -1;
  const auto n = static_cast<unsigned>(input);
  if (!level_triggered(n)) request_ &= static_cast<u8>(~bit(n));
  if (!auto_eoi_)
    service_ |= bit(n);
  else if (rotate_on_auto_eoi_)
    lowest_ = static_cast<u8>(n);
  return input;
}

u8 I8259::poll() {
  poll_next_ = false;
  const int input = take();
  return input < 0 ? 0 : static_cast<u8>(0x80 | input);
}

u8 I8259::read(bool a0) {
  if (poll_next_) return poll();
  if (a0) return mask_;
  return read_service_ ? service_ : request_;
}

void I8259::write(bool a0, u8 value) {
  if (a0)
    write_data(value);
  else if (has_bit(value, 4))
    write_icw1(value);
  else if (has_bit(value, 3))
    write_ocw3(value);
  else
    write_ocw2(value);
}

// Data sheet, "Initialization Command Words": clears the edge sense, IMR, special mask mode, and so on.
void I8259::write_icw1(u8 value) {
  const u8 lines = lines_;
  const u8 elcr = elcr_;
  *this = I8259(master_, level_capable_);
  lines_ = lines;
  elcr_ = elcr;
  next_icw_ = 2;
  icw4_follows_ = has_bit(value, 0);
  single_ = has_bit(value, 1);
  all_level_ = has_bit(value, 3);
  for (unsigned i = 0; i < 8; ++i) {
    if (level_triggered(i) && has_bit(lines_, i)) request_ |= bit(i);
  }
}

void I8259::write_data(u8 value) {
  switch (next_icw_) {
    case 2:
      vector_base_ = value & 0xf8;
      next_icw_ = !single_ ? 3 : icw4_follows_ ? 4 : 0;
      break;
    case 3:  // The cascade is wired as on every PC.
      next_icw_ = icw4_follows_ ? 4 : 0;
      break;
    case 4:
      auto_eoi_ = has_bit(value, 1);
      special_fully_nested_ = has_bit(value, 4);
      next_icw_ = 0;
      break;
    default:
      mask_ = value;
  }
}

void I8259::end_of_interrupt(unsigned input, bool rotate) {
  service_ &= static_cast<u8>(~bit(input));
  if (rotate) lowest_ = static_cast<u8>(input);
}

void I8259::write_ocw2(u8 value) {
  const unsigned level = value & 7;
  switch (value >> 5) {
    case 0:  // Rotate in automatic EOI mode: clear, set (4).
    case 4:
      rotate_on_auto_eoi_ = has_bit(value, 7);
      break;
    case 1:  // Non-specific EOI, and with rotation (5).
    case 5: {
      // In special mask mode a masked bit of the ISR isn't cleared by it.
      const unsigned input = first_in(special_mask_ ? service_ & static_cast<u8>(~mask_) : service_);
      if (input < 8) end_of_interrupt(input, has_bit(value, 7));
      break;
    }
    case 3:
    case 7:
      end_of_interrupt(level, has_bit(value, 7));
      break;
    case 6:
      lowest_ = static_cast<u8>(level);
      break;
    default:
      break;
  }
}

void I8259::write_ocw3(u8 value) {
  if (has_bit(value, 6)) special_mask_ = has_bit(value, 5);
  if (has_bit(value, 1)) read_service_ = has_bit(value, 0);
  poll_next_ = has_bit(value, 2);
}

void I8259::set_elcr(u8 value) {
  elcr_ = value & level_capable_;
  for (unsigned i = 0; i < 8; ++i) {
    if (level_triggered(i) && has_bit(lines_, i)) request_ |= bit(i);
  }
}

// IRQ 0, 1, 2, 8 and 13 are always edge-triggered (PIIX3, ELCR1 and ELCR2).
I8259Pair::I8259Pair(InterruptLine output) : master_(true, 0xf8), slave_(false, 0xde), output_(output) {
  reset();
}

Result<void> I8259Pair::attach(IoBus& bus) {
  RS_TRY(bus.insert(0x20, 2, *this, "pic"));
  RS_TRY(bus.insert(0xa0, 2, *this, "pic"));
  return bus.insert(0x4d0, 2, *this, "pic");
}

void I8259Pair::connect(InterruptLine output) {
  output_ = output;
  update();
}

void I8259Pair::update() {
  master_.set_input(kCascade, slave_.output());
  output_.set(master_.output());
}

void I8259Pair::set_line(unsigned input, bool level) {
  if (input == kCascade || input > 15) return;
  (input < 8 ? master_ : slave_).set_input(input & 7, level);
  update();
}

u8 I8259Pair::acknowledge() {
  const int input = master_.take();
  u8 vector = master_.vector_of(kSpurious);
  if (input == static_cast<int>(kCascade)) {
    const int slave_input = slave_.take();
    vector = slave_.vector_of(slave_input < 0 ? kSpurious : static_cast<unsigned>(slave_input));
    // The slave's INT falls and rises between two interrupts, so that the master sees an edge for each.
    master_.set_input(kCascade, false);
  } else if (input >= 0) {
    vector = master_.vector_of(static_cast<unsigned>(input));
  }
  update();
  return vector;
}

void I8259Pair::reset() {
  master_.reset();
  slave_.reset();
  update();
}

void I8259Pair::save(StateWriter& out) const {
  master_.save(out);
  slave_.save(out);
}

void I8259Pair::restore(StateReader& in) {
  master_.restore(in);
  slave_.restore(in);
  output_.set(master_.output());
}

u32 I8259Pair::port_read(u16 port, unsigned) {
  if (port == 0x4d0) return master_.elcr();
  if (port == 0x4d1) return slave_.elcr();
  I8259& chip = port < 0xa0 ? master_ : slave_;
  const u8 value = chip.read((port & 1) != 0);
  update();  // A poll acknowledges.
  return value;
}

void I8259Pair::port_write(u16 port, unsigned, u32 value) {
  const u8 byte = static_cast<u8>(value);
  if (port == 0x4d0)
    master_.set_elcr(byte);
  else if (port == 0x4d1)
    slave_.set_elcr(byte);
  else
    (port < 0xa0 ? master_ : slave_).write((port & 1) != 0, byte);
  update();
}

}  // namespace ringshift
